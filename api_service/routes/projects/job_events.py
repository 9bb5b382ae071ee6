"""How a project's job goes, told while it goes: event streams and WebSockets."""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api_service import cors
from api_service.auth import Forbidden
from api_service.context import deps, reading
from api_service.live import streams
from api_service.live.sockets import websocket
from api_service.live.state_streams import State, States, tell, text, until_last
from api_service.live.watchers import IDLE_SECONDS
from api_service.openapi import describes
from api_service.routes.projects import schemas
from common.errors import NotFound
from common.models import Job, JobLog

bp = Blueprint("project_job_events", __name__, url_prefix="/projects")

_TICK_SECONDS = 1.0  # how late a WebSocket's client is heard


@bp.get("/<project_id>/jobs/<job_id>/events")
@describes(gives="text/event-stream", errors=(404,))
def events(project_id: str, job_id: str) -> ResponseReturnValue:
    """Tell how a job goes: an event for each state, without a name, until it ends.

    The data is the job as ``GET …/jobs/{job_id}`` shows it. A browser asks again when
    a stream has ended: who has seen the end (``Last-Event-ID``) gets 204, which stops
    it. The same path opens a WebSocket with envelopes of type ``job_update``, and
    ``…/jobs/{job_id}/ws`` one that sends the job as it is.
    """
    present = _job(project_id, job_id)
    return tell(present, _watch(present, IDLE_SECONDS), _is_last)


@bp.get("/<project_id>/jobs/<job_id>/events", websocket=True)
def events_socket(project_id: str, job_id: str) -> ResponseReturnValue:
    """Tell the same over a WebSocket, each state in an envelope with its type."""
    return _socket(project_id, job_id, lambda job: {"type": "job_update", "data": job})


@bp.get("/<project_id>/jobs/<job_id>/ws", websocket=True)
def socket(project_id: str, job_id: str) -> ResponseReturnValue:
    """Tell the same over a WebSocket, each state as it is."""
    return _socket(project_id, job_id, lambda job: job)


def _socket(
    project_id: str, job_id: str, envelope: Callable[[State], State]
) -> Response:
    """Open a WebSocket, or refuse it as this family's clients know it: by 403."""
    if not _is_known_page(request.headers.get("Origin")):
        raise Forbidden("This page may not ask.")
    try:
        present = _job(project_id, job_id)
    except NotFound as exc:
        raise Forbidden(str(exc)) from exc
    states = until_last(_watch(present, _TICK_SECONDS), _is_last)
    return websocket(_messages(states, envelope))


def _watch(present: State, idle_seconds: float) -> States:
    watcher = streams.watcher(_look, _stamps)
    return watcher.watch(UUID(present["id"]), streams.LONGEST_SECONDS, idle_seconds)


def _is_last(job: State) -> bool:
    return job["status"] in {"completed", "failed"}


def _messages(
    states: States, envelope: Callable[[State], State]
) -> Iterator[str | None]:
    with closing(states):
        for job in states:
            yield None if job is None else text(envelope(job))


def _is_known_page(origin: str | None) -> bool:
    """Tell whether a page of this origin may ask; who is no page may.

    Browsers let every page open WebSockets anywhere: only we can look.
    """
    settings = deps().settings
    known = cors.listed(settings.cors_origins) | cors.listed(settings.project_origins)
    known = known - {"*"} | {request.host_url.rstrip("/")}
    return origin is None or origin in known


def _job(project_id: str, job_id: str) -> State:
    with reading() as session:
        query = schemas.job_query().where(
            Job.id == _uuid(job_id), Job.project_id == project_id
        )
        found = schemas.jobs(session, query)
    if not found:
        raise NotFound("Job not found")
    return found[0]


def _uuid(job_id: str) -> UUID:
    try:
        return UUID(job_id)
    except ValueError:
        raise NotFound("Job not found") from None


def _look(session: Session, job_ids: Collection[UUID]) -> dict[UUID, State]:
    query = schemas.job_query().where(Job.id.in_(job_ids))
    return {UUID(job["id"]): job for job in schemas.jobs(session, query)}


def _stamps(session: Session, job_ids: Collection[UUID]) -> dict[UUID, Any]:
    """Return when each job changed last, and the last line of its log."""
    last_line = (
        select(func.max(JobLog.id)).where(JobLog.job_id == Job.id).scalar_subquery()
    )
    query = select(Job.id, Job.updated_at, last_line).where(Job.id.in_(job_ids))
    return {row[0]: (row[1], row[2]) for row in session.execute(query)}
