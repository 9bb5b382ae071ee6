"""Whose rows a caller may see: everybody's and, who has logged in, the own ones."""

from typing import TypeAlias, TypeVar

from sqlalchemy import ColumnElement, exists, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from api_service.people.callers import caller
from common.jobs import AiNote
from common.models import (
    Course,
    DeletionEvent,
    Job,
    Lecture,
    Note,
    Thread,
    Upload,
)

# Tables whose rows may have an owner; those without are everybody's.
Owned: TypeAlias = Course | DeletionEvent | Lecture | Thread | Upload
Whole = TypeVar("Whole", Course, Lecture)


def visible(model: type[Owned]) -> ColumnElement[bool]:
    """Return what is true of the rows that the caller may see.

    It belongs into the query itself: what is not the caller's is never fetched, and
    is answered as what does not exist.
    """
    return visible_to(model, caller().user_id)


def visible_to(
    model: type[Owned], user_id: int | ColumnElement[int | None] | None
) -> ColumnElement[bool]:
    """Return the same for this person, or for a parameter of a query built ahead."""
    everybodys = model.owner_id.is_(None)
    return everybodys if user_id is None else everybodys | (model.owner_id == user_id)


def may_see(owner_id: int | None) -> bool:
    """Return the same of one row that is at hand, locked for instance."""
    return owner_id is None or owner_id == caller().user_id


def find(session: Session, model: type[Whole], id_: str) -> Whole | None:
    """Return a row if there is one for the caller."""
    return session.scalar(select(model).where(model.id == id_, visible(model)))


def visible_job() -> ColumnElement[bool]:
    """Return what is true of the jobs that the caller may see.

    A lecture's job is seen by who sees the lecture, a child's by who sees its parent's,
    and what is written for a person's note by that person.
    """
    parent = aliased(Job)
    parents = (
        select(parent.payload["lecture_id"].astext)
        .where(parent.id == Job.parent_id)
        .correlate(Job)
        .scalar_subquery()
    )
    lecture_id = func.coalesce(Job.payload["lecture_id"].astext, parents)
    # Not a join: listings walk along an index of jobs, and end after a page of them.
    lectures = (
        select(visible(Lecture))
        .where(Lecture.id == lecture_id)
        .correlate(Job)
        .scalar_subquery()
    )
    mine = exists().where(
        Note.id == Job.payload["note_id"].as_integer(),
        Note.user_id == caller().user_id,
    )
    return func.coalesce(lectures, true()) & or_(Job.kind != AiNote.kind, mine)
