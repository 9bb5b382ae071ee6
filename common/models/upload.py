"""Files that clients send directly to storage, piece by piece."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created


class UploadState(StrEnum):
    """How far an upload has come; only the first two can change any more."""

    OPEN = "open"
    COMPLETE = "complete"  # all is there and was looked into; nobody uses it yet
    USED = "used"  # it is a lecture's recording
    REFUSED = "refused"  # all is there, and it is nothing that we take
    ABORTED = "aborted"  # the client wants it no more
    ABANDONED = "abandoned"  # nobody cared for too long


class Upload(Created, Base):
    """One upload. ``session`` and the token are credentials: never shown or logged.

    ``size_bytes`` is what was announced, None if nothing was. ``lecture`` is what
    ``common.ingest.Wishes`` holds; a file for a project has ``project_id`` instead,
    and becomes the asset that has the upload's id. Until ``claimed_until``, and no
    longer, one process is completing it.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("kind in ('audio', 'pdf', 'video')", "kind_is_known"),
        CheckConstraint(
            "state in ('open', 'complete', 'used', 'refused', 'aborted', 'abandoned')",
            "state_is_known",
        ),
        Index("ix_uploads_state_expires_at", "state", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    object_key: Mapped[str] = mapped_column(unique=True)
    filename: Mapped[str]
    content_type: Mapped[str]
    kind: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(  # None: everybody's
        ForeignKey("users.id"), index=True
    )
    client: Mapped[str | None]  # a hash of who opened it, whose uploads are counted
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    session: Mapped[str | None]  # the storage's
    token_sha256: Mapped[str]  # of what our own upload URL holds
    state: Mapped[str] = mapped_column(server_default="open")
    project_id: Mapped[str | None]
    lecture: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    sha256: Mapped[str | None]
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    recording_id: Mapped[UUID | None]
    claimed_until: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
