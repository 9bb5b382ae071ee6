"""Notes: what people write about one moment of a video, or have written."""

from typing import Annotated
from uuid import UUID

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, Field, RootModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service.context import body, deps, reading
from api_service.openapi import describes
from api_service.people.callers import caller
from api_service.routes.v2.schemas import Strict, Told, path_id
from api_service.routes.v2.views import NoteRead, note, path_video_id
from common import jobs, videos
from common.errors import BadRequest, NotFound
from common.models import Note, User

bp = Blueprint("v2_notes", __name__, url_prefix="/v2")

# What the extension sends where it finds no title.
_NO_TITLE = "No YouTube video title found."
_TWO = 2  # digits of a moment


def _moment(value: str) -> str:
    if ":" not in value:
        raise ValueError("timestamp must contain at least one ':'")
    if sum(letter.isdigit() for letter in value) < _TWO:
        raise ValueError("timestamp must contain at least two numbers")
    return value


def _title(value: str | None) -> str | None:
    clean = " ".join((value or "").split())
    return None if clean == _NO_TITLE else clean or None


def _blank_is_none(value: str | None) -> str | None:
    return (value or "").strip() or None


Moment = Annotated[str, Field(max_length=32), AfterValidator(_moment)]
NoteText = Annotated[str, Field(max_length=10_000)]  # some pages
Title = Annotated[str, Field(max_length=500)]


class NewNote(BaseModel):
    """A note on one moment. Without a text one may be written, see the account."""

    timestamp: Moment
    text: Annotated[NoteText | None, AfterValidator(_blank_is_none)] = None
    video_title: Annotated[Title | None, AfterValidator(_title)] = None


class ChangeNote(Strict):
    """What is null or missing stays as it is."""

    text: NoteText | None = None
    generated_by_ai: bool | None = None


class Notes(RootModel[list[NoteRead]]):
    """The caller's notes on one video."""


@bp.get("/videos/<path:video_id>/notes", merge_slashes=False)
@describes(gives=Notes, errors=(404, 422))
def of_video(video_id: str) -> ResponseReturnValue:
    """List the caller's notes on a video, oldest first; none if it is not known."""
    mine = (
        select(Note)
        .where(
            Note.user_id == caller().user_id,
            Note.video_id == path_video_id(video_id),
        )
        .order_by(Note.created_at, Note.id)
    )
    with reading() as session:
        return jsonify([note(found) for found in session.scalars(mine)])


@bp.post("/videos/<path:video_id>/notes", merge_slashes=False)
@describes(body=NewNote, gives=NoteRead, status=201, errors=(404,))
def create(video_id: str) -> ResponseReturnValue:
    """Write a note; the video is made known, and what it lacks is fetched."""
    id_ = path_video_id(video_id)
    sent = body(NewNote)
    with deps().db.begin() as session:
        video = videos.ensure(session, id_)
        heard = videos.fetch(session, video)
        made = Note(video_id=id_, user_id=caller().user_id, **sent.model_dump())
        session.add(made)
        session.flush()
        asked = _have_written(session, made) if heard and made.text is None else []
    if asked:
        jobs.drain(deps().db, deps().queue.send, job_ids=asked)
    return note(made), 201


@bp.patch("/notes/<note_id>")
@describes(body=ChangeNote, gives=NoteRead, errors=(400, 404))
def change(note_id: str) -> ResponseReturnValue:
    """Change the caller's note; a text is stored as it was sent."""
    with deps().db.begin() as session:
        found = _own(session, note_id)
        changes = body(ChangeNote).model_dump(exclude_none=True)
        if not changes:
            raise BadRequest("No fields provided for update")
        for name, value in changes.items():
            setattr(found, name, value)
        session.flush()
        session.refresh(found)
    return note(found)


@bp.delete("/notes/<note_id>")
@describes(gives=Told, errors=(404, 422))
def remove(note_id: str) -> ResponseReturnValue:
    """Delete the caller's note; the video stays."""
    with deps().db.begin() as session:
        session.delete(_own(session, note_id))
    return {"message": "Note deleted successfully"}


def _own(session: Session, note_id: str) -> Note:
    """Return the caller's note, locked."""
    mine = select(Note).where(
        Note.id == path_id("note_id", note_id), Note.user_id == caller().user_id
    )
    found = session.scalars(mine.with_for_update()).first()
    if found is None:
        raise NotFound("Note not found")
    return found


def _have_written(session: Session, made: Note) -> list[UUID]:
    """Have a note written if its owner wants that; return the jobs to be sent."""
    wanted = select(User.ai_notes_enabled).where(User.id == made.user_id)
    if not session.scalar(wanted):
        return []
    return videos.ask_for_note(session, deps().settings, made)
