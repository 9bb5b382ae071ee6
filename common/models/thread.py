"""Concepts followed across a course, each in the lectures of one owner.

What each lecture contributes is kept apart, by lecture; the thread itself is what
these contributions amount to, in the order of the lectures (``common.threads``). So
making a lecture's study material anew touches nobody else's evidence.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created


class Thread(Created, Base):
    """One concept of a course."""

    __tablename__ = "threads"
    __table_args__ = (
        UniqueConstraint(
            "course_id", "owner_id", "key", postgresql_nulls_not_distinct=True
        ),
        Index("ix_threads_course_newest", "course_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))
    owner_id: Mapped[int | None] = mapped_column(  # of its lectures
        ForeignKey("users.id"), index=True
    )
    key: Mapped[str]  # the first title, as titles are compared
    aliases: Mapped[list[str]] = mapped_column(ARRAY(Text))  # compared the same way
    title: Mapped[str]
    summary: Mapped[str]
    status: Mapped[str]
    complexity_level: Mapped[int]
    face: Mapped[str | None]
    lecture_refs: Mapped[list[str]] = mapped_column(ARRAY(Text))
    evolution_notes: Mapped[list[dict[str, Any]] | None]


class ThreadContribution(Created, Base):
    """What one lecture says about one concept, with the words that prove it."""

    __tablename__ = "thread_contributions"
    __table_args__ = (UniqueConstraint("thread_id", "lecture_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    thread_id: Mapped[UUID] = mapped_column(
        ForeignKey("threads.id", ondelete="CASCADE")
    )
    lecture_id: Mapped[str] = mapped_column(
        ForeignKey("lectures.id", ondelete="CASCADE"), index=True
    )
    title: Mapped[str]
    aliases: Mapped[list[str]] = mapped_column(ARRAY(Text))
    summary: Mapped[str]
    face: Mapped[str | None]
    complexity_level: Mapped[int]
    status: Mapped[str]
    evidence: Mapped[str]
    start_ms: Mapped[int | None]
    end_ms: Mapped[int | None]
    confidence: Mapped[float]
    change_type: Mapped[str | None]  # None where the lecture introduces the concept
    change_summary: Mapped[str | None]
