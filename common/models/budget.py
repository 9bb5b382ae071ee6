"""What paid calls cost per day, and what is set aside for those under way."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created


class BudgetDay(Base):
    """One UTC day: what was spent, and what its reservations hold."""

    __tablename__ = "budget_days"
    __table_args__ = (CheckConstraint("usd_micros >= 0", "not_negative"),)

    day: Mapped[date] = mapped_column(primary_key=True)
    usd_micros: Mapped[int] = mapped_column(BigInteger, server_default="0")


class BudgetReservation(Created, Base):
    """The most that one call can cost, counted in its day until the call is settled."""

    __tablename__ = "budget_reservations"
    __table_args__ = (Index("ix_budget_reservations_created_at", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(ForeignKey("budget_days.day"))
    usd_micros: Mapped[int] = mapped_column(BigInteger)
