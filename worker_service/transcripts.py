"""From recognised pieces to the one transcript of a recording, stored and indexed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from common import events, object_keys, objects
from common.errors import Conflict
from common.jobs import Transcription, TranscriptionChunk
from common.media.pcm import RATE
from common.models import (
    Lecture,
    LectureStatus,
    ProviderResult,
    Recording,
    SegmentRecord,
    TranscriptRecord,
)
from common.transcript import Gap, Segment, Transcript
from worker_service.handlers.transcribe_chunk import heard_segments, result_key
from worker_service.work import Work

_NOW = timedelta(0)


def assemble(
    work: Work[Transcription],
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
    work: Work[Transcription], plan: Mapping[str, Any], transcript: Transcript
) -> None:
    """Store the document, then end the job and write the rows in one transaction."""
    lecture_id = work.payload.lecture_id
    key = object_keys.transcript(lecture_id, work.lease.run)
    with work.deps.db.begin() as session:
        objects.doom(session, [key], after=objects.GRACE)
    document = _document(lecture_id, plan["created_at"], transcript)
    work.deps.storage.write(key, BytesIO(json.dumps(document).encode()))

    recording_id = work.payload.recording_id
    done = [object_keys.piece(work.lease.job_id, n) for n in range(len(plan["pieces"]))]
    result = {"lectureId": lecture_id, "transcriptPath": work.deps.storage.uri(key)}
    with work.finish(result) as session:
        _require_current(session, lecture_id, recording_id)
        _replace(session, recording_id, work.lease.job_id, key, transcript)
        objects.doom(session, done, after=_NOW)
        objects.spare(session, [key])
        events.emit(session, _news(work, transcript))


def segments_of(session: Session, recording_id: UUID) -> tuple[Segment, ...]:
    """Return the segments of a recording's current transcript, in order."""
    rows = session.scalars(
        select(SegmentRecord)
        .where(SegmentRecord.recording_id == recording_id)
        .order_by(SegmentRecord.number)
    )
    return tuple(
        Segment(
            row.start_ms,
            row.end_ms,
            row.text,
            tuple(row.flags),
            row.confidence,
            row.page,
        )
        for row in rows
    )


def _answers(work: Work[Transcription], keys: list[str]) -> dict[str, dict[str, Any]]:
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


def _document(
    lecture_id: str, created_at: str, transcript: Transcript
) -> dict[str, Any]:
    """Return the stored form; seconds, as its readers have always had it."""
    return {
        "lectureId": lecture_id,
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


def _news(
    work: Work[Transcription], transcript: Transcript
) -> events.LectureTranscribed:
    return events.LectureTranscribed(
        lecture_id=work.payload.lecture_id,
        recording_id=work.payload.recording_id,
        job_id=work.lease.job_id,
        language=transcript.language,
        provider=transcript.engine.provider,
        model=transcript.engine.model,
        total_ms=transcript.total_ms,
        heard_ms=transcript.heard_ms,
        segments=len(transcript.segments),
        gaps=len(transcript.gaps),
    )


def _require_current(session: Session, lecture_id: str, recording_id: UUID) -> None:
    """Lock the lecture, and refuse the transcript of a recording it no longer has."""
    current = session.scalar(
        select(Lecture.recording_id).where(Lecture.id == lecture_id).with_for_update()
    )
    if current != recording_id:
        raise Conflict(
            "The recording was replaced while it was transcribed.",
            code="recording_replaced",
        )
    session.execute(
        update(Lecture)
        .where(Lecture.id == lecture_id)
        .values(status=LectureStatus.TRANSCRIBED)
    )


def _replace(
    session: Session, recording_id: UUID, job_id: UUID, key: str, transcript: Transcript
) -> None:
    """Put this transcript in the place of the one before, if there was one."""
    earlier = session.scalars(
        delete(TranscriptRecord)
        .where(TranscriptRecord.recording_id == recording_id)
        .returning(TranscriptRecord.object_key)
    )
    objects.doom(session, list(earlier), after=_NOW)
    session.execute(
        insert(TranscriptRecord).values(
            recording_id=recording_id,
            job_id=job_id,
            object_key=key,
            language=transcript.language,
            provider=transcript.engine.provider,
            model=transcript.engine.model,
            total_ms=transcript.total_ms,
            heard_ms=transcript.heard_ms,
            gaps=[asdict(gap) for gap in transcript.gaps],
        )
    )
    if transcript.segments:
        session.execute(insert(SegmentRecord), _rows(recording_id, transcript))
    session.execute(
        update(Recording)
        .where(Recording.id == recording_id)
        .values(duration_ms=transcript.total_ms)
    )


def _rows(recording_id: UUID, transcript: Transcript) -> list[dict[str, Any]]:
    return [
        {
            "recording_id": recording_id,
            "number": number,
            "start_ms": segment.start_ms,
            "end_ms": segment.end_ms,
            "text": segment.text,
            "flags": list(segment.flags),
            "confidence": segment.confidence,
            "page": segment.page,
        }
        for number, segment in enumerate(transcript.segments)
    ]


def _ms(samples: int) -> int:
    return round(samples * 1000 / RATE)
