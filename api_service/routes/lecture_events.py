"""How far a lecture has come, told while it goes."""

from collections.abc import Collection

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import progress, views
from api_service.context import reading
from api_service.live import streams
from api_service.live.state_streams import State, tell
from api_service.openapi import describes
from api_service.people.owners import visible
from common.errors import NotFound
from common.models import Lecture

bp = Blueprint("lecture_events", __name__, url_prefix="/lectures")


@bp.get("/<lecture_id>/events")
@describes(gives="text/event-stream", errors=(404,))
def events(lecture_id: str) -> ResponseReturnValue:
    """Tell how far a lecture comes: an event for each state, until all or one failed.

    The data is the lecture's progress as ``GET …/progress`` shows it. A browser asks
    again when a stream has ended: who has seen the end (``Last-Event-ID``) gets 204,
    which stops it.
    """
    mine = select(Lecture.id).where(Lecture.id == lecture_id, visible(Lecture))
    with reading() as session:
        present = session.scalar(mine) and _look(session, [lecture_id]).get(lecture_id)
    if not present:
        raise NotFound("Lecture not found.")
    states = streams.watcher(_look).watch(lecture_id, streams.LONGEST_SECONDS)
    return tell(present, states, _is_last)


def _is_last(told: State) -> bool:
    return told["overallStatus"] in {"completed", "failed"}


def _look(session: Session, lecture_ids: Collection[str]) -> dict[str, State]:
    query = select(Lecture.id, Lecture.status).where(Lecture.id.in_(lecture_ids))
    statuses = {row.id: row.status for row in session.execute(query)}
    newest = views.newest_jobs(session, statuses)
    return {
        id_: progress.lecture_progress(id_, status, newest.get(id_, {}))
        for id_, status in statuses.items()
    }
