"""Video projects: their files, what was found in them, and how their jobs went."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from common.models.base import Base, Created, Dated
from common.models.recording import Recording


class Asset(Dated, Base):
    """A file of a project: uploaded (``source``), or made from others of the project.

    Its bytes are those of its recording. ``about`` is what clients call metadata.
    ``relative_path`` is the address by which clients ask for the file.
    """

    __tablename__ = "assets"
    __table_args__ = (
        CheckConstraint(
            "category in"
            " ('source', 'processed', 'proxy', 'export', 'thumbnail', 'music')",
            "category_is_known",
        ),
        CheckConstraint(
            "status in ('uploaded', 'processing', 'ready', 'failed')",
            "status_is_known",
        ),
        Index("ix_assets_project", "project_id", "created_at", "id"),
        Index(  # statistics read nothing but this
            "ix_assets_sizes",
            "project_id",
            "category",
            postgresql_include=["size_bytes"],
        ),
        UniqueConstraint("relative_path"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[str]
    recording_id: Mapped[UUID] = mapped_column(ForeignKey("recordings.id"), unique=True)
    recording: Mapped[Recording] = relationship(lazy="raise")
    filename: Mapped[str]
    original_filename: Mapped[str]
    relative_path: Mapped[str]
    mime_type: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)  # as the recording's: for sums
    category: Mapped[str] = mapped_column(server_default="source")
    status: Mapped[str] = mapped_column(server_default="uploaded")
    source_asset_ids: Mapped[list[UUID]] = mapped_column(
        ARRAY(Uuid), server_default="{}"
    )
    about: Mapped[dict[str, Any]]


class Thumbnail(Created, Base):
    """A picture of an asset; the first one, at ``clip_index`` -1, stands for it."""

    __tablename__ = "thumbnails"

    asset_id: Mapped[UUID] = mapped_column(
        ForeignKey("assets.id", ondelete="CASCADE"), primary_key=True
    )
    clip_index: Mapped[int] = mapped_column(primary_key=True, server_default="-1")
    object_key: Mapped[str] = mapped_column(unique=True)
    relative_path: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)


class SceneRun(Created, Base):
    """The scenes of an asset by one set of parameters; found once per set.

    ``asked_at`` is when somebody asked for them last: those are the present ones.
    """

    __tablename__ = "scene_runs"
    __table_args__ = (
        UniqueConstraint("asset_id", "parameters_hash"),
        Index("ix_scene_runs_newest", "asset_id", "asked_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    asset_id: Mapped[UUID] = mapped_column(ForeignKey("assets.id", ondelete="CASCADE"))
    parameters_hash: Mapped[str]
    parameters: Mapped[dict[str, Any]]
    usage: Mapped[dict[str, Any]]
    scenes: Mapped[list[dict[str, Any]]]
    about: Mapped[dict[str, Any]]
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SubtitleEdit(Created, Base):
    """A person's text for one segment of a transcript; the newest one counts.

    None as text is the machine's again. The segment's times stay. ``version`` names
    what the machine had heard: of another transcript these are not the words.
    """

    __tablename__ = "subtitle_edits"
    __table_args__ = (
        Index("ix_subtitle_edits_segment", "recording_id", "version", "number"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    recording_id: Mapped[UUID] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE")
    )
    version: Mapped[str]
    number: Mapped[int]
    text: Mapped[str | None]
    actor: Mapped[str]


class JobLog(Base):
    """A line that a person reads to see how a job goes; the oldest are let go."""

    __tablename__ = "job_logs"
    __table_args__ = (Index("ix_job_logs_job", "job_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    level: Mapped[str]
    message: Mapped[str]
    details: Mapped[dict[str, Any]]
