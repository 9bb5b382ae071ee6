"""Many lectures in the database, each with everything that a lecture can have."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import insert, text

from common import db
from common.ids import new_id
from common.jobs.payloads import lecture_subject
from common.models import (
    Artifact,
    Course,
    Export,
    Job,
    Lecture,
    Recording,
    TranscriptRecord,
)

_ARTIFACTS = ("summary", "outline", "key-terms", "flashcards", "exam-questions")
_EXPORTS = ("markdown", "anki", "pdf", "apkg", "srt", "vtt")
_STAGES = {"transcription": "media", "generation": "llm", "export": "media"}
_COURSES = 10
_START = datetime(2026, 1, 1, tzinfo=UTC)
_SECTIONS = [
    {"title": f"Part {number}", "bullets": ["A sentence of usual length."] * 4}
    for number in range(6)
]
_SUMMARY = {"overview": "What the lecture says. " * 20, "sections": _SECTIONS}


def fill(url: str, count: int) -> list[str]:
    """Save ``count`` lectures in the empty database at ``url``; return their ids."""
    ids = [f"lecture-{number:04}" for number in range(count)]
    courses = [{"id": f"course-{n}", "title": f"Course {n}"} for n in range(_COURSES)]
    recordings = [_recording(id_) for id_ in ids]
    pairs = list(zip(ids, recordings, strict=True))
    with db.connect(url).begin() as session:
        session.execute(insert(Course), courses)
        session.execute(insert(Recording), recordings)
        session.execute(
            insert(Lecture), [_lecture(n, *pair) for n, pair in enumerate(pairs)]
        )
        session.execute(insert(TranscriptRecord), [_transcript(*p) for p in pairs])
        session.execute(
            insert(Artifact), [_artifact(id_, t) for id_ in ids for t in _ARTIFACTS]
        )
        session.execute(
            insert(Export), [_export(id_, t) for id_ in ids for t in _EXPORTS]
        )
        session.execute(insert(Job), [_job(id_, k) for id_ in ids for k in _STAGES])
    _settle(url)
    return ids


def _settle(url: str) -> None:
    """Have the planner know the tables, as it would after some hours."""
    with db.engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("vacuum analyze"))


def _recording(lecture_id):
    return {
        "id": new_id(),
        "kind": "audio",
        "object_key": f"audio/{lecture_id}/talk.wav",
        "metadata_key": f"metadata/{lecture_id}/talk.json",
        "original_filename": "talk.wav",
        "size_bytes": 1_000_000,
        "sha256": "0" * 64,
        "duration_ms": 3_600_000,
    }


def _lecture(number, lecture_id, recording):
    return {
        "id": lecture_id,
        "course_id": f"course-{number % _COURSES}",
        "preset_id": "exam-mode",
        "title": f"Lecture number {number}",
        "status": "generated",
        "recording_id": recording["id"],
        "created_at": _START + timedelta(minutes=number),
    }


def _transcript(lecture_id, recording):
    return {
        "recording_id": recording["id"],
        "job_id": uuid4(),
        "object_key": f"transcripts/{lecture_id}/run.json",
        "language": "en-US",
        "provider": "bench",
        "model": "bench",
        "total_ms": 3_600_000,
        "heard_ms": 3_600_000,
        "gaps": [],
    }


def _artifact(lecture_id, name):
    return {
        "id": new_id(),
        "lecture_id": lecture_id,
        "course_id": "course-0",
        "preset_id": "exam-mode",
        "artifact_type": name,
        "object_key": f"artifacts/{lecture_id}/{name}.json",
        "document": _SUMMARY,
        "job_id": uuid4(),
    }


def _export(lecture_id, name):
    return {
        "lecture_id": lecture_id,
        "export_type": name,
        "object_key": f"exports/{lecture_id}/{name}",
        "size_bytes": 10_000,
        "job_id": uuid4(),
    }


def _job(lecture_id, kind):
    return {
        "id": new_id(),
        "kind": kind,
        "subject": lecture_subject(lecture_id),
        "queue": _STAGES[kind],
        "payload": {"lecture_id": lecture_id},
        "state": "succeeded",
        "progress": 100,
        "result": {"lectureId": lecture_id, "outputDir": f"artifacts/{lecture_id}"},
        "finished_at": _START,
    }
