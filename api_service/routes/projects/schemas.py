"""Jobs and files of projects, as REST, event streams and WebSockets all show them.

Times are UTC with ``Z``. The older API left the ``Z`` out, and both Dart and JavaScript
then read them as the time of the viewer's own clock; both parse these.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from api_service import views
from common.models import (
    LIVE_STATES,
    Asset,
    Job,
    JobLog,
    JobState,
    Recording,
    Thumbnail,
)

JobType = Literal["ingest", "transcription", "scene_detection", "export"]
JobStatus = Literal["queued", "running", "completed", "failed"]
AssetStatus = Literal["uploaded", "processing", "ready", "failed"]
Category = Literal["source", "processed", "proxy", "export", "thumbnail", "music"]

# The kinds of a project's jobs in the clients' words.
JOB_TYPES: dict[str, JobType] = {
    "ingest": "ingest",
    "asset_transcription": "transcription",
    "transcription": "transcription",
    "scene_detection": "scene_detection",
    "timeline_export": "export",
}
CANCELLED = "Job cancelled"

# In payloads, and not the clients'.
_OURS = ("project_id", "recording_id", "provider", "model")
_JOB = select(
    *(Job.id, Job.project_id, Job.kind, Job.state, Job.progress, Job.attempt),
    *(Job.max_attempts, Job.retry_delay_seconds, Job.payload, Job.result),
    *(Job.error_code, Job.error_detail, Job.created_at, Job.updated_at),
    *(Job.pending_children, Job.checkpoint["fanned_out"].as_integer().label("pieces")),
).where(Job.parent_id.is_(None))
# Looked up for each file that is shown. As joins they are made for the whole project
# first, once PostgreSQL has forgotten how few files a page has (a generic plan).
_SHA256 = select(Recording.sha256).where(Recording.id == Asset.recording_id)
_PICTURE = select(Thumbnail.relative_path).where(
    Thumbnail.asset_id == Asset.id, Thumbnail.clip_index == -1
)
_ASSET = select(
    Asset,
    _SHA256.scalar_subquery().label("sha256"),
    _PICTURE.scalar_subquery().label("thumbnail_path"),
)


class LogLine(BaseModel):
    """One line of a job's log."""

    timestamp: str
    level: Literal["INFO", "WARNING", "ERROR"]
    message: str
    details: dict[str, Any]


class ProjectJob(BaseModel):
    """One job of a project. ``error_code`` is ``cancelled`` if a person ended it."""

    id: UUID
    project_id: str
    job_type: JobType
    status: JobStatus
    progress: float
    attempts: int
    max_attempts: int
    retry_delay_seconds: float
    payload: dict[str, Any]
    result: dict[str, Any]
    error_message: str | None
    error_code: str | None
    logs: list[LogLine]
    created_at: str
    updated_at: str


class AssetRow(BaseModel):
    """One file of a project. ``relative_path`` is where to fetch it below /storage."""

    id: UUID
    project_id: str
    filename: str
    original_filename: str
    relative_path: str
    checksum: str
    size_bytes: int
    mime_type: str
    category: Category
    status: AssetStatus
    thumbnail_path: str | None
    source_asset_ids: list[UUID]
    metadata: dict[str, Any]
    created_at: str
    updated_at: str


def job_query() -> Select[Any]:
    """Return the query whose rows ``jobs`` shows; callers say which, in what order."""
    return _JOB


def asset_query() -> Select[Asset, str, str]:
    """Return the query whose rows ``asset`` shows, pictures included."""
    return _ASSET


def jobs(session: Session, query: Select[Any]) -> list[dict[str, Any]]:
    """Return jobs with their logs, in the query's order; two statements."""
    rows = session.execute(query).all()
    logs = _logs(session, [row.id for row in rows])
    return [_job(row, logs[row.id]) for row in rows]


def asset(row: Row[Asset, str, str]) -> dict[str, Any]:
    """Return one file."""
    found: Asset = row.Asset
    return {
        "id": str(found.id),
        "project_id": found.project_id,
        "filename": found.filename,
        "original_filename": found.original_filename,
        "relative_path": found.relative_path,
        "checksum": row.sha256,
        "size_bytes": found.size_bytes,
        "mime_type": found.mime_type,
        "category": found.category,
        "status": found.status,
        "thumbnail_path": row.thumbnail_path,
        "source_asset_ids": [str(id_) for id_ in found.source_asset_ids],
        "metadata": found.about,
        "created_at": views.timestamp(found.created_at),
        "updated_at": views.timestamp(found.updated_at),
    }


def progress_of(row: Row[Any]) -> float:
    """Return how much is done, in percent; of a job in pieces, those that are done."""
    if row.state not in LIVE_STATES or not row.pieces:
        return float(row.progress)
    done = row.pieces - row.pending_children
    return float(min(99, row.progress + (100 - row.progress) * done // row.pieces))


def error_of(row: Row[Any]) -> tuple[str | None, str | None]:
    """Return code and text of what went wrong last, while that is how it stands."""
    if row.state == JobState.CANCELLED:
        return "cancelled", CANCELLED
    if row.state not in (JobState.FAILED, JobState.QUEUED):
        return None, None
    return row.error_code, row.error_detail or row.error_code


def _job(row: Row[Any], logs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    code, message = error_of(row)
    return {
        "id": str(row.id),
        "project_id": row.project_id,
        "job_type": JOB_TYPES[row.kind],
        "status": views.job_status(row.state),
        "progress": progress_of(row),
        "attempts": row.attempt,
        "max_attempts": row.max_attempts,
        "retry_delay_seconds": row.retry_delay_seconds or 0.0,
        "payload": {k: v for k, v in row.payload.items() if k not in _OURS},
        "result": row.result or {},
        "error_message": message,
        "error_code": code,
        "logs": list(logs),
        "created_at": views.timestamp(row.created_at),
        "updated_at": views.timestamp(row.updated_at),
    }


def _logs(session: Session, job_ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    query = select(JobLog).where(JobLog.job_id.in_(job_ids)).order_by(JobLog.id)
    found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for line in session.scalars(query):
        found[line.job_id].append(
            {
                "timestamp": views.timestamp(line.at),
                "level": line.level,
                "message": line.message,
                "details": line.details,
            }
        )
    return found
