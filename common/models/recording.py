"""Source material and what was said in it."""

from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created


class Recording(Created, Base):
    """One piece of source material: an uploaded file, or a video that lies elsewhere.

    ``duration_ms`` is counted in samples once it was decoded.
    """

    __tablename__ = "recordings"
    __table_args__ = (
        CheckConstraint(
            "kind in ('audio', 'pdf', 'picture', 'text', 'video', 'youtube')",
            "kind_is_known",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    object_key: Mapped[str | None] = mapped_column(unique=True)  # None: not kept here
    metadata_key: Mapped[str | None] = mapped_column(unique=True)  # a lecture's only
    original_filename: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    duration_ms: Mapped[int | None]


class TranscriptRecord(Created, Base):
    """The current transcript of a recording; the document itself is in storage.

    ``about`` tells what was asked for and used, where its readers want to know.
    """

    __tablename__ = "transcripts"

    recording_id: Mapped[UUID] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    job_id: Mapped[UUID | None]  # None: a helper sent it unasked
    object_key: Mapped[str]
    language: Mapped[str]
    provider: Mapped[str]
    model: Mapped[str]
    total_ms: Mapped[int]
    heard_ms: Mapped[int]
    gaps: Mapped[list[dict[str, Any]]]
    about: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class SegmentRecord(Base):
    """One segment of the current transcript, for search and citation.

    ``search`` is its text in the words of the transcript's language.
    """

    __tablename__ = "transcript_segments"
    __table_args__ = (
        Index("ix_transcript_segments_search", "search", postgresql_using="gin"),
    )

    recording_id: Mapped[UUID] = mapped_column(
        ForeignKey("transcripts.recording_id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    start_ms: Mapped[int]
    end_ms: Mapped[int]
    text: Mapped[str]
    flags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    confidence: Mapped[float | None]
    page: Mapped[int | None]
    search: Mapped[Any | None] = mapped_column(TSVECTOR, deferred=True)
