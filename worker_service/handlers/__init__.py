"""What the worker can do. A new job type is a module here and an entry below."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from common import events, videos
from common.jobs import (
    AiNote,
    AssetTranscription,
    Export,
    Generation,
    Ingest,
    Payload,
    Rescued,
    SceneDetection,
    TimelineExport,
    Transcription,
    TranscriptionChunk,
    VideoMetadata,
    VideoSummary,
    VideoTranscript,
)
from common.models import Job, JobState
from worker_service.handlers import (
    export,
    find_scenes,
    generate,
    ingest,
    render_timeline,
    summarise_video,
    transcribe,
    transcribe_asset,
    transcribe_chunk,
    write_note,
)
from worker_service.work import Work

log = logging.getLogger(__name__)

P = TypeVar("P", bound=Payload)


def _nothing(_session: Session, _payload: Payload) -> None:
    """Leave everything as it is: the job's own row tells that it failed."""


@dataclass(frozen=True, slots=True)
class Handler(Generic[P]):
    """A payload type, the function that serves it, and what its final failure changes.

    ``failed`` runs in the transaction in which the job becomes failed.
    """

    payload: type[P]
    run: Callable[[Work[P]], None]
    failed: Callable[[Session, P], None] = _nothing


_ALL: tuple[Handler[Any], ...] = (
    Handler(Transcription, transcribe.run, transcribe.failed),
    Handler(TranscriptionChunk, transcribe_chunk.run),
    Handler(Ingest, ingest.run, ingest.failed),
    Handler(AssetTranscription, transcribe_asset.run),
    Handler(SceneDetection, find_scenes.run),
    Handler(Generation, generate.run),
    Handler(Export, export.run),
    Handler(TimelineExport, render_timeline.run),
    Handler(VideoSummary, summarise_video.run),
    Handler(AiNote, write_note.run, write_note.failed),
)
HANDLERS: dict[str, Handler[Any]] = {h.payload.kind: h for h in _ALL}

# Jobs that helpers outside do: of these only the end is ours.
ENDINGS: dict[str, tuple[type[Payload], Callable[[Session, Any], None]]] = {
    **{kind: (handler.payload, handler.failed) for kind, handler in HANDLERS.items()},
    VideoMetadata.kind: (VideoMetadata, videos.failed),
    VideoTranscript.kind: (VideoTranscript, videos.failed),
}


def after_failure(
    session: Session, job_id: UUID, kind: str, payload: Mapping[str, Any]
) -> None:
    """Do for a job that has failed for good what its handler asks for, and tell."""
    _change(session, kind, payload)
    _tell(session, [job_id])


def fail_rescued(session: Session, rescued: Iterable[Rescued]) -> None:
    """Do the same for those rescued jobs that are not tried again."""
    failed = [job for job in rescued if job.state == JobState.FAILED]
    for job in failed:
        _log_failure(job)
        _change(session, job.kind, job.payload)
    _tell(session, [job.job_id for job in failed])


def _log_failure(job: Rescued) -> None:
    """Have those who watch the logs see it: no run of the job is there to say so."""
    about = {"job_id": str(job.job_id), "job_type": job.kind}
    log.info("job.updated", extra={"job_type": job.kind, **about, "status": job.state})
    if job.error_code == "poison_pill":
        log.error("job.poison", extra=about)


def _change(session: Session, kind: str, payload: Mapping[str, Any]) -> None:
    """Do what the handler asks for.

    A job that this version cannot read has still failed, and must not keep others
    from being rescued: nothing more is done for it.
    """
    if kind not in ENDINGS:
        log.error("no handler for a failed job", extra={"job_type": kind})
        return
    form, end = ENDINGS[kind]
    try:
        parsed = form.model_validate(payload)
    except ValidationError:
        log.exception("unreadable payload of a failed job", extra={"job_type": kind})
        return
    end(session, parsed)


def _tell(session: Session, job_ids: list[UUID]) -> None:
    """Emit the failures of lectures' jobs; a piece's is its transcription's matter."""
    lecture_id = Job.payload["lecture_id"].as_string()
    query = (
        select(Job.id, Job.kind, Job.error_code, Job.attempt, lecture_id)
        .where(Job.id.in_(job_ids), lecture_id.is_not(None))
        .order_by(Job.id)
    )
    failures = [
        events.JobFailed(
            job_id=row[0],
            kind=row[1],
            error_code=row[2] or "unknown",
            attempts=row[3],
            lecture_id=row[4],
        )
        for row in session.execute(query)
    ]
    events.emit(session, *failures)
