"""People, and the tokens that they gave to their tools."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created, Dated


class User(Dated, Base):
    """A person. Changing ``token_version`` ends every session that was begun before."""

    __tablename__ = "users"
    __table_args__ = (CheckConstraint("email = lower(email)", "email_lower"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str | None]  # None: comes by Google only
    google_subject: Mapped[str | None] = mapped_column(unique=True)
    picture_url: Mapped[str | None]
    ai_notes_enabled: Mapped[bool] = mapped_column(server_default="false")
    token_version: Mapped[int] = mapped_column(server_default="0")


class LongTermToken(Created, Base):
    """A token for tools that write notes; only its hash is kept. One per person."""

    __tablename__ = "long_term_tokens"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    sha256: Mapped[str] = mapped_column(unique=True)
    last_used_at: Mapped[datetime | None]
