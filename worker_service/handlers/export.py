"""Write a lecture's files from its study material."""

from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from typing import Any

from sqlalchemy import delete, insert, select

from common import events, object_keys, objects, transcripts
from common.errors import NotFound
from common.exports import FORMATS
from common.exports.quality import check_exportable
from common.jobs import Export
from common.models import (
    Artifact,
    Course,
    Lecture,
    TranscriptRecord,
)
from common.models import Export as ExportRecord
from common.study import (
    ExamQuestionsDocument,
    FlashcardsDocument,
    KeyTermsDocument,
    OutlineDocument,
    StudyPack,
    SummaryDocument,
)
from worker_service.work import Work

_NOW = timedelta(0)


def run(work: Work[Export]) -> None:
    """Write one file per format and replace the lecture's earlier exports.

    Safe to run twice: each run writes below its own name, and only the one that ends
    the job gets rows.
    """
    pack = _pack(work)
    folder = object_keys.exports(pack.lecture_id, work.lease.run)
    keys = {
        name: f"{folder}/{pack.lecture_id}{form.extension}"
        for name, form in FORMATS.items()
    }
    sizes = _write(work, pack, keys)

    uri = work.deps.storage.uri
    result = {
        "lectureId": pack.lecture_id,
        "exportDir": uri(folder),
        "exportPaths": {name: uri(key) for name, key in keys.items()},
    }
    with work.finish(result) as session:
        if session.get(Lecture, pack.lecture_id, with_for_update=True) is None:
            raise NotFound("Lecture not found.")
        earlier = session.scalars(
            delete(ExportRecord)
            .where(ExportRecord.lecture_id == pack.lecture_id)
            .returning(ExportRecord.object_key)
        )
        objects.doom(session, list(earlier), after=_NOW)
        session.execute(insert(ExportRecord), _rows(work, keys, sizes))
        objects.spare(session, keys.values())
        told = events.LectureExported(
            lecture_id=pack.lecture_id, job_id=work.lease.job_id, formats=list(keys)
        )
        events.emit(session, told)


def _pack(work: Work[Export]) -> StudyPack:
    lecture_id = work.payload.lecture_id
    with work.deps.db.begin() as session:
        row = session.execute(
            select(Lecture, Course, TranscriptRecord)
            .join(Course, Course.id == Lecture.course_id)
            .outerjoin(
                TranscriptRecord, TranscriptRecord.recording_id == Lecture.recording_id
            )
            .where(Lecture.id == lecture_id)
        ).first()
        if row is None:
            raise NotFound("Lecture not found.")
        lecture, course, transcript = row
        documents = {
            artifact.artifact_type: artifact.document
            for artifact in session.scalars(
                select(Artifact).where(Artifact.lecture_id == lecture_id)
            )
        }
        segments = transcripts.segments_of(session, lecture.recording_id)
    check_exportable(documents, work.deps.settings.export_min_summary_sections)
    base = work.deps.settings.public_url.rstrip("/")
    return StudyPack(
        lecture_id=lecture.id,
        title=lecture.title,
        course_id=course.id,
        course_title=course.title,
        segments=segments,
        total_ms=transcript.total_ms if transcript else 0,
        heard_ms=transcript.heard_ms if transcript else 0,
        media_url=f"{base}/lectures/{lecture.id}/media",
        **_parsed(documents),
    )


def _parsed(documents: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "summary": SummaryDocument.model_validate(documents["summary"]),
        "outline": OutlineDocument.model_validate(documents["outline"]),
        "key_terms": KeyTermsDocument.model_validate(documents["key-terms"]),
        "flashcards": FlashcardsDocument.model_validate(documents["flashcards"]),
        "exam_questions": ExamQuestionsDocument.model_validate(
            documents["exam-questions"]
        ),
    }


def _write(
    work: Work[Export], pack: StudyPack, keys: Mapping[str, str]
) -> dict[str, int]:
    """Render and store each format; return the sizes in bytes."""
    with work.deps.db.begin() as session:
        objects.doom(session, keys.values(), after=objects.GRACE)
    sizes = {}
    for name, key in keys.items():
        work.pulse.check()
        stored = work.deps.storage.write(key, BytesIO(FORMATS[name].render(pack)))
        sizes[name] = stored.size_bytes
    return sizes


def _rows(
    work: Work[Export], keys: Mapping[str, str], sizes: Mapping[str, int]
) -> list[dict[str, Any]]:
    return [
        {
            "lecture_id": work.payload.lecture_id,
            "export_type": name,
            "object_key": key,
            "size_bytes": sizes[name],
            "job_id": work.lease.job_id,
        }
        for name, key in keys.items()
    ]
