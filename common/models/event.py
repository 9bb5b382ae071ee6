"""Domain events on their way out, and the messages that came in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base


class EventOutbox(Base):
    """An event that is to be sent; written with what it tells of, removed once sent.

    Of one subject, ids are in the order in which the events were committed.
    """

    __tablename__ = "event_outbox"
    __table_args__ = (Index("ix_event_outbox_subject", "subject", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[UUID] = mapped_column(unique=True)
    type: Mapped[str]
    version: Mapped[int]
    subject: Mapped[str]
    data: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    locked_until: Mapped[datetime] = mapped_column(server_default="-infinity")
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]


class InboxMessage(Base):
    """A message that has had its effect; delivered again, it has none."""

    __tablename__ = "inbox"

    source: Mapped[str] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(primary_key=True)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
