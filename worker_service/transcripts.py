"""From recognised pieces to the one transcript of a recording, stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from io import BytesIO
from typing import Any

from sqlalchemy import select

from common import object_keys, objects, transcripts
from common.errors import Conflict
from common.jobs import Recognition, TranscriptionChunk
from common.media.pcm import RATE
from common.models import ProviderResult
from common.transcript import Gap, Segment, Transcript
from worker_service.handlers.transcribe_chunk import heard_segments, result_key
from worker_service.homes import Home
from worker_service.work import Work

_NOW = timedelta(0)


def assemble(
    work: Work[Recognition],
    plan: Mapping[str, Any],
    pieces: Sequence[TranscriptionChunk],
    failures: Mapping[int, str],
) -> Transcript:
    """Join what was heard in each piece by its exact place in the recording.

    What was given up becomes a gap with its reason; silence is neither.
    """
    speech = work.deps.speech(work.payload.provider, work.payload.model)
    keys = {p.number: result_key(p, speech) for p in pieces if p.number not in failures}
    answers = _answers(work, list(keys.values()))
    segments: list[Segment] = []
    language = work.payload.language
    for number, key in keys.items():
        start, end, _ = plan["pieces"][number]
        segments += _placed(heard_segments(answers[key]), _ms(start), _ms(end))
        language = answers[key]["language"]
    gaps = tuple(
        Gap(_ms(plan["pieces"][n][0]), _ms(plan["pieces"][n][1]), failures[n])
        for n in sorted(failures)
    )
    total = _ms(plan["total_samples"])
    lost = sum(gap.end_ms - gap.start_ms for gap in gaps)
    return Transcript(
        tuple(segments), language, speech.engine, total, total - lost, gaps
    )


def publish(
    work: Work[Recognition],
    home: Home,
    plan: Mapping[str, Any],
    transcript: Transcript,
) -> None:
    """Store the document, then end the job and write the rows in one transaction."""
    key, recording_id = home.key, work.payload.recording_id
    with work.deps.db.begin() as session:
        objects.doom(session, [key], after=objects.GRACE)
    document = {**home.named, **_document(plan["created_at"], transcript)}
    work.deps.storage.write(key, BytesIO(json.dumps(document).encode()))

    done = [object_keys.piece(work.lease.job_id, n) for n in range(len(plan["pieces"]))]
    result = home.result(plan, transcript)
    with work.finish(result, said=home.said(result)) as session:
        home.settle(session)
        transcripts.replace(session, recording_id, work.lease.job_id, key, transcript)
        objects.doom(session, done, after=_NOW)
        objects.spare(session, [key])
        home.tell(session, result, transcript)


def _answers(work: Work[Recognition], keys: list[str]) -> dict[str, dict[str, Any]]:
    query = select(ProviderResult.key, ProviderResult.document).where(
        ProviderResult.key.in_(keys)
    )
    with work.deps.db.begin() as session:
        found = {row.key: row.document for row in session.execute(query)}
    if len(found) < len(set(keys)):  # they are kept for some days, see common.ledger
        raise Conflict(
            "What was heard is not kept any more; ask for the transcript again.",
            code="answers_expired",
        )
    return found


def _placed(segments: Sequence[Segment], start_ms: int, end_ms: int) -> list[Segment]:
    """Move segments to the piece's place; none may leave it or overtake another."""
    placed = []
    floor = start_ms
    for segment in segments:
        begin = min(max(start_ms + segment.start_ms, floor), end_ms)
        floor = min(max(start_ms + segment.end_ms, begin), end_ms)
        placed.append(
            Segment(begin, floor, segment.text, segment.flags, segment.confidence)
        )
    return placed


def _document(created_at: str, transcript: Transcript) -> dict[str, Any]:
    """Return the stored form; seconds, as its readers have always had it."""
    return {
        "createdAt": created_at,
        "language": transcript.language,
        "text": transcript.text,
        "segments": [_segment(segment) for segment in transcript.segments],
        "engine": asdict(transcript.engine),
        "coverage": {
            "totalSec": transcript.total_ms / 1000,
            "heardSec": transcript.heard_ms / 1000,
        },
        "gaps": [
            {
                "startSec": gap.start_ms / 1000,
                "endSec": gap.end_ms / 1000,
                "reason": gap.reason,
            }
            for gap in transcript.gaps
        ],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    document: dict[str, Any] = {
        "startSec": segment.start_ms / 1000,
        "endSec": segment.end_ms / 1000,
        "text": segment.text,
    }
    if segment.confidence is not None:
        document["confidence"] = round(segment.confidence, 3)
    if segment.page is not None:
        document["page"] = segment.page
    if segment.flags:
        document["flags"] = list(segment.flags)
    return document


def _ms(samples: int) -> int:
    return round(samples * 1000 / RATE)
