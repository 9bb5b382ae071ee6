"""The one transcript of a recording: its rows, put in place and read."""

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session

from common import objects
from common.models import Recording, SegmentRecord, TranscriptRecord
from common.text.search import words_of
from common.transcript import Segment, Transcript

_NOW = timedelta(0)

# However many there are, they are one value: three hours of speech are 3,000 rows. A
# page of a book may be longer than a tsvector can be, so its first part is indexed.
_SAVE = text("""
insert into transcript_segments (recording_id, number, start_ms, end_ms, text, flags,
                                 confidence, page, search)
select :recording_id, number, start_ms, end_ms, text, flags, confidence, page,
       to_tsvector(cast(:words as regconfig), left(text, 100000))
  from jsonb_to_recordset(cast(:segments as jsonb))
    as said(number int, start_ms int, end_ms int, text text, flags text[],
            confidence float, page int)
""")


def replace(
    session: Session,
    recording_id: UUID,
    job_id: UUID | None,
    object_key: str,
    transcript: Transcript,
) -> None:
    """Put this transcript in the place of the one before, if there was one.

    Args:
        session: of an open transaction.
        recording_id: whose transcript it is.
        job_id: who made it; None if a helper sent it unasked.
        object_key: of the stored document; the one before is doomed.
        transcript: what was said.
    """
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
            object_key=object_key,
            language=transcript.language,
            provider=transcript.engine.provider,
            model=transcript.engine.model,
            total_ms=transcript.total_ms,
            heard_ms=transcript.heard_ms,
            gaps=[asdict(gap) for gap in transcript.gaps],
        )
    )
    save_segments(session, recording_id, transcript.language, transcript.segments)
    session.execute(
        update(Recording)
        .where(Recording.id == recording_id)
        .values(duration_ms=transcript.total_ms)
    )


def save_segments(
    session: Session, recording_id: UUID, language: str, segments: tuple[Segment, ...]
) -> None:
    """Write the rows of a new transcript, ready to be searched in its language."""
    rows = [_row(number, segment) for number, segment in enumerate(segments)]
    values = {
        "recording_id": recording_id,
        "words": words_of(language),
        "segments": json.dumps(rows),
    }
    if rows:
        session.execute(_SAVE, values)


def segments_of(session: Session, recording_id: UUID) -> tuple[Segment, ...]:
    """Return the segments of a recording's current transcript, in order."""
    rows = session.execute(
        select(  # columns only: whole rows take twice as long, and talks wait for them
            SegmentRecord.start_ms,
            SegmentRecord.end_ms,
            SegmentRecord.text,
            SegmentRecord.flags,
            SegmentRecord.confidence,
            SegmentRecord.page,
        )
        .where(SegmentRecord.recording_id == recording_id)
        .order_by(SegmentRecord.number)
    )
    return tuple(
        Segment(start_ms, end_ms, said, tuple(flags), confidence, page)
        for start_ms, end_ms, said, flags, confidence, page in rows
    )


def _row(number: int, segment: Segment) -> dict[str, Any]:
    return {"number": number, **asdict(segment)}
