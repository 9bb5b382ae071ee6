"""Recognise one piece of a recording."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from common import ledger
from common.deps import Deps
from common.jobs import TranscriptionChunk
from common.providers.speech import Heard, Speech
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
    key = result_key(piece, speech)
    with deps.db.begin() as session:
        if ledger.recall(session, key) is not None:
            return
    with deps.storage.read(piece.object_key) as stream:
        flac = stream.read()  # bounded: the planner cut it to the provider's limit
    heard = speech.recognize(flac, language=piece.language)
    with deps.db.begin() as session:
        ledger.record(session, key, _document(heard), usage=heard.usage, job_id=job_id)


def result_key(piece: TranscriptionChunk, speech: Speech) -> str:
    """Return the key of the piece's answer: the sound itself and who listens how."""
    return ledger.key(
        need="speech",
        sha256=piece.sha256,
        provider=speech.engine.provider,
        model=speech.engine.model,
        language=piece.language,
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
