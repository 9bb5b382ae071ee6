"""Notes without a text: who writes them, and about which moment of the video."""

import re
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.orm import Session

from common import events, jobs
from common.jobs import AiNote
from common.models import Note, User
from common.settings import Settings

# What a whole class may have noted by the time that a transcript comes; beyond it
# somebody is making a paid model work.
_MOST_WAITING = 200
_PLACE = re.compile(r"(?:(\d{1,3}):)?(\d{1,4}):(\d{1,2})")


class Waiting(Protocol):
    """A note that waits to be written."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def video_id(self) -> str:
        """Whose moment it is about."""

    @property
    def user_id(self) -> int:
        """Whose it is."""

    @property
    def timestamp(self) -> str:
        """The moment, as its client wrote it."""


def moment_ms(timestamp: str) -> int | None:
    """Return the moment that ``1:23`` or ``1:02:03`` names, None if it names none."""
    found = _PLACE.fullmatch(timestamp.strip())
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def ask_for_note(session: Session, settings: Settings, note: Waiting) -> list[UUID]:
    """Have a note written whose video has a transcript and whose owner wants that.

    By a job of ours, which is returned, or by whoever listens to our events.
    """
    return _ask(session, settings, [note])


def ask_for_waiting(session: Session, settings: Settings, video_id: str) -> list[UUID]:
    """Have all notes of a locked video written that wait for its transcript."""
    waiting = session.execute(
        select(Note.id, Note.video_id, Note.user_id, Note.timestamp)
        .join(User, User.id == Note.user_id)
        .where(Note.video_id == video_id, Note.text.is_(None), User.ai_notes_enabled)
        .order_by(Note.id)
    ).all()
    _refuse(session, waiting[_MOST_WAITING:])
    return _ask(session, settings, waiting[:_MOST_WAITING])


def _ask(session: Session, settings: Settings, notes: Iterable[Waiting]) -> list[UUID]:
    if settings.ai_notes == "events":
        told = [
            events.NoteWaiting(
                id=note.id,
                video_id=note.video_id,
                timestamp=note.timestamp,
                user_id=note.user_id,
            )
            for note in notes
        ]
        events.emit(session, *told)
        return []
    asked = [AiNote(note_id=n.id, provider=settings.llm_provider) for n in notes]
    return [jobs.enqueue(session, payload)[0] for payload in asked]


def _refuse(session: Session, notes: Iterable[Row[int, str, int, str]]) -> None:
    if ids := [note.id for note in notes]:
        session.execute(
            update(Note).where(Note.id.in_(ids)).values(ai_error="too_many_waiting")
        )
