"""Videos and notes, as VidWiz clients see them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from sqlalchemy import ColumnElement, ScalarSelect, Select, exists, select

from api_service.errors import InvalidRequest
from api_service.routes.v2.schemas import moment
from common import videos
from common.models import Note, TranscriptRecord, Video

HEARD: ColumnElement[bool] = (
    exists().where(TranscriptRecord.recording_id == Video.recording_id).correlate(Video)
)
"""Whether the video of the row has a transcript."""


class VideoRead(BaseModel):
    """A video. ``*_error`` says why something will not come; null: it may."""

    id: int
    video_id: str
    title: str | None
    metadata: dict[str, Any] | None
    transcript_available: bool
    summary: str | None
    suggested_questions: list[str] | None
    created_at: str
    updated_at: str
    transcript_error: str | None
    metadata_error: str | None


class NoteRead(BaseModel):
    """A note. ``ai_error`` says why it will not be written; null: it may."""

    id: int
    video_id: str
    timestamp: str
    text: str | None
    generated_by_ai: bool
    created_at: str
    updated_at: str
    user_id: int
    ai_error: str | None


def all_videos() -> Select[Video, bool]:
    """Return the query whose rows ``video`` shows."""
    return select(Video, HEARD.label("heard"))


def video(found: Video, *, heard: bool, title: str | None = None) -> dict[str, Any]:
    """Return a video; ``title`` is the caller's own, while there is no other."""
    return {
        "id": found.id,
        "video_id": found.video_id,
        "title": found.title or title,
        "metadata": found.about,
        "transcript_available": heard,
        "summary": found.summary,
        "suggested_questions": found.suggested_questions,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
        "transcript_error": found.transcript_error,
        "metadata_error": found.metadata_error,
    }


def note(found: Note) -> dict[str, Any]:
    """Return a note."""
    return {
        "id": found.id,
        "video_id": found.video_id,
        "timestamp": found.timestamp,
        "text": found.text,
        "generated_by_ai": found.generated_by_ai,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
        "user_id": found.user_id,
        "ai_error": found.ai_error,
    }


def own_title(user_id: int | None) -> ScalarSelect[str | None]:
    """Return what the video of the row was called when this person noted it first.

    What a client calls a video is shown to nobody else: it could say anything.
    """
    return (
        select(Note.video_title)
        .where(
            Note.user_id == user_id,
            Note.video_id == Video.video_id,
            Note.video_title.is_not(None),
        )
        .order_by(Note.id)
        .limit(1)
        .correlate(Video)
        .scalar_subquery()
    )


def path_video_id(text: str) -> str:
    """Return the id of the video that a path names, be it by an address.

    Raises:
        InvalidRequest: it names none.
    """
    try:
        return videos.video_id(_address(text))
    except ValueError as exc:
        problem: Mapping[str, Any] = {
            "type": "value_error",
            "loc": ["path", "video_id"],
            "msg": f"Value error, {exc}",
        }
        raise InvalidRequest([dict(problem)]) from None


def _address(text: str) -> str:
    """Mend what servers on the way make of an address: they join its two slashes."""
    for scheme in ("https:/", "http:/"):
        if text.startswith(scheme) and not text.startswith(f"{scheme}/"):
            return f"{scheme}/{text.removeprefix(scheme)}"
    return text
