"""One thread: where its concept is said, and how it changes."""

from typing import Any, Literal
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import select

from api_service import views
from api_service.context import reading
from api_service.openapi import describes
from api_service.people.owners import visible
from common import concepts
from common.errors import NotFound
from common.models import Lecture, Thread, ThreadContribution
from common.study import Face

bp = Blueprint("threads", __name__, url_prefix="/threads")

_DETAIL_CHARACTERS = 140  # what clients have room for

ChangeType = Literal["refinement", "contradiction", "complexity"]


class EvolutionNote(BaseModel):
    """How one lecture changes the concept."""

    lectureId: str
    changeType: ChangeType
    note: str


class ThreadRow(BaseModel):
    """One concept that runs through a course."""

    id: str
    course_id: str
    title: str
    summary: str
    status: Literal["foundational", "advanced"]
    complexity_level: int
    lecture_refs: list[str]
    created_at: str
    face: Face | None
    evolution_notes: list[EvolutionNote] | None


class Occurrence(BaseModel):
    """Where a lecture speaks of the concept, in its own words."""

    id: str
    thread_id: str
    course_id: str
    lecture_id: str
    artifact_id: str
    evidence: str
    confidence: float
    captured_at: str
    lecture_title: str
    start_ms: int | None
    end_ms: int | None
    media_link: str


class Update(BaseModel):
    """What a later lecture changes."""

    id: str
    thread_id: str
    course_id: str
    lecture_id: str
    change_type: ChangeType
    summary: str
    details: list[str]
    captured_at: str
    lecture_title: str


class ThreadDetail(BaseModel):
    """One thread with all its evidence, in the order of the lectures."""

    thread: ThreadRow
    occurrences: list[Occurrence]
    updates: list[Update]
    lectureTitles: dict[str, str]


@bp.get("/<thread_id>")
@describes(gives=ThreadDetail, errors=(404,))
def get(thread_id: str) -> ResponseReturnValue:
    """Return one thread with its evidence and its evolution."""
    id_ = _uuid(thread_id)
    rows = (
        select(ThreadContribution, Lecture.title)
        .join(Lecture, Lecture.id == ThreadContribution.lecture_id)
        .where(ThreadContribution.thread_id == id_)
        .order_by(Lecture.created_at, Lecture.id)
    )
    with reading() as session:
        query = select(Thread).where(Thread.id == id_, visible(Thread))
        thread = session.scalar(query)
        if thread is None:
            raise NotFound("Thread not found")
        found = session.execute(rows).all()
    return {
        "thread": views.thread(thread),
        "occurrences": [_occurrence(thread, part, title) for part, title in found],
        "updates": [_update(thread, part, title) for part, title in found[1:]],
        "lectureTitles": {part.lecture_id: title for part, title in found},
    }


def _uuid(thread_id: str) -> UUID:
    try:
        return UUID(thread_id)
    except ValueError:
        raise NotFound("Thread not found") from None


def _common(thread: Thread, part: ThreadContribution, title: str) -> dict[str, Any]:
    return {
        "id": str(part.id),
        "thread_id": str(thread.id),
        "course_id": thread.course_id,
        "lecture_id": part.lecture_id,
        "captured_at": views.timestamp(part.created_at),
        "lecture_title": title,
    }


def _occurrence(thread: Thread, part: ThreadContribution, title: str) -> dict[str, Any]:
    seconds = (part.start_ms or 0) // 1000
    return {
        **_common(thread, part, title),
        "artifact_id": "summary",
        "evidence": part.evidence,
        "confidence": part.confidence,
        "start_ms": part.start_ms,
        "end_ms": part.end_ms,
        "media_link": f"/lectures/{part.lecture_id}/media#t={seconds}",
    }


def _update(thread: Thread, part: ThreadContribution, title: str) -> dict[str, Any]:
    return {
        **_common(thread, part, title),
        "change_type": concepts.change_type(part),
        "summary": part.change_summary or part.summary,
        "details": [concepts.shortened(part.evidence, _DETAIL_CHARACTERS)],
    }
