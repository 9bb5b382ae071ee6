"""Courses: their lectures, their threads, and how far they have come."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from api_service import progress, views
from api_service.context import body, deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people import owners
from api_service.people.callers import caller
from api_service.people.owners import visible
from api_service.routes.lectures import Progress, preset_filter
from api_service.routes.schemas import LectureRow, Overall, PresetName, StageStatus
from api_service.routes.threads import ThreadRow
from common.errors import NotFound
from common.ids import new_id
from common.models import Course, Lecture, Thread

bp = Blueprint("courses", __name__, url_prefix="/courses")

_BLANKS = (
    r"\u0009-\u000D\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
)
_NOT_BLANK = rf"^[^\u0000]*[^\u0000{_BLANKS}][^\u0000]*$"  # as the validator strips it


class CourseRow(BaseModel):
    """One course."""

    id: str
    title: str
    description: str | None
    created_at: str
    updated_at: str


class Courses(BaseModel):
    """A page of courses."""

    courses: list[CourseRow]
    pagination: Pagination


class CourseIn(BaseModel):
    """A new course; its id is ours to choose."""

    title: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
        Field(json_schema_extra={"pattern": _NOT_BLANK}),
    ]
    description: Annotated[str, Field(max_length=10_000)] | None = None


class CourseLecturesQuery(PageQuery):
    """Filters of the listing."""

    status: str | None = None
    preset_id: PresetName | None = None


class CourseLectures(BaseModel):
    """A page of a course's lectures."""

    courseId: str
    lectures: list[LectureRow]
    pagination: Pagination


class CourseThreads(BaseModel):
    """A page of a course's threads, and the titles of the lectures they name."""

    courseId: str
    threads: list[ThreadRow]
    lectureTitles: dict[str, str]
    pagination: Pagination


class CourseProgressQuery(BaseModel):
    """How much to return."""

    include_lectures: bool = True


class LectureProgress(Progress):
    """How far one lecture of the course has come."""

    stageStatuses: dict[str, StageStatus]


class CourseProgress(BaseModel):
    """How far a course has come."""

    courseId: str
    overallStatus: Overall
    lectureCount: int
    completedLectureCount: int
    failedLectureCount: int
    inProgressLectureCount: int
    notStartedLectureCount: int
    progressPercent: int
    latestActivityAt: str | None
    lectures: list[LectureProgress] | None = None


@bp.get("")
@describes(query=PageQuery, gives=Courses)
def index() -> ResponseReturnValue:
    """List courses, newest first."""
    page = query(PageQuery)
    rows = (
        select(Course)
        .where(visible(Course))
        .order_by(Course.created_at.desc(), Course.id.desc())
        .limit(page.limit)
        .offset(page.offset)
    )
    with reading() as session:
        found = session.scalars(rows).all()
        count = select(func.count(Course.id)).where(visible(Course))
        total = session.scalar(count) or 0
    return {
        "courses": [_shown(course) for course in found],
        "pagination": pagination(page, count=len(found), total=total),
    }


@bp.post("")
@describes(body=CourseIn, gives=CourseRow, status=201)
def create() -> ResponseReturnValue:
    """Make a course."""
    wanted = body(CourseIn)
    course = Course(
        id=str(new_id()),
        owner_id=caller().user_id,
        title=wanted.title,
        description=wanted.description,
    )
    with deps().db.begin() as session:
        session.add(course)
        session.flush()
        session.refresh(course)
    return _shown(course), 201


@bp.get("/<course_id>")
@describes(gives=CourseRow, errors=(404,))
def get(course_id: str) -> ResponseReturnValue:
    """Return one course."""
    with reading() as session:
        return _shown(_course(session, course_id))


@bp.get("/<course_id>/lectures")
@describes(query=CourseLecturesQuery, gives=CourseLectures, errors=(400, 404))
def lectures(course_id: str) -> ResponseReturnValue:
    """List a course's lectures, newest first."""
    wanted = query(CourseLecturesQuery)
    preset_id = preset_filter(wanted.preset_id)
    filters = [Lecture.course_id == course_id, visible(Lecture)]
    if wanted.status is not None:
        filters.append(Lecture.status == wanted.status)
    if preset_id is not None:
        filters.append(Lecture.preset_id == preset_id)
    rows = (
        views.lectures()
        .where(*filters)
        .order_by(Lecture.created_at.desc(), Lecture.id.desc())
        .limit(wanted.limit)
        .offset(wanted.offset)
    )
    with reading() as session:
        _course(session, course_id)
        found = session.execute(rows).all()
        total = session.scalar(select(func.count(Lecture.id)).where(*filters)) or 0
    return {
        "courseId": course_id,
        "lectures": [views.lecture(row, deps().storage) for row in found],
        "pagination": pagination(wanted, count=len(found), total=total),
    }


@bp.get("/<course_id>/threads")
@describes(query=PageQuery, gives=CourseThreads, errors=(404,))
def threads(course_id: str) -> ResponseReturnValue:
    """List the concepts that run through a course, newest first."""
    page = query(PageQuery)
    mine = and_(Thread.course_id == course_id, visible(Thread))
    rows = (
        select(Thread)
        .where(mine)
        .order_by(Thread.created_at.desc(), Thread.id.desc())
        .limit(page.limit)
        .offset(page.offset)
    )
    with reading() as session:
        _course(session, course_id)
        found = session.scalars(rows).all()
        total = session.scalar(select(func.count(Thread.id)).where(mine)) or 0
        titles = views.lecture_titles(
            session, {ref for thread in found for ref in thread.lecture_refs}
        )
    return {
        "courseId": course_id,
        "threads": [views.thread(thread) for thread in found],
        "lectureTitles": titles,
        "pagination": pagination(page, count=len(found), total=total),
    }


@bp.get("/<course_id>/progress")
@describes(query=CourseProgressQuery, gives=CourseProgress, errors=(404,))
def get_progress(course_id: str) -> ResponseReturnValue:
    """Return how far a course has come, and each of its lectures."""
    wanted = query(CourseProgressQuery)
    with reading() as session:
        _course(session, course_id)
        found = session.scalars(
            select(Lecture)
            .where(Lecture.course_id == course_id, visible(Lecture))
            .order_by(Lecture.created_at.desc(), Lecture.id.desc())
        ).all()
        newest = views.newest_jobs(session, [lecture.id for lecture in found])
    each = [
        progress.lecture_progress(one.id, one.status, newest.get(one.id, {}))
        for one in found
    ]
    answer = {"courseId": course_id, **progress.course_progress(each)}
    answer["latestActivityAt"] = progress.latest_activity(found, newest)
    if wanted.include_lectures:
        answer["lectures"] = [_with_statuses(one) for one in each]
    return answer


def _course(session: Session, course_id: str) -> Course:
    course = owners.find(session, Course, course_id)
    if course is None:
        raise NotFound("Course not found.")
    return course


def _shown(course: Course) -> dict[str, Any]:
    return {
        "id": course.id,
        "title": course.title,
        "description": course.description,
        "created_at": views.timestamp(course.created_at),
        "updated_at": views.timestamp(course.updated_at),
    }


def _with_statuses(one: dict[str, Any]) -> dict[str, Any]:
    statuses = {name: stage["status"] for name, stage in one["stages"].items()}
    return {**one, "stageStatuses": statuses}
