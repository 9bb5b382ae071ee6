"""Write a lecture's study material from its transcript."""

import json
from collections.abc import Mapping
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from common import events, object_keys, objects, study_index, threads, transcripts
from common.errors import Conflict, NotFound, Unavailable
from common.grounding import ground
from common.jobs import Generation
from common.models import (
    Artifact,
    Lecture,
    LectureStatus,
    TranscriptRecord,
)
from common.presets import presets
from common.study import Document, StudyDraft, StudyMaterial
from worker_service import study_documents
from worker_service.remembered import Remembered
from worker_service.work import Work

_NOW = timedelta(0)


def run(work: Work[Generation]) -> None:
    """Write the five artifacts and name the concepts that the lecture touches.

    Safe to run twice: paid answers are remembered and the draft is saved before
    anything is made of it.

    Raises:
        Unavailable: another lecture changed the course's threads while the documents
            that refer to them were stored; the next run has nothing else left to do.
    """
    lecture, material = _read(work)
    draft = _draft(work, material)
    work.pulse.check()
    engine = work.deps.llm(work.payload.provider, work.payload.model).engine
    found = (lecture.course_id, lecture.id, draft.concepts, draft.concept_updates)
    with work.deps.db.begin() as session:
        thread_ids = threads.plan(session, *found)
    documents = study_documents.documents(lecture, draft, engine, thread_ids)
    folder = object_keys.artifacts(lecture.id, work.lease.run)
    keys = {name: f"{folder}/{name}.json" for name in documents}
    _store(work, documents, keys)

    uri = work.deps.storage.uri
    result = {
        "lectureId": lecture.id,
        "outputDir": uri(folder),
        "artifactPaths": {name: uri(key) for name, key in keys.items()},
    }
    with work.finish(result, changes_threads=True) as session:
        _require_lecture(session, lecture)
        _replace(session, _rows(work, lecture, documents, keys))
        study_index.index(session, lecture.id)
        if threads.replace(session, *found) != thread_ids:
            raise Unavailable("Another lecture of the course was at work.")
        objects.spare(session, keys.values())
        events.emit(session, _news(work, lecture, keys))


def _news(
    work: Work[Generation], lecture: Lecture, keys: Mapping[str, str]
) -> events.LectureGenerated:
    return events.LectureGenerated(
        lecture_id=lecture.id,
        course_id=lecture.course_id,
        preset_id=lecture.preset_id,
        job_id=work.lease.job_id,
        artifact_types=list(keys),
    )


def _read(work: Work[Generation]) -> tuple[Lecture, StudyMaterial]:
    """Return the lecture, and what the model is given."""
    with work.deps.db.begin() as session:
        lecture = session.get(Lecture, work.payload.lecture_id)
        if lecture is None:
            raise NotFound("Lecture not found.")
        transcript = session.get(TranscriptRecord, lecture.recording_id)
        if transcript is None:
            raise Conflict("Transcript not found.", code="transcript_missing")
        segments = transcripts.segments_of(session, lecture.recording_id)
        known = threads.known(session, lecture.course_id, lecture.id)
    if not segments:
        raise Conflict("Transcript text is empty.", code="transcript_empty")
    material = StudyMaterial(
        title=lecture.title,
        language=transcript.language,
        segments=segments,
        preset=presets()[lecture.preset_id],
        lecture_mode=lecture.lecture_mode,
        threads=known,
    )
    return lecture, material


def _draft(work: Work[Generation], material: StudyMaterial) -> StudyDraft:
    """Return the checked draft, from an earlier try if there is one."""
    saved = work.lease.checkpoint.get("draft")
    if saved is not None:
        return StudyDraft.model_validate(saved)
    model = work.deps.llm(work.payload.provider, work.payload.model)
    draft = ground(model.study(material, Remembered(work)), material.segments)
    work.save({"draft": draft.model_dump(mode="json")}, progress=90)
    return draft


def _store(
    work: Work[Generation],
    documents: Mapping[str, Document],
    keys: Mapping[str, str],
) -> None:
    with work.deps.db.begin() as session:
        objects.doom(session, keys.values(), after=objects.GRACE)
    for name, document in documents.items():
        text = json.dumps(study_documents.wire(document), ensure_ascii=False)
        work.deps.storage.write(keys[name], BytesIO(text.encode()))


def _require_lecture(session: Session, lecture: Lecture) -> None:
    """Refuse a lecture that is gone, or has got another recording or course since."""
    found = session.execute(
        update(Lecture)
        .where(
            Lecture.id == lecture.id,
            Lecture.recording_id == lecture.recording_id,
            Lecture.course_id == lecture.course_id,
        )
        .values(status=LectureStatus.GENERATED)
        .returning(Lecture.id)
    ).first()
    if found is None:
        raise NotFound("Lecture not found.")


def _rows(
    work: Work[Generation],
    lecture: Lecture,
    documents: Mapping[str, Document],
    keys: Mapping[str, str],
) -> list[dict[str, Any]]:
    return [
        {
            "id": UUID(document.id),
            "lecture_id": lecture.id,
            "course_id": lecture.course_id,
            "preset_id": lecture.preset_id,
            "artifact_type": name,
            "object_key": keys[name],
            "document": study_documents.wire(document),
            "job_id": work.lease.job_id,
        }
        for name, document in documents.items()
    ]


def _replace(session: Session, rows: list[dict[str, Any]]) -> None:
    """Put these artifacts in the place of the lecture's earlier ones."""
    earlier = session.scalars(
        delete(Artifact)
        .where(Artifact.lecture_id == rows[0]["lecture_id"])
        .returning(Artifact.object_key)
    )
    objects.doom(session, list(earlier), after=_NOW)
    session.execute(insert(Artifact), rows)
