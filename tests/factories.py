"""The smallest valid rows, each saved in a transaction of its own.

What a row needs is made with it: a lecture brings its course and its recording.
"""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from json import dumps
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from common.ids import new_id
from common.jobs.payloads import asset_subject, lecture_subject
from common.models import (
    Artifact,
    Asset,
    Course,
    Export,
    Job,
    Lecture,
    Recording,
    Thumbnail,
    TranscriptRecord,
)

START = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
QUEUES = {"transcription": "media", "generation": "llm", "export": "media"}
ENDED = ("succeeded", "failed", "cancelled")


def minute(number):
    """Return a moment; a larger number is later."""
    return START + timedelta(minutes=number)


def save(db, *rows):
    with db.begin() as session:
        for row in rows:
            session.add(row)
            session.flush()
    return rows[-1]


def course(db, course_id="c1", **fields):
    return save(db, Course(**{"id": course_id, "title": "A course", **fields}))


def recording(db, lecture_id="l1", **fields):
    id_ = new_id()
    values = {
        "id": id_,
        "kind": "audio",
        "object_key": f"audio/{lecture_id}/{id_}.wav",
        "metadata_key": f"metadata/{lecture_id}/{id_}.json",
        "original_filename": "talk.wav",
        "size_bytes": 4,
        "sha256": "0" * 64,
    }
    return save(db, Recording(**{**values, **fields}))


def lecture(db, lecture_id="l1", **fields):
    course_id = fields.get("course_id", "c1")
    with db.begin() as session:
        known = session.get(Course, course_id)
    if known is None:
        course(db, course_id)
    values = {
        "id": lecture_id,
        "course_id": course_id,
        "preset_id": "exam-mode",
        "title": "A lecture",
        "status": "uploaded",
        "recording_id": recording(db, lecture_id).id,
    }
    save(db, Lecture(**{**values, **fields}))
    with db.begin() as session:
        return session.scalars(
            select(Lecture)
            .where(Lecture.id == lecture_id)
            .options(joinedload(Lecture.recording))
        ).one()


def media(storage, found, content=b"sound"):
    """Store the bytes of a lecture's recording."""
    return storage.write(found.recording.object_key, BytesIO(content))


def transcript(db, storage, found, *texts):
    """Save a transcript with one segment of one second for each text."""
    key = f"transcripts/{found.id}/{new_id()}.1.json"
    segments = [
        {"startSec": float(n), "endSec": n + 1.0, "text": text}
        for n, text in enumerate(texts)
    ]
    document = {
        "lectureId": found.id,
        "createdAt": minute(0).isoformat(),
        "language": "en-US",
        "text": "\n".join(texts),
        "segments": segments,
        "engine": {"provider": "fake", "model": "fake-1"},
        "coverage": {"totalSec": float(len(texts)), "heardSec": float(len(texts))},
        "gaps": [],
    }
    storage.write(key, BytesIO(dumps(document).encode()))
    row = TranscriptRecord(
        recording_id=found.recording_id,
        job_id=uuid4(),
        object_key=key,
        language="en-US",
        provider="fake",
        model="fake-1",
        total_ms=1000 * len(texts),
        heard_ms=1000 * len(texts),
        gaps=[],
    )
    return save(db, row)


def artifact(db, lecture_id="l1", artifact_type="summary", **fields):
    document = {"artifactType": artifact_type}
    if artifact_type == "summary":
        sections = [{"title": "Part", "bullets": ["Point."]}]
        document |= {"overview": "Overview.", "sections": sections}
    values = {
        "id": new_id(),
        "lecture_id": lecture_id,
        "course_id": "c1",
        "preset_id": "exam-mode",
        "artifact_type": artifact_type,
        "object_key": f"artifacts/{lecture_id}/{artifact_type}.json",
        "document": document,
        "job_id": uuid4(),
    }
    return save(db, Artifact(**{**values, **fields}))


def export(db, lecture_id="l1", export_type="markdown", **fields):
    values = {
        "lecture_id": lecture_id,
        "export_type": export_type,
        "object_key": f"exports/{lecture_id}/run.1/{export_type}",
        "size_bytes": 4,
        "job_id": uuid4(),
    }
    return save(db, Export(**{**values, **fields}))


def job(db, lecture_id="l1", kind="transcription", state="queued", **fields):
    """Save a job in any state, as no protocol would: without its outbox row."""
    values = {
        "id": new_id(),
        "kind": kind,
        "subject": lecture_subject(lecture_id),
        "queue": QUEUES[kind],
        "payload": _payload(db, lecture_id, kind),
        "state": state,
        **_state(state),
    }
    return save(db, Job(**{**values, **fields}))


def asset(db, project_id="demo", **fields):
    """Save a file of a project, with its recording and no bytes."""
    id_ = new_id()
    recorded = recording(
        db,
        kind="video",
        object_key=f"projects/{id_}/film.mp4",
        metadata_key=None,
        original_filename="lesson.mp4",
        size_bytes=fields.get("size_bytes", 4),
    )
    values = {
        "id": id_,
        "project_id": project_id,
        "recording_id": recorded.id,
        "filename": f"lesson-{id_.hex}.mp4",
        "original_filename": "lesson.mp4",
        "relative_path": f"uploads/{project_id}/lesson-{id_.hex}.mp4",
        "mime_type": "video/mp4",
        "size_bytes": 4,
        "status": "ready",
        "about": {"duration": 2.0},
    }
    return save(db, Asset(**{**values, **fields}))


def thumbnail(db, found, **fields):
    """Save the picture of a file, without bytes."""
    values = {
        "asset_id": found.id,
        "clip_index": -1,
        "object_key": f"projects/{found.id}/{new_id()}.jpg",
        "relative_path": f"thumbnails/{found.project_id}/{found.id}.jpg",
        "size_bytes": 2,
    }
    return save(db, Thumbnail(**{**values, **fields}))


def project_job(db, found, kind="ingest", state="queued", **fields):
    """Save a job about a file of a project in any state, without its outbox row."""
    values = {
        "id": new_id(),
        "kind": kind,
        "subject": asset_subject(found.id),
        "project_id": found.project_id,
        "queue": "media",
        "payload": {"project_id": found.project_id, "asset_id": str(found.id)},
        "max_attempts": 3,
        "retry_delay_seconds": 5.0,
        "state": state,
        **_state(state),
    }
    return save(db, Job(**{**values, **fields}))


def _payload(db, lecture_id, kind):
    if kind == "export":
        return {"lecture_id": lecture_id}
    if kind == "generation":
        return {"lecture_id": lecture_id, "provider": "extractive"}
    with db.begin() as session:
        found = session.get(Lecture, lecture_id)
    return {
        "lecture_id": lecture_id,
        "recording_id": str(found.recording_id if found else uuid4()),
        "provider": "pocketsphinx",
        "language": "en-US",
    }


def _state(state):
    """Return what the table demands of a job in this state."""
    if state in ENDED:
        return {"finished_at": minute(0)}
    if state == "waiting":
        return {"pending_children": 1}
    if state == "running":
        return {
            "lease_token": uuid4(),
            "lease_epoch": 1,
            "lease_expires_at": datetime.now(UTC) + timedelta(hours=1),
        }
    return {}
