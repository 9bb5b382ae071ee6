"""What outside services answered, and what that used."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Created


class ProviderResult(Created, Base):
    """A saved answer, so that the same question is not paid for twice in its days.

    It holds what was said: it goes with the lecture of the job that asked first, or
    some days after it came.
    """

    __tablename__ = "provider_results"
    __table_args__ = (
        Index("ix_provider_results_created_at", "created_at"),
        Index("ix_provider_results_job", "job_id"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    job_id: Mapped[UUID | None]  # None: from before this was written down


class UsageEntry(Created, Base):
    """One call in the ledger. Rows are only ever added."""

    __tablename__ = "usage_ledger"
    __table_args__ = (Index("ix_usage_ledger_job", "job_id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job_id: Mapped[UUID]
    provider: Mapped[str]
    model: Mapped[str]
    audio_ms: Mapped[int]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cost_usd_micros: Mapped[int | None] = mapped_column(BigInteger)


class BatchOperation(Created, Base):
    """An operation of a vendor whose outcome is not saved yet. Its name is theirs.

    It outlives its job: whoever deletes the job leaves it to the sweep to be cancelled.
    """

    __tablename__ = "batch_operations"

    name: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[UUID]
    provider: Mapped[str]
    model: Mapped[str]
    language: Mapped[str]
    length_ms: Mapped[int] = mapped_column(BigInteger)
    held: Mapped[UUID | None]  # what was set aside for it
