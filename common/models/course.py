from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Dated


class Course(Dated, Base):
    """A series of lectures. The client chooses the id."""

    __tablename__ = "courses"

    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[int | None] = mapped_column(  # None: everybody's
        ForeignKey("users.id"), index=True
    )
    title: Mapped[str]
    description: Mapped[str | None]

    __table_args__ = (Index("ix_courses_newest", "created_at", "id"),)
