"""Talks with Wiz about a recording, and how many questions were asked today."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created, Dated


class Conversation(Dated, Base):
    """One talk. It is about a video, a lecture or an asset, and of one person or guest.

    ``guest`` is the hash of the guest's session id, which is a credential.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        CheckConstraint("num_nonnulls(user_id, guest) = 1", "one_owner"),
        CheckConstraint(
            "num_nonnulls(video_id, lecture_id, asset_id) = 1", "one_subject"
        ),
        Index("ix_conversations_user", "user_id", "created_at", "id"),
        Index("ix_conversations_guest", "guest", "created_at", "id"),
        Index(
            "ix_conversations_of_guests",
            "updated_at",
            postgresql_where="guest is not null",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE")
    )
    guest: Mapped[str | None]
    video_id: Mapped[str | None] = mapped_column(
        ForeignKey("videos.video_id"), index=True
    )
    lecture_id: Mapped[str | None] = mapped_column(
        ForeignKey("lectures.id", ondelete="CASCADE"), index=True
    )
    asset_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("assets.id", ondelete="CASCADE"), index=True
    )


class Message(Created, Base):
    """One side of a turn; a turn is saved whole or not at all."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("role in ('user', 'assistant')", "role_is_known"),
        Index("ix_messages_conversation", "conversation_id", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(
        ForeignKey("conversations.id", ondelete="CASCADE")
    )
    role: Mapped[str]
    content: Mapped[str]
    citations: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSONB(none_as_null=True)
    )


class ChatQuota(Base):
    """How many questions one person, guest or address asked on one UTC day."""

    __tablename__ = "chat_quotas"
    __table_args__ = (CheckConstraint("used >= 0", "not_negative"),)

    owner: Mapped[str] = mapped_column(primary_key=True)  # user:3, guest:<hash>
    day: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int]
