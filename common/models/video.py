"""Videos that lie elsewhere, what people noted about them, and who fetches the rest."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Dated


class Video(Dated, Base):
    """A YouTube video. Its transcript is that of its recording.

    ``title`` is the one in its metadata: what a client calls it stays with that
    client's notes. ``*_error`` says why a transcript or metadata will not come.
    """

    __tablename__ = "videos"
    __table_args__ = (Index("ix_videos_newest", "created_at", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    video_id: Mapped[str] = mapped_column(unique=True)
    recording_id: Mapped[UUID] = mapped_column(ForeignKey("recordings.id"), unique=True)
    title: Mapped[str | None]
    about: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    summary: Mapped[str | None]
    suggested_questions: Mapped[list[Any] | None] = mapped_column(
        JSONB(none_as_null=True)
    )
    transcript_error: Mapped[str | None]
    metadata_error: Mapped[str | None]


class Note(Dated, Base):
    """What a person wrote, or had written, about one moment of a video."""

    __tablename__ = "notes"
    __table_args__ = (
        Index("ix_notes_owner", "user_id", "video_id", "created_at", "id"),
        Index("ix_notes_unwritten", "video_id", postgresql_where="text is null"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.video_id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    video_title: Mapped[str | None]  # as the client read it; shown to its owner only
    timestamp: Mapped[str]  # as the client wrote it: 1:23
    text: Mapped[str | None]
    generated_by_ai: Mapped[bool] = mapped_column(server_default="false")
    ai_error: Mapped[str | None]  # why none will be written; None: not tried, or done


class PullTask(Base):
    """The number by which a helper knows a pull job that it has claimed.

    Each claim has its own: so a helper that took too long names one that is over.
    """

    __tablename__ = "pull_tasks"
    __table_args__ = (UniqueConstraint("job_id", "epoch"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    epoch: Mapped[int] = mapped_column(BigInteger)  # of the claim's lease
    video_id: Mapped[str] = mapped_column(
        ForeignKey("videos.video_id", ondelete="CASCADE"), index=True
    )
