"""Deleting lectures and courses, and the evidence of it."""

from dataclasses import replace
from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from api_service import views
from api_service.context import deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people.actors import deletion_order
from api_service.people.owners import may_see, visible
from api_service.routes.schemas import EntityType
from common import deletions, threads
from common.deletions import Deleted, Order
from common.errors import BadRequest, Conflict, NotFound
from common.models import Course, DeletionEvent, Lecture

bp = Blueprint("deletions", __name__)

_ENTITIES = ("lecture", "course", "asset", "project")


class DeleteQuery(BaseModel):
    """Whether the stored files go as well."""

    purge_storage: bool = True


class Counts(BaseModel):
    """What went with a lecture."""

    artifacts: int
    exports: int
    jobs: int
    lectures: int
    threadsUpdated: int
    storagePaths: int
    metadataRemoved: bool


class LectureDeleted(BaseModel):
    """A lecture is gone."""

    lectureId: str
    deleted: Counts
    auditEventId: str


class CourseDeleted(BaseModel):
    """A course and all its lectures are gone."""

    courseId: str
    courseDeleted: bool
    lecturesDeleted: int
    lectureDeletions: list[LectureDeleted]
    auditEventId: str


class AuditQuery(PageQuery):
    """Filters of the evidence."""

    entity_type: EntityType | None = None
    entity_id: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 100


class AuditEvent(BaseModel):
    """One deletion."""

    id: str
    entity_type: str
    entity_id: str
    actor: str
    request_id: str | None
    purge_storage: bool
    result: dict[str, Any]
    created_at: str


class AuditFilters(BaseModel):
    """The filters that were applied."""

    entityType: str | None
    entityId: str | None


class Audit(BaseModel):
    """A page of the evidence."""

    events: list[AuditEvent]
    filters: AuditFilters
    pagination: Pagination


@bp.delete("/lectures/<lecture_id>")
@describes(query=DeleteQuery, gives=LectureDeleted, errors=(404,))
def delete_lecture(lecture_id: str) -> ResponseReturnValue:
    """Delete a lecture with its jobs, study material and, unless kept, its files.

    Rows go at once; files are removed by a clean-up that is sure to happen.
    """
    order = _order()
    with deps().db.begin() as session:
        threads.lock(session, lecture_id)
        lecture = session.get(Lecture, lecture_id, with_for_update=True)
        if lecture is None or not may_see(lecture.owner_id):
            raise NotFound("Lecture not found.")
        deleted = deletions.delete_lecture(session, lecture, order)
        return _told(session, lecture_id, deleted, order)


@bp.delete("/courses/<course_id>")
@describes(query=DeleteQuery, gives=CourseDeleted, errors=(404, 409))
def delete_course(course_id: str) -> ResponseReturnValue:
    """Delete a course with all its lectures, in one transaction.

    409 if people have lectures in it that the caller may not see.
    """
    order = _order()
    with deps().db.begin() as session:
        course = session.get(Course, course_id, with_for_update=True)
        if course is None or not may_see(course.owner_id):
            raise NotFound("Course not found.")
        _require_no_others(session, course_id)
        gone = [
            _told(session, lecture_id, deleted, order)
            for lecture_id, deleted in deletions.delete_course(
                session, course_id, order
            ).items()
        ]
        result: dict[str, object] = {"lecturesDeleted": len(gone)}
        whose = replace(order, owner_id=course.owner_id)
        event = deletions.record(session, "course", course_id, whose, result)
    return {
        "courseId": course_id,
        "courseDeleted": True,
        "lecturesDeleted": len(gone),
        "lectureDeletions": gone,
        "auditEventId": event,
    }


@bp.get("/ops/deletion-audit")
@describes(query=AuditQuery, gives=Audit, errors=(400, 401, 403))
def audit() -> ResponseReturnValue:
    """List deletions, newest first."""
    wanted = query(AuditQuery)
    filters = [visible(DeletionEvent)]
    if wanted.entity_type is not None:
        if wanted.entity_type not in _ENTITIES:
            raise BadRequest("entity_type must be one of: lecture, course.")
        filters.append(DeletionEvent.entity_type == wanted.entity_type)
    if wanted.entity_id is not None:
        filters.append(DeletionEvent.entity_id == wanted.entity_id)
    rows = (
        select(DeletionEvent)
        .where(*filters)
        .order_by(DeletionEvent.created_at.desc(), DeletionEvent.id.desc())
        .limit(wanted.limit)
        .offset(wanted.offset)
    )
    with reading() as session:
        found = session.scalars(rows).all()
        count = select(func.count(DeletionEvent.id)).where(*filters)
        total = session.scalar(count) or 0
    return {
        "events": [_shown(event) for event in found],
        "filters": {"entityType": wanted.entity_type, "entityId": wanted.entity_id},
        "pagination": pagination(wanted, count=len(found), total=total),
    }


def _require_no_others(session: Session, course_id: str) -> None:
    others = exists().where(Lecture.course_id == course_id, ~visible(Lecture))
    if session.scalar(select(others)):
        raise Conflict("The course holds lectures of other people.")


def _told(
    session: Session, lecture_id: str, deleted: Deleted, order: Order
) -> dict[str, Any]:
    """Write the evidence of one lecture; return what clients are told."""
    shown = deleted.shown()
    whose = replace(order, owner_id=deleted.owner_id)
    event = deletions.record(session, "lecture", lecture_id, whose, shown)
    return {"lectureId": lecture_id, "deleted": shown, "auditEventId": event}


def _order() -> Order:
    return deletion_order(purge_storage=query(DeleteQuery).purge_storage)


def _shown(event: DeletionEvent) -> dict[str, Any]:
    return {
        "id": str(event.id),
        "entity_type": event.entity_type,
        "entity_id": event.entity_id,
        "actor": event.actor,
        "request_id": event.request_id,
        "purge_storage": event.purge_storage,
        "result": event.result,
        "created_at": views.timestamp(event.created_at),
    }
