"""Talks with Wiz: begun, listed and read. What is said in them: ``messages``."""

import math
from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, field_validator, model_validator
from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from api_service import rate_limits
from api_service.context import body, deps, query, reading
from api_service.openapi import describes
from api_service.people.callers import caller
from api_service.people.owners import visible
from api_service.routes.v2.schemas import Strict, moment, path_id
from common import videos
from common.errors import NotFound
from common.models import Asset, Conversation, Lecture, Message, Video

bp = Blueprint("v2_conversations", __name__, url_prefix="/v2/conversations")

_LONGEST_ID = 200  # of a lecture; clients choose them
_LAST_PAGE = 100_000  # whoever asks for more has no so many talks


class NewConversation(Strict):
    """What the talk is about: exactly one of these."""

    video_id: str | None = None
    lecture_id: Annotated[str, Field(min_length=1, max_length=_LONGEST_ID)] | None = (
        None
    )
    asset_id: UUID | None = None

    @field_validator("video_id", mode="after")
    @classmethod
    def _video_is_named(cls, value: str | None) -> str | None:
        return None if value is None else videos.video_id(value)

    @field_validator("lecture_id", mode="after")
    @classmethod
    def _postgresql_can_hold_it(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:
            raise ValueError("lecture_id must be without NUL")
        return value

    @model_validator(mode="after")
    def _one_subject(self) -> "NewConversation":
        named = (self.video_id, self.lecture_id, self.asset_id)
        if sum(name is not None for name in named) != 1:
            raise ValueError("exactly one of video_id, lecture_id, asset_id is needed")
        return self


class ConversationOut(BaseModel):
    """A talk. Clients of VidWiz know those about videos only."""

    id: int
    video_id: str | None
    created_at: str
    updated_at: str
    lecture_id: str | None = None
    asset_id: UUID | None = None


class ListQuery(BaseModel):
    """Which of the caller's talks to list."""

    page: Annotated[int, Field(ge=1, le=_LAST_PAGE)] = 1
    per_page: Annotated[int, Field(ge=1, le=50)] = 10
    video_id: Annotated[str, Field(max_length=2048)] | None = None
    lecture_id: Annotated[str, Field(max_length=_LONGEST_ID)] | None = None


class ListedConversation(ConversationOut):
    """A talk in a list."""

    title: str | None
    message_count: int


class ConversationList(BaseModel):
    """A page of talks, newest first."""

    conversations: list[ListedConversation]
    total: int
    page: int
    per_page: int
    total_pages: int


@bp.post("")
@describes(body=NewConversation, gives=ConversationOut, status=201, errors=(404, 429))
def create() -> ResponseReturnValue:
    """Begin a talk about a video, a lecture or a file of a project."""
    wanted = body(NewConversation)
    rate_limits.take(f"talks:{_who()}")
    with deps().db.begin() as session:
        if wanted.video_id is not None:
            videos.fetch(session, videos.ensure(session, wanted.video_id))
        else:
            _require(session, wanted)
        made = Conversation(
            user_id=caller().user_id,
            guest=caller().guest,
            video_id=wanted.video_id,
            lecture_id=wanted.lecture_id,
            asset_id=wanted.asset_id,
        )
        session.add(made)
        session.flush()
        session.refresh(made)
    return _shown(made), 201


@bp.get("")
@describes(query=ListQuery, gives=ConversationList)
def list_all() -> ResponseReturnValue:
    """Return the caller's talks, to be gone on with."""
    wanted = query(ListQuery)
    chosen = [owned(), readable()]
    if wanted.video_id is not None:
        chosen.append(Conversation.video_id == wanted.video_id)
    if wanted.lecture_id is not None:
        chosen.append(Conversation.lecture_id == wanted.lecture_id)
    with reading() as session:
        total = session.scalar(_joined(select(func.count())).where(*chosen)) or 0
        rows = session.execute(
            _joined(select(Conversation, _TITLE, _MESSAGES))
            .where(*chosen)
            .order_by(Conversation.created_at.desc(), Conversation.id.desc())
            .limit(wanted.per_page)
            .offset((wanted.page - 1) * wanted.per_page)
        ).all()
    return {
        "conversations": [_listed(row) for row in rows],
        "total": total,
        "page": wanted.page,
        "per_page": wanted.per_page,
        "total_pages": math.ceil(total / wanted.per_page),
    }


@bp.get("/<conversation_id>")
@describes(gives=ConversationOut, errors=(404, 422))
def get(conversation_id: str) -> ResponseReturnValue:
    """Return one of the caller's talks."""
    with reading() as session:
        return _shown(find(session, conversation_id))


def find(session: Session, conversation_id: str) -> Conversation:
    """Return a talk of the caller's.

    Raises:
        InvalidRequest: it cannot be one's number.
        NotFound: there is none, or it is somebody else's.
    """
    number = path_id("conversation_id", conversation_id)
    mine = _joined(select(Conversation)).where(Conversation.id == number, owned())
    found: Conversation | None = session.scalars(mine.where(readable())).first()
    if found is None:
        raise NotFound("Conversation not found")
    return found


def owned() -> ColumnElement[bool]:
    """Return what is true of the caller's talks: a person's or a guest's."""
    who = caller()
    if who.user_id is not None:
        return Conversation.user_id == who.user_id
    return Conversation.guest == who.guest


def readable() -> ColumnElement[bool]:
    """Return what is true of talks about what the caller may still see."""
    about_lecture = Conversation.lecture_id.is_(None) | visible(Lecture)
    if caller().user_id is None and deps().settings.read_api_token is not None:
        return Conversation.video_id.is_not(None)  # the rest is not for strangers
    return about_lecture


_TITLE = func.coalesce(Video.title, Lecture.title, Asset.original_filename)
_MESSAGES = (
    select(func.count())
    .where(Message.conversation_id == Conversation.id)
    .scalar_subquery()
)


def _joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(Conversation)
        .outerjoin(Video, Video.video_id == Conversation.video_id)
        .outerjoin(Lecture, Lecture.id == Conversation.lecture_id)
        .outerjoin(Asset, Asset.id == Conversation.asset_id)
    )


def _require(session: Session, wanted: NewConversation) -> None:
    """Refuse what does not exist, or is not for the caller; keep it until the end."""
    strangers = deps().settings.read_api_token is None
    if caller().user_id is None and not strangers:
        raise NotFound("Lecture not found" if wanted.lecture_id else "Asset not found")
    kept: Any = {"read": True, "key_share": True}  # nobody deletes it meanwhile
    if wanted.lecture_id is not None:
        about = select(Lecture.id).where(
            Lecture.id == wanted.lecture_id, visible(Lecture)
        )
        if session.scalar(about.with_for_update(**kept)) is None:
            raise NotFound("Lecture not found")
    else:
        about_asset = select(Asset.id).where(Asset.id == wanted.asset_id)
        if session.scalar(about_asset.with_for_update(**kept)) is None:
            raise NotFound("Asset not found")


def _who() -> str:
    user_id = caller().user_id
    return rate_limits.client_address() if user_id is None else f"user:{user_id}"


def _listed(row: Row[Conversation, str | None, int]) -> dict[str, Any]:
    conversation, title, messages = row
    return {**_shown(conversation), "title": title, "message_count": messages}


def _shown(conversation: Conversation) -> dict[str, Any]:
    """Return a talk as clients know it; what it is about beside videos is new."""
    shown: dict[str, Any] = {
        "id": conversation.id,
        "video_id": conversation.video_id,
        "created_at": moment(conversation.created_at),
        "updated_at": moment(conversation.updated_at),
    }
    if conversation.lecture_id is not None:
        shown["lecture_id"] = conversation.lecture_id
    if conversation.asset_id is not None:
        shown["asset_id"] = str(conversation.asset_id)
    return shown
