"""Videos: those that a person has noted something about, and how far each one is."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, Subquery, exists, func, or_, select
from sqlalchemy.orm import Session

from api_service.context import query, reading
from api_service.live.streams import sse, streams, watcher
from api_service.openapi import describes
from api_service.people.callers import Caller, caller
from api_service.routes.v2.views import (
    HEARD,
    VideoRead,
    all_videos,
    own_title,
    path_video_id,
    video,
)
from common.errors import BadRequest, NotFound
from common.models import Conversation, Note, Video

bp = Blueprint("v2_videos", __name__, url_prefix="/v2/videos")

Sort = Literal["created_at_desc", "created_at_asc", "title_asc", "title_desc"]

STREAM_SECONDS = 60.0
# A page opens the stream of a video and asks for its conversation at the same time.
PATIENCE_SECONDS = 3.0
_LOOK_SECONDS = 0.25
_SHORTEST_SEARCH = 2
_MOST = 2**31 - 1
_READY = ("metadata", "transcript_available", "summary")


class VideosQuery(BaseModel):
    """A page of the listing, and what its titles must contain."""

    q: Annotated[str, Field(max_length=200)] = ""
    page: Annotated[int, Field(ge=1, le=_MOST)] = 1
    per_page: Annotated[int, Field(ge=1, le=50)] = 10
    sort: Annotated[str, Field(json_schema_extra={"enum": list(get_args(Sort))})] = (
        "created_at_desc"
    )


class VideoRow(BaseModel):
    """One video of the listing."""

    video_id: str
    title: str | None
    metadata: dict[str, Any] | None


class Videos(BaseModel):
    """A page of the videos that the caller has notes about."""

    videos: list[VideoRow]
    total: int
    page: int
    per_page: int
    total_pages: int


@bp.get("")
@describes(query=VideosQuery, gives=Videos, errors=(400,))
def index() -> ResponseReturnValue:
    """List the videos that the caller has notes about, by when the first was made."""
    wanted = query(VideosQuery)
    found = _noted(caller().user_id, wanted.q.strip())
    rows = (
        select(found)
        .order_by(_order(found, wanted.sort), found.c.id)
        .limit(wanted.per_page)
        .offset((wanted.page - 1) * wanted.per_page)
    )
    with reading() as session:
        page = session.execute(rows).all()
        total = session.scalar(select(func.count()).select_from(found)) or 0
    return {
        "videos": [
            {"video_id": row.video_id, "title": row.title, "metadata": row.about}
            for row in page
        ],
        "total": total,
        "page": wanted.page,
        "per_page": wanted.per_page,
        "total_pages": -(-total // wanted.per_page),
    }


@bp.get("/<path:video_id>", merge_slashes=False)
@describes(gives=VideoRead, errors=(404, 422))
def get(video_id: str) -> ResponseReturnValue:
    """Return a video that the caller has a note or a conversation about."""
    with reading() as session:
        row = session.execute(_seen_by(caller(), path_video_id(video_id))).first()
    if row is None:
        raise NotFound("Video not found")
    return video(row.Video, heard=row.heard, title=row.own)


@bp.get("/<path:video_id>/stream", merge_slashes=False)
@describes(gives="text/event-stream", errors=(404, 422))
def stream(video_id: str) -> ResponseReturnValue:
    """Tell how a video becomes ready: snapshot, update, done; for up to a minute.

    The caller has a note or a conversation about it, or begins one at this moment.
    """
    id_ = path_video_id(video_id)
    give_back = streams().take_place()  # who waits takes a thread, too
    try:
        title = _own_title(caller(), id_)
    finally:
        give_back()
    news = watcher(_look, _stamps).watch(id_, seconds=STREAM_SECONDS)
    return sse(_frames(news, title))


def _noted(user_id: int | None, text: str) -> Subquery:
    """Return the videos with a note of this person, and a title that has the text."""
    noted = (
        select(Note.video_id, func.min(Note.created_at).label("since"))
        .where(Note.user_id == user_id)
        .group_by(Note.video_id)
        .subquery()
    )
    title = func.coalesce(Video.title, own_title(user_id))
    found = select(
        Video.id, Video.video_id, title.label("title"), Video.about, noted.c.since
    ).join(noted, noted.c.video_id == Video.video_id)
    if len(text) >= _SHORTEST_SEARCH:
        found = found.where(title.icontains(text, autoescape=True))
    return found.subquery()


def _order(found: Subquery, sort: str) -> ColumnElement[Any]:
    """Return what the listing is ordered by; videos without a title come last."""
    name, _, direction = sort.rpartition("_")
    if sort not in get_args(Sort):
        raise BadRequest("Invalid sort parameter")
    by = found.c.since if name == "created_at" else func.lower(found.c.title)
    return (by.desc() if direction == "desc" else by.asc()).nulls_last()


def _seen_by(who: Caller, video_id: str) -> Select[Video, bool, str | None]:
    """Return the query for a video, if the caller has to do with it."""
    noted = exists().where(Note.user_id == who.user_id, Note.video_id == Video.video_id)
    owner = (
        Conversation.guest == who.guest
        if who.user_id is None
        else Conversation.user_id == who.user_id
    )
    talked = exists().where(owner, Conversation.video_id == Video.video_id)
    return (
        all_videos()
        .add_columns(own_title(who.user_id).label("own"))
        .where(Video.video_id == video_id, or_(noted, talked))
    )


def _own_title(who: Caller, video_id: str) -> str | None:
    """Return what the caller calls a video, as soon as the caller has to do with it.

    Raises:
        NotFound: some seconds later it still has not.
    """
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        with reading() as session:
            row = session.execute(_seen_by(who, video_id)).first()
        if row is not None:
            title: str | None = row.own
            return title
        if time.monotonic() > ends:
            raise NotFound("Video not found")
        time.sleep(_LOOK_SECONDS)


def _look(session: Session, ids: Collection[str]) -> Mapping[str, dict[str, Any]]:
    rows = session.execute(all_videos().where(Video.video_id.in_(ids)))
    return {row.Video.video_id: video(row.Video, heard=row.heard) for row in rows}


def _stamps(session: Session, ids: Collection[str]) -> Mapping[str, object]:
    """Return what changes with a video: metadata would be a lot to read each time."""
    query_ = select(Video.video_id, Video.updated_at, HEARD.label("heard"))
    rows = session.execute(query_.where(Video.video_id.in_(ids)))
    return {row.video_id: (row.updated_at, row.heard) for row in rows}


def _frames(news: Iterator[dict[str, Any] | None], title: str | None) -> Iterator[str]:
    """Yield what clients are told; a comment now and then keeps the line open."""
    told: list[object] = []
    for found in news:
        if found is None:
            yield ":\n\n"
            continue
        shown = {**found, "title": found["title"] or title}
        there = [bool(found[name]) for name in _READY]
        state = [*there, found["transcript_error"], found["metadata_error"]]
        if state != told:  # a title alone is no news
            yield _frame("update" if told else "snapshot", shown)
            told = state
        if all(there):
            yield _frame("done", shown)
            return


def _frame(event: str, shown: Mapping[str, Any]) -> str:
    data = json.dumps({"event": event, "video": shown})
    return f"event: {event}\ndata: {data}\n\n"
