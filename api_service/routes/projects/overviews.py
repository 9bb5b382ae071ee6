"""Projects at a glance. They are there because they have files; nobody makes them."""

from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, RootModel
from sqlalchemy import Row, text

from api_service import views
from api_service.context import query, reading
from api_service.openapi import describes
from api_service.routes.projects.schemas import (
    JOB_TYPES,
    AssetStatus,
    JobStatus,
    JobType,
    error_of,
    progress_of,
)
from common.errors import NotFound
from common.models import LIVE_STATES

bp = Blueprint("project_overviews", __name__, url_prefix="/projects")

_PAGE = 200
# The newest file and the newest job of each project are one step in an index.
_OVERVIEWS = """
select p.project_id, p.files, p.size_bytes,
       greatest(p.updated_at, j.updated_at) as changed_at,
       a.id as asset_id, a.filename, a.original_filename, a.asset_bytes, a.status,
       a.asset_updated_at, a.has_picture,
       j.id as job_id, j.kind, j.state, j.progress, j.updated_at as job_updated_at,
       j.error_code, j.error_detail, j.pending_children, j.pieces
  from (select project_id, count(*) filter (where category = 'source') as files,
               sum(size_bytes) as size_bytes, max(updated_at) as updated_at
          from assets {only} group by project_id) p
  left join lateral (
        select s.id, s.filename, s.original_filename, s.size_bytes as asset_bytes,
               s.status, s.updated_at as asset_updated_at,
               exists (select 1 from thumbnails t
                        where t.asset_id = s.id and t.clip_index = -1) as has_picture
          from assets s where s.project_id = p.project_id and s.category = 'source'
         order by s.created_at desc, s.id desc limit 1) a on true
  left join lateral (
        select id, kind, state, progress, updated_at, error_code, error_detail,
               pending_children, (checkpoint ->> 'fanned_out')::int as pieces
          from jobs where project_id = p.project_id and parent_id is null
         order by created_at desc, id desc limit 1) j on true
 order by changed_at desc, p.project_id
 limit :limit offset :offset
"""
_ALL = text(_OVERVIEWS.format(only=""))
_ONE = text(_OVERVIEWS.format(only="where project_id = :project_id"))


class LatestAsset(BaseModel):
    """The newest uploaded file."""

    asset_id: UUID
    filename: str
    original_filename: str
    size_bytes: int
    status: AssetStatus
    updated_at: str


class LatestJob(BaseModel):
    """The newest job."""

    id: UUID
    job_type: JobType
    status: JobStatus
    progress: float
    updated_at: str
    error_message: str | None


class Overview(BaseModel):
    """One project. ``asset_count`` is of what was uploaded, not of what was made."""

    project_id: str
    display_name: str
    status: Literal["ready", "processing", "failed"]
    updated_at: str
    asset_count: int
    total_size_bytes: int
    job_progress: float
    thumbnail_url: str | None
    latest_asset: LatestAsset | None
    latest_job: LatestJob | None


class Overviews(RootModel[list[Overview]]):
    """Projects, what changed last first."""


class OverviewsQuery(BaseModel):
    """Which part of the listing."""

    limit: Annotated[int, Field(ge=0, le=_PAGE)] = _PAGE
    offset: Annotated[int, Field(ge=0, le=2**31)] = 0


@bp.get("")
@describes(query=OverviewsQuery, gives=Overviews)
def index() -> ResponseReturnValue:
    """List projects, what changed last first; at most 200."""
    page = query(OverviewsQuery)
    with reading() as session:
        return [_shown(row) for row in session.execute(_ALL, page.model_dump())]


@bp.get("/<project_id>")
@describes(gives=Overview, errors=(404,))
def get(project_id: str) -> ResponseReturnValue:
    """Return one project; there is none of this name as long as it has no file."""
    values = {"project_id": project_id, "limit": 1, "offset": 0}
    with reading() as session:
        row = session.execute(_ONE, values).first()
    if row is None:
        raise NotFound("Project not found")
    return _shown(row)


def _shown(row: Row[Any]) -> dict[str, Any]:
    job = _job(row)
    return {
        "project_id": row.project_id,
        "display_name": row.project_id,
        "status": _status(row),
        "updated_at": views.timestamp(row.changed_at),
        "asset_count": row.files,
        "total_size_bytes": int(row.size_bytes),
        "job_progress": job["progress"] if job else 0.0,
        "thumbnail_url": _picture(row),
        "latest_asset": _asset(row),
        "latest_job": job,
    }


def _status(row: Row[Any]) -> str:
    """Return how the newest job stands, or else the newest file."""
    if row.state in LIVE_STATES:
        return "processing"
    failed = row.state == "failed" or row.status == "failed"
    return "failed" if failed else "ready"


def _picture(row: Row[Any]) -> str | None:
    if not row.has_picture:
        return None
    project = quote(row.project_id, safe="")
    return f"/projects/{project}/videos/{row.asset_id}/thumbnail"


def _asset(row: Row[Any]) -> dict[str, Any] | None:
    if row.asset_id is None:
        return None
    return {
        "asset_id": str(row.asset_id),
        "filename": row.filename,
        "original_filename": row.original_filename,
        "size_bytes": row.asset_bytes,
        "status": row.status,
        "updated_at": views.timestamp(row.asset_updated_at),
    }


def _job(row: Row[Any]) -> dict[str, Any] | None:
    if row.job_id is None:
        return None
    return {
        "id": str(row.job_id),
        "job_type": JOB_TYPES[row.kind],
        "status": views.job_status(row.state),
        "progress": progress_of(row),
        "updated_at": views.timestamp(row.job_updated_at),
        "error_message": error_of(row)[1],
    }
