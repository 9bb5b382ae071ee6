"""What people have made of a transcript: texts of its segments, whose times stay."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from common import transcripts
from common.models import SubtitleEdit
from common.transcript import Segment, digest

_RIGHT_TO_LEFT = {"R", "AL"}


@dataclass(frozen=True, slots=True)
class Subtitles:
    """The machine's segments, and the newest edit of each that was ever edited.

    ``version`` names what the machine had heard; edits belong to it.
    """

    version: str
    segments: tuple[Segment, ...]
    edits: Mapping[int, SubtitleEdit]

    @property
    def edited(self) -> tuple[Segment, ...]:
        """The segments with people's texts; one without text is not shown."""
        return tuple(
            segment if (text := self.text(n)) is None else replace(segment, text=text)
            for n, segment in enumerate(self.segments)
        )

    @property
    def changed_at(self) -> datetime | None:
        """When somebody edited it last."""
        return max((one.created_at for one in self.edits.values()), default=None)

    def text(self, number: int) -> str | None:
        """Return a person's text of a segment, None where the machine's counts."""
        edit = self.edits.get(number)
        return None if edit is None else edit.text


def read(
    session: Session, recording_id: UUID, *, until: int | None = None
) -> Subtitles:
    """Return the present subtitles of a recording; two statements.

    Args:
        session: any.
        recording_id: whose; it has a transcript.
        until: the id of the last edit that counts; None: the newest.
    """
    segments = transcripts.segments_of(session, recording_id)
    version = digest(segments)
    newest = (
        select(SubtitleEdit)
        .ext(distinct_on(SubtitleEdit.number))
        .where(
            SubtitleEdit.recording_id == recording_id, SubtitleEdit.version == version
        )
        .order_by(SubtitleEdit.number, SubtitleEdit.id.desc())
    )
    if until is not None:
        newest = newest.where(SubtitleEdit.id <= until)
    edits = {edit.number: edit for edit in session.scalars(newest)}
    return Subtitles(version, segments, edits)


def write(
    session: Session,
    recording_id: UUID,
    present: Subtitles,
    texts: Mapping[int, str | None],
    *,
    actor: str,
) -> int:
    """Give segments these texts, None for the machine's; return how many changed.

    A text that is the machine's own is no edit.
    """
    wanted = {
        number: None if text == present.segments[number].text else text
        for number, text in texts.items()
    }
    changed = {n: text for n, text in wanted.items() if text != present.text(n)}
    if changed:
        session.execute(
            insert(SubtitleEdit),
            [
                {
                    "recording_id": recording_id,
                    "version": present.version,
                    "number": number,
                    "text": text,
                    "actor": actor,
                }
                for number, text in sorted(changed.items())
            ],
        )
    return len(changed)


def direction(segments: Iterable[Segment]) -> Literal["ltr", "rtl"]:
    """Return how most of the text is read."""
    balance = sum(_leaning(segment.text) for segment in segments)
    return "rtl" if balance > 0 else "ltr"


def _leaning(text: str) -> int:
    kinds = [unicodedata.bidirectional(character) for character in text]
    right = sum(kind in _RIGHT_TO_LEFT for kind in kinds)
    return right - kinds.count("L")
