"""What writers and helpers outside may read and write, whosever it is."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from api_service import brought
from api_service.brought import Language, Lines, Metadata
from api_service.context import body, deps, reading
from api_service.openapi import describes
from api_service.routes.v2.notes import ChangeNote
from api_service.routes.v2.schemas import path_id
from api_service.routes.v2.views import (
    NoteRead,
    VideoRead,
    all_videos,
    note,
    path_video_id,
    video,
)
from common import jobs, videos
from common.errors import InvalidInput, NotFound
from common.ids import new_id
from common.models import Note, User, Video

bp = Blueprint("v2_internal", __name__, url_prefix="/v2/internal")

_QUESTIONS = 3
_BLANK = or_(Note.text.is_(None), Note.text == "")


class AiNotes(BaseModel):
    """The notes of a video that wait to be written."""

    video_id: str
    notes: list[NoteRead]
    message: str


class NewTranscript(BaseModel):
    """Captions; ``offset`` and ``duration`` of a line are seconds."""

    transcript: Lines
    language: Language | None = None


class NewMetadata(BaseModel):
    """What is known of a video; ``title`` becomes its title."""

    metadata: Metadata


def _three_different(value: list[str] | None) -> list[str] | None:
    if value is None:
        return None
    texts = [brought.storable(text).strip() for text in value]
    if len(texts) != _QUESTIONS or len(set(texts)) != _QUESTIONS or not all(texts):
        raise ValueError("suggested_questions must be 3 different texts")
    return texts


class Miscellaneous(BaseModel):
    """What else a writer of summaries thought of."""

    suggested_questions: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=500)]] | None,
        AfterValidator(_three_different),
    ] = None


class NewSummary(BaseModel):
    """A summary; what is null or missing stays as it is."""

    summary: Annotated[str, Field(max_length=10_000)] | None = None
    miscellaneous_data: Miscellaneous | None = None


@bp.get("/videos/<path:video_id>/ai-notes", merge_slashes=False)
@describes(gives=AiNotes, errors=(404, 422))
def waiting_notes(video_id: str) -> ResponseReturnValue:
    """List a video's notes without a text whose owners want one, oldest first."""
    id_ = path_video_id(video_id)
    waiting = (
        select(Note)
        .join(User, User.id == Note.user_id)
        .where(Note.video_id == id_, _BLANK, User.ai_notes_enabled)
        .order_by(Note.created_at, Note.id)
    )
    with reading() as session:
        _require_video(session, id_)
        notes = session.scalars(waiting).all()
    if not notes:
        raise NotFound("No notes found for users with AI notes enabled")
    return {
        "video_id": id_,
        "notes": [note(found) for found in notes],
        "message": "Successfully retrieved notes for AI note generation.",
    }


@bp.get("/videos/<path:video_id>", merge_slashes=False)
@describes(gives=VideoRead, errors=(404, 422))
def get_video(video_id: str) -> ResponseReturnValue:
    """Return any video."""
    with reading() as session:
        return _shown(session, path_video_id(video_id))


@bp.post("/videos/<path:video_id>/transcript", merge_slashes=False)
@describes(body=NewTranscript, gives=VideoRead, errors=(404,))
def put_transcript(video_id: str) -> ResponseReturnValue:
    """Store a transcript that nobody asked for, in the place of an earlier one."""
    id_ = path_video_id(video_id)
    sent = body(NewTranscript, most_bytes=brought.MOST_BYTES)
    transcript = brought.heard(sent.transcript, sent.language)
    if not transcript.segments:
        raise InvalidInput("The transcript is empty", code="transcript_empty")
    key = brought.keep(id_, f"{new_id()}.1", sent.transcript)
    with deps().db.begin() as session:
        found = videos.ensure(session, id_)
        asked = brought.take(session, found, None, (key, transcript))
    return _after(id_, asked)


@bp.post("/videos/<path:video_id>/metadata", merge_slashes=False)
@describes(body=NewMetadata, gives=VideoRead, errors=(404,))
def put_metadata(video_id: str) -> ResponseReturnValue:
    """Store metadata in the place of what was there."""
    id_ = path_video_id(video_id)
    sent = body(NewMetadata)
    with deps().db.begin() as session:
        found = videos.ensure(session, id_)
        asked = videos.take_metadata(session, deps().settings, found, sent.metadata)
    return _after(id_, asked)


@bp.post("/videos/<path:video_id>/summary", merge_slashes=False)
@describes(body=NewSummary, gives=VideoRead, errors=(404,))
def put_summary(video_id: str) -> ResponseReturnValue:
    """Store a summary, and what could be asked about the video."""
    id_ = path_video_id(video_id)
    sent = body(NewSummary)
    summary = None if sent.summary is None else brought.storable(sent.summary)
    more = sent.miscellaneous_data or Miscellaneous()
    with deps().db.begin() as session:
        found = videos.ensure(session, id_)
        videos.take_summary(found, summary, more.suggested_questions)
    return _after(id_, [])


@bp.patch("/notes/<note_id>")
@describes(body=ChangeNote, gives=NoteRead, errors=(404,))
def write_note(note_id: str) -> ResponseReturnValue:
    """Give a note its text, unless somebody has written one: then that stays."""
    id_ = path_id("note_id", note_id)
    with reading() as session:
        if session.get(Note, id_) is None:
            raise NotFound("Note not found")
    sent = body(ChangeNote).model_dump(exclude_none=True)
    with deps().db.begin() as session:
        if sent:
            session.execute(
                update(Note)
                .where(Note.id == id_, _BLANK)
                .values(**sent, ai_error=None, updated_at=func.now())
            )
        found = session.get(Note, id_)
    if found is None:  # deleted meanwhile
        raise NotFound("Note not found")
    return note(found)


def _require_video(session: Session, video_id: str) -> None:
    known = select(Video.id).where(Video.video_id == video_id)
    if session.scalar(known) is None:
        raise NotFound("Video not found")


def _after(video_id: str, asked: list[Any]) -> dict[str, Any]:
    """Send the jobs that follow; return the video as it is now."""
    if asked:
        jobs.drain(deps().db, deps().queue.send, job_ids=asked, limit=len(asked))
    with reading() as session:
        return _shown(session, video_id)


def _shown(session: Session, video_id: str) -> dict[str, Any]:
    row = session.execute(all_videos().where(Video.video_id == video_id)).first()
    if row is None:
        raise NotFound("Video not found")
    return video(row.Video, heard=row.heard)
