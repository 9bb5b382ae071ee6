"""Exports of a project: its jobs of that type, for clients that know no other."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, RootModel
from sqlalchemy import Select
from sqlalchemy.orm import Session

from api_service.context import body, deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery
from api_service.routes.projects import schemas
from api_service.routes.projects.jobs import JobIn, ask
from api_service.routes.projects.schemas import ProjectJob
from common import jobs
from common.errors import Conflict, NotFound
from common.jobs import TimelineExport
from common.models import Job

bp = Blueprint("project_exports", __name__, url_prefix="/projects")

_PAGE = 100  # with their logs a hundred kilobytes


class ExportIn(BaseModel):
    """A timeline, as in the payload of an ``export`` job."""

    model_config = ConfigDict(extra="allow")


class Exports(RootModel[list[ProjectJob]]):
    """Exports, newest first."""


@bp.post("/<project_id>/exports")
@describes(body=ExportIn, gives=ProjectJob, status=201, errors=(400, 404, 409, 429))
def create(project_id: str) -> ResponseReturnValue:
    """Have films made of the project's clips; the same as a job of type ``export``."""
    timeline = body(ExportIn).model_dump(mode="json")
    return ask(project_id, JobIn(job_type="export", payload=timeline))


@bp.get("/<project_id>/exports")
@describes(query=PageQuery, gives=Exports)
def index(project_id: str) -> ResponseReturnValue:
    """List the project's exports with their results, newest first; at most 100."""
    page = query(PageQuery)
    found = (
        _ours(project_id)
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(min(_PAGE if page.limit is None else page.limit, _PAGE))
        .offset(page.offset)
    )
    with reading() as session:
        return schemas.jobs(session, found)


@bp.get("/<project_id>/exports/<job_id>")
@describes(gives=ProjectJob, errors=(404,))
def get(project_id: str, job_id: str) -> ResponseReturnValue:
    """Return one export: its progress, and its films once it is done."""
    with reading() as session:
        return _export(session, project_id, _uuid(job_id))


@bp.post("/<project_id>/exports/<job_id>/cancel")
@describes(gives=ProjectJob, errors=(404,))
def cancel(project_id: str, job_id: str) -> ResponseReturnValue:
    """Have an export stopped; what it had made goes. One that has ended stays."""
    with deps().db.begin() as session:
        _export(session, project_id, _uuid(job_id))
        jobs.cancel(session, _uuid(job_id))
        return _export(session, project_id, _uuid(job_id))


@bp.post("/<project_id>/exports/<job_id>/retry")
@describes(gives=ProjectJob, status=201, errors=(400, 404, 409, 429))
def retry(project_id: str, job_id: str) -> ResponseReturnValue:
    """Ask once more for what failed or was cancelled: another export does it.

    409 for one that is not over yet, or has succeeded.
    """
    with reading() as session:
        found = _export(session, project_id, _uuid(job_id))
    if found["status"] != "failed":
        raise Conflict("Only an export that has failed can be tried again.")
    again = JobIn(
        job_type="export",
        payload=found["payload"],
        max_attempts=found["max_attempts"],
        retry_delay_seconds=found["retry_delay_seconds"],
    )
    return ask(project_id, again)


def _ours(project_id: str) -> Select[Any]:
    return schemas.job_query().where(
        Job.project_id == project_id, Job.kind == TimelineExport.kind
    )


def _export(session: Session, project_id: str, job_id: UUID) -> dict[str, Any]:
    found = schemas.jobs(session, _ours(project_id).where(Job.id == job_id))
    if not found:
        raise NotFound("Export not found")
    return found[0]


def _uuid(job_id: str) -> UUID:
    try:
        return UUID(job_id)
    except ValueError:
        raise NotFound("Export not found") from None
