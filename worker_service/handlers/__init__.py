"""What the worker can do. A new job type is a module here and an entry below."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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


def fail_rescued(session: Session, rescued: Iterable[Rescued]) -> None:
    """Do for rescued jobs that are not tried again what their handlers ask for."""
    for job in rescued:
        if job.state == JobState.FAILED:
            handler = HANDLERS[job.kind]
            handler.failed(session, handler.payload.model_validate(job.payload))
