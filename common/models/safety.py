"""What keeps writes safe: limits, keys against doubling, and a record of deletions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, DateTime, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created


class RateWindow(Base):
    """The times of a client's recent writes."""

    __tablename__ = "rate_windows"

    key: Mapped[str] = mapped_column(primary_key=True)
    events: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    expires_at: Mapped[datetime] = mapped_column(index=True)


class IdempotencyKey(Created, Base):
    """A write that a client named, and how it was answered."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (CheckConstraint("length(key) between 1 and 200", "key_short"),)

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    # The body as text: JSONB would not keep its keys in order. None: still at work.
    answer: Mapped[str | None] = mapped_column(JSONB(none_as_null=True))
    locked_until: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class DeletionEvent(Created, Base):
    """Evidence that something was deleted. Rows are only ever added."""

    __tablename__ = "deletion_audit_events"
    __table_args__ = (
        CheckConstraint(
            "entity_type in ('lecture', 'course', 'asset', 'project')",
            "entity_is_known",
        ),
        Index("ix_deletion_audit_events_newest", "created_at", "id"),
        Index("ix_deletion_audit_events_entity", "entity_type", "entity_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    entity_type: Mapped[str]
    entity_id: Mapped[str]
    owner_id: Mapped[int | None]  # whose it was; the person may be gone as well
    actor: Mapped[str]
    request_id: Mapped[str | None]
    purge_storage: Mapped[bool]
    result: Mapped[dict[str, Any]]
