"""Lectures: what there is, and how far it has come."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import Integer, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from api_service import progress, views
from api_service.context import deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people.callers import caller
from api_service.people.owners import visible, visible_to
from api_service.routes.schemas import LectureRow, Links, Overall, PresetName, Stages
from api_service.views import STAGE_JOB, StageJob
from common.errors import BadRequest, NotFound
from common.jobs.payloads import lecture_subject
from common.models import Artifact, Export, Job, Lecture
from common.presets import find

bp = Blueprint("lectures", __name__, url_prefix="/lectures")

# Built once: building them took a quarter of the time of a request.
_ONE = views.lectures().where(
    Lecture.id == bindparam("lecture_id"),
    visible_to(Lecture, bindparam("user_id", type_=Integer)),
)
_NEWEST_JOBS = (
    select(*STAGE_JOB)
    .ext(distinct_on(Job.kind))
    .where(Job.subject == bindparam("subject"))
    .order_by(Job.kind, Job.created_at.desc(), Job.id.desc())
)
_ARTIFACTS = select(
    literal("artifact").label("what"), Artifact.artifact_type.label("name")
).where(Artifact.lecture_id == bindparam("lecture_id"))
_EXPORTS = select(literal("export"), Export.export_type).where(
    Export.lecture_id == bindparam("lecture_id")
)
_MADE = _ARTIFACTS.union_all(_EXPORTS).order_by("what", "name")


class LecturesQuery(PageQuery):
    """Filters of the listing."""

    course_id: str | None = None
    status: str | None = None
    preset_id: PresetName | None = None


class Lectures(BaseModel):
    """A page of lectures."""

    lectures: list[LectureRow]
    pagination: Pagination


class Progress(BaseModel):
    """How far one lecture has come."""

    lectureId: str
    lectureStatus: str
    overallStatus: Overall
    stageCount: int
    completedStageCount: int
    progressPercent: int
    currentStage: str
    hasFailedStage: bool
    stages: Stages
    links: Links


class SummaryLinks(Links):
    """Where the rest is found, exports included."""

    exports: str


class LectureSummary(BaseModel):
    """One lecture at a glance."""

    lecture: LectureRow
    artifactCount: int
    exportCount: int
    artifactTypes: list[str]
    exportTypes: list[str]
    overallStatus: Overall
    progressPercent: int
    currentStage: str
    hasFailedStage: bool
    stages: Stages
    links: SummaryLinks


@bp.get("")
@describes(query=LecturesQuery, gives=Lectures, errors=(400,))
def index() -> ResponseReturnValue:
    """List lectures, newest first."""
    wanted = query(LecturesQuery)
    filters = _filters(wanted)
    rows = (
        views.lectures()
        .where(*filters)
        .order_by(Lecture.created_at.desc(), Lecture.id.desc())
        .limit(wanted.limit)
        .offset(wanted.offset)
    )
    with reading() as session:
        found = session.execute(rows).all()
        total = session.scalar(select(func.count(Lecture.id)).where(*filters)) or 0
    return {
        "lectures": [views.lecture(row, deps().storage) for row in found],
        "pagination": pagination(wanted, count=len(found), total=total),
    }


@bp.get("/<lecture_id>")
@describes(gives=LectureRow, errors=(404,))
def get(lecture_id: str) -> ResponseReturnValue:
    """Return one lecture."""
    with reading() as session:
        return views.lecture(_lecture(session, lecture_id), deps().storage)


@bp.get("/<lecture_id>/progress")
@describes(gives=Progress, errors=(404,))
def get_progress(lecture_id: str) -> ResponseReturnValue:
    """Return how far one lecture has come."""
    with reading() as session:
        found = _lecture(session, lecture_id).Lecture
        newest = _newest_jobs(session, lecture_id)
    return progress.lecture_progress(lecture_id, found.status, newest)


@bp.get("/<lecture_id>/summary")
@describes(gives=LectureSummary, errors=(404,))
def summary(lecture_id: str) -> ResponseReturnValue:
    """Return one lecture at a glance: its state and what was made of it."""
    with reading() as session:
        row = _lecture(session, lecture_id)
        newest = _newest_jobs(session, lecture_id)
        made = session.execute(_MADE, {"lecture_id": lecture_id}).all()
    artifacts = [one.name for one in made if one.what == "artifact"]
    exports = [one.name for one in made if one.what == "export"]
    stages = progress.stages(newest)
    return {
        "lecture": views.lecture(row, deps().storage),
        "artifactCount": len(artifacts),
        "exportCount": len(exports),
        "artifactTypes": artifacts,
        "exportTypes": exports,
        **progress.roll_up(stages),
        "stages": stages,
        "links": {
            **progress.links(lecture_id),
            "exports": f"/exports/{lecture_id}/{{export_type}}",
        },
    }


def preset_filter(preset_id: str | None) -> str | None:
    """Return the canonical id of the preset that a request names, if it names one.

    Raises:
        BadRequest: there is no such preset.
    """
    if preset_id is None:
        return None
    preset = find(preset_id)
    if preset is None:
        raise BadRequest("Invalid preset_id.", code="invalid_preset")
    return preset.id


def _filters(wanted: LecturesQuery) -> list[Any]:
    filters: list[Any] = [visible(Lecture)]
    if wanted.course_id is not None:
        filters.append(Lecture.course_id == wanted.course_id)
    if wanted.status is not None:
        filters.append(Lecture.status == wanted.status)
    if (preset_id := preset_filter(wanted.preset_id)) is not None:
        filters.append(Lecture.preset_id == preset_id)
    return filters


def _lecture(session: Session, lecture_id: str) -> views.LectureRow:
    values = {"lecture_id": lecture_id, "user_id": caller().user_id}
    row = session.execute(_ONE, values).first()
    if row is None:
        raise NotFound("Lecture not found.")
    return row


def _newest_jobs(session: Session, lecture_id: str) -> dict[str, StageJob]:
    """Return the newest job of each kind; one statement whatever the number of jobs."""
    subject = {"subject": lecture_subject(lecture_id)}
    return {row.kind: StageJob(*row) for row in session.execute(_NEWEST_JOBS, subject)}
