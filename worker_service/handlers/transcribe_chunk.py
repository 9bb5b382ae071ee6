"""Recognise one piece of a recording."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from common import budget, ledger, tracing
from common.deps import Deps
from common.jobs import TranscriptionChunk
from common.media.flac import length_ms
from common.providers import catalog
from common.providers.speech import Heard, Speech
from common.spending import set_aside
from common.transcript import Segment
from worker_service.work import Work


def run(work: Work[TranscriptionChunk]) -> None:
    """Save what is heard in the piece.

    Safe to run twice: an answer that was saved is not asked for again.
    """
    recognize_once(work.payload, work.deps, work.lease.job_id)
    with work.finish({"number": work.payload.number}):
        pass


def recognize_once(piece: TranscriptionChunk, deps: Deps, job_id: UUID) -> None:
    """Have the piece recognised unless it was before, by whatever job.

    The answer is saved the moment it arrives; no transaction is open meanwhile.
    """
    speech = deps.speech(piece.provider, piece.model)
    if remembered(piece, deps):
        return
    with deps.storage.read(piece.object_key) as stream:
        flac = stream.read()  # bounded: the planner cut it to the provider's limit
    seconds = (length_ms(flac) or speech.limits.max_chunk_ms) / 1000
    most = catalog.speech_estimate(speech.engine, seconds=seconds)
    span = tracing.span("speech.recognize", "client", provider=piece.provider)
    with set_aside(deps, most) as held, span:
        heard = speech.recognize(flac, language=piece.language, prompt=piece.prompt)
    remember(piece, deps, job_id, heard, held)


def remembered(piece: TranscriptionChunk, deps: Deps) -> bool:
    """Tell whether the piece's answer is saved."""
    key = result_key(piece, deps.speech(piece.provider, piece.model))
    with deps.db.begin() as session:
        return ledger.recall(session, key) is not None


def remember(
    piece: TranscriptionChunk,
    deps: Deps,
    job_id: UUID,
    heard: Heard,
    held: UUID | None = None,
) -> None:
    """Save the piece's answer and what it used; ``held`` was set aside for it."""
    speech = deps.speech(piece.provider, piece.model)
    with deps.db.begin() as session:
        save(session, piece, speech, Answer(job_id, heard, held))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a job has heard, and what was set aside for that."""

    job_id: UUID
    heard: Heard
    held: UUID | None


def save(
    session: Session, piece: TranscriptionChunk, speech: Speech, answer: Answer
) -> None:
    """Save the piece's answer in the caller's transaction."""
    key, document = result_key(piece, speech), _document(answer.heard)
    job_id, usage = answer.job_id, answer.heard.usage
    ledger.record(session, key, document, usage=usage, job_id=job_id)
    budget.settle(session, answer.held, usage.cost_usd_micros)
    if piece.afresh:  # from now on it is everybody's answer
        usual = result_key(piece.model_copy(update={"afresh": None}), speech)
        ledger.supersede(session, usual, document, job_id=job_id)


def result_key(piece: TranscriptionChunk, speech: Speech) -> str:
    """Return the key of the piece's answer: the sound itself and who listens how.

    What is asked for afresh has an answer of its own, for all tries of that job.
    """
    wishes = {"prompt": piece.prompt, "afresh": piece.afresh}
    return ledger.key(
        need="speech",
        sha256=piece.sha256,
        provider=speech.engine.provider,
        model=speech.engine.model,
        language=piece.language,
        **{name: wish for name, wish in wishes.items() if wish},
    )


def heard_segments(document: Mapping[str, Any]) -> list[Segment]:
    """Return the segments of a saved answer; times count from the piece's start."""
    return [
        Segment(**{**segment, "flags": tuple(segment["flags"])})
        for segment in document["segments"]
    ]


def _document(heard: Heard) -> dict[str, Any]:
    return {
        "language": heard.language,
        "segments": [asdict(segment) for segment in heard.segments],
    }
