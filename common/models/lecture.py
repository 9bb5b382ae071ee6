"""A lecture and what was made from it."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from common.models.base import Base, Created, Dated
from common.models.recording import Recording


class LectureStatus(StrEnum):
    """How far a lecture has come; every client knows these words."""

    UPLOADED = "uploaded"
    TRANSCRIBING = "transcribing"
    TRANSCRIBED = "transcribed"
    GENERATED = "generated"
    FAILED = "failed"


class Lecture(Dated, Base):
    """One lecture of a course. The client chooses the id."""

    __tablename__ = "lectures"
    __table_args__ = (
        Index("ix_lectures_newest", "created_at", "id"),
        Index("ix_lectures_course_newest", "course_id", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    owner_id: Mapped[int | None] = mapped_column(  # None: everybody's
        ForeignKey("users.id"), index=True
    )
    preset_id: Mapped[str]
    title: Mapped[str]
    status: Mapped[str]
    lecture_mode: Mapped[str | None]
    recording_id: Mapped[UUID] = mapped_column(ForeignKey("recordings.id"), unique=True)

    recording: Mapped[Recording] = relationship(lazy="raise")


class Artifact(Created, Base):
    """One study document of a lecture; making it again replaces it.

    ``search`` is what it teaches in the words of the transcript's language.
    """

    __tablename__ = "artifacts"
    __table_args__ = (
        UniqueConstraint("lecture_id", "artifact_type"),
        Index("ix_artifacts_search", "search", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    lecture_id: Mapped[str] = mapped_column(
        ForeignKey("lectures.id", ondelete="CASCADE")
    )
    course_id: Mapped[str]
    preset_id: Mapped[str]
    artifact_type: Mapped[str]
    object_key: Mapped[str]
    document: Mapped[dict[str, Any]]
    job_id: Mapped[UUID]
    search: Mapped[Any | None] = mapped_column(TSVECTOR, deferred=True)


class Export(Created, Base):
    """One exported file of a lecture; exporting again replaces it."""

    __tablename__ = "exports"

    lecture_id: Mapped[str] = mapped_column(
        ForeignKey("lectures.id", ondelete="CASCADE"), primary_key=True
    )
    export_type: Mapped[str] = mapped_column(primary_key=True)
    object_key: Mapped[str]
    size_bytes: Mapped[int]
    job_id: Mapped[UUID]
