"""What the worker can do. A new job type is a module here and an entry below."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

from common.jobs import (
    Export,
    Generation,
    Payload,
    Rescued,
    Transcription,
    TranscriptionChunk,
)
from common.models import JobState
from worker_service.handlers import export, generate, transcribe, transcribe_chunk
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
    Handler(Generation, generate.run),
    Handler(Export, export.run),
)
HANDLERS: dict[str, Handler[Any]] = {h.payload.kind: h for h in _ALL}


def after_failure(session: Session, kind: str, payload: Mapping[str, Any]) -> None:
    """Do for a job that has failed for good what its handler asks for.

    A job that this version cannot read has still failed, and must not keep others
    from being rescued: nothing more is done for it.
    """
    handler = HANDLERS.get(kind)
    if handler is None:
        log.error("no handler for a failed job", extra={"job_type": kind})
        return
    try:
        parsed = handler.payload.model_validate(payload)
    except ValidationError:
        log.exception("unreadable payload of a failed job", extra={"job_type": kind})
        return
    handler.failed(session, parsed)


def fail_rescued(session: Session, rescued: Iterable[Rescued]) -> None:
    """Do the same for those rescued jobs that are not tried again."""
    for job in rescued:
        if job.state == JobState.FAILED:
            after_failure(session, job.kind, job.payload)
