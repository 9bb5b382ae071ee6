"""What a model is shown of a recording: all of it, or what speaks of the question."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Text, Uuid, bindparam, text
from sqlalchemy.orm import Session

from common.providers.llm.briefing import tokens
from common.talk import Source
from common.text.search import words_of
from common.transcript import Segment
from common.transcripts import segments_of

_HITS = 24  # passages; with their neighbours some ten minutes of speech
_AROUND = 2  # segments before and after one that was found: a thought is several
_SAMPLE = 80  # segments from everywhere, where nothing speaks of the question
_LINE_TOKENS = 8  # a time, its brackets and the line break
_LETTERS_PER_TOKEN = 4  # at most, in bytes: then it is worth counting exactly

_SIZE = text("""
select coalesce(sum(octet_length(text)), 0) from transcript_segments
 where recording_id = :recording
""")

# Any word of the question counts, in the words of each language that is spoken here.
_FOUND = text("""
with asked as (
  select cast(string_agg(nullif(replace(
           cast(plainto_tsquery(cast(w as regconfig), :question) as text),
           ' & ', ' | '), ''), ' | ') as tsquery) as query
    from unnest(:words) w),
hits as (
  select s.recording_id, s.number, ts_rank(s.search, query) as rank
    from asked, transcript_segments s
   where s.recording_id = any(:recordings) and s.search @@ query
   order by rank desc, s.recording_id, s.number limit :hits)
select distinct on (s.recording_id, s.number) s.recording_id, s.number, s.start_ms,
       s.end_ms, s.text, s.page, h.rank
  from hits h join transcript_segments s on s.recording_id = h.recording_id
   and s.number between h.number - :around and h.number + :around
 order by s.recording_id, s.number, h.rank desc
""").bindparams(
    bindparam("recordings", type_=ARRAY(Uuid)), bindparam("words", type_=ARRAY(Text))
)

_SPREAD = text("""
select recording_id, number, start_ms, end_ms, text, page, 0.0 as rank
  from (select s.*, count(*) over () as total,
               row_number() over (order by recording_id, number) as place
          from transcript_segments s where recording_id = any(:recordings)) s
 where mod(place - 1, greatest(total / :sample, 1)) = 0
 order by recording_id, number limit :sample
""").bindparams(bindparam("recordings", type_=ARRAY(Uuid)))


@dataclass(frozen=True, slots=True)
class Subject:
    """A recording that is spoken about, and what it is called."""

    id: str
    title: str
    recording_id: UUID
    language: str


def sources(
    session: Session, subjects: Sequence[Subject], question: str, room: int | None
) -> list[Source]:
    """Return what was said, as far as a model with this much room needs it.

    Args:
        session: that only reads.
        subjects: one, or all of a course.
        question: decides what is shown where not all is.
        room: in tokens; None for any amount.
    """
    if len(subjects) == 1 and (whole := _whole(session, subjects[0], room)):
        return [whole]
    recordings = [subject.recording_id for subject in subjects]
    words = sorted({words_of(subject.language) for subject in subjects})
    asked = {"words": words, "question": question, "hits": _HITS, "around": _AROUND}
    rows = session.execute(_FOUND, {"recordings": recordings} | asked).all()
    if not rows:
        sample = {"recordings": recordings, "sample": _SAMPLE}
        rows = session.execute(_SPREAD, sample).all()
    return list(_grouped(subjects, _within(rows, room)))


def _whole(session: Session, subject: Subject, room: int | None) -> Source | None:
    """Return all that was said if it fits."""
    recording = {"recording": subject.recording_id}
    if room is not None:
        size = session.execute(_SIZE, recording).scalar_one()
        if size > room * _LETTERS_PER_TOKEN:
            return None
    segments = segments_of(session, subject.recording_id)
    if room is not None and sum(_size(s.text) for s in segments) > room:
        return None
    return Source(subject.id, subject.title, subject.language, segments)


def _within(
    rows: Sequence[Row[*tuple[Any, ...]]], room: int | None
) -> list[Row[*tuple[Any, ...]]]:
    """Return the best of the rows that fit, in their order."""
    if room is None:
        return list(rows)
    kept = set()
    for row in sorted(rows, key=lambda one: -one.rank):
        if (size := _size(row.text)) <= room:
            room -= size
            kept.add((row.recording_id, row.number))
    return [row for row in rows if (row.recording_id, row.number) in kept]


def _grouped(
    subjects: Sequence[Subject], rows: Sequence[Row[*tuple[Any, ...]]]
) -> Iterator[Source]:
    named = {subject.recording_id: subject for subject in subjects}
    for recording_id, group in groupby(rows, key=lambda row: row.recording_id):
        subject = named[recording_id]
        segments = tuple(
            Segment(row.start_ms, row.end_ms, row.text, page=row.page) for row in group
        )
        yield Source(subject.id, subject.title, subject.language, segments, whole=False)


def _size(said: str) -> int:
    return tokens(said) + _LINE_TOKENS
