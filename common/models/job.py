"""Jobs, the promises to send them, and their history. ``common.jobs`` moves them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from common.models.base import Base, Dated

_LIVE = "state in ('queued', 'running', 'waiting')"
_EMPTY = text("'{}'::jsonb")


class JobState(StrEnum):
    """Where a job is in its life; a trigger refuses every other way through it."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE_STATES = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)


class Job(Dated, Base):
    """One piece of work for the worker."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "state in ('queued', 'running', 'waiting',"
            " 'succeeded', 'failed', 'cancelled')",
            "state_is_known",
        ),
        CheckConstraint("lane in ('main', 'solo')", "lane_is_known"),
        CheckConstraint(
            "(state = 'running') = (lease_token is not null)"
            " and (state = 'running') = (lease_expires_at is not null)",
            "lease_iff_running",
        ),
        CheckConstraint(
            "(state in ('succeeded', 'failed', 'cancelled'))"
            " = (finished_at is not null)",
            "finished_iff_terminal",
        ),
        CheckConstraint("attempt between 0 and max_attempts", "attempts_bounded"),
        CheckConstraint("crash_count between 0 and max_crashes", "crashes_bounded"),
        CheckConstraint(
            "pending_children >= 0 and (state <> 'waiting' or pending_children > 0)",
            "waiting_has_children",
        ),
        CheckConstraint("progress between 0 and 100", "progress_in_percent"),
        CheckConstraint("octet_length(payload::text) <= 65536", "payload_small"),
        CheckConstraint("length(error_detail) <= 4000", "error_short"),
        Index(
            "uq_jobs_dedupe_live",
            "dedupe_key",
            unique=True,
            postgresql_where=text(f"dedupe_key is not null and {_LIVE}"),
        ),
        Index("ix_jobs_ready", "available_at", postgresql_where="state = 'queued'"),
        Index(
            "ix_jobs_lease", "lease_expires_at", postgresql_where="state = 'running'"
        ),
        Index(
            "ix_jobs_dead",
            "created_at",
            "id",
            postgresql_where="state = 'failed' and parent_id is null",
        ),
        Index(
            "ix_jobs_live",
            "state",
            postgresql_where=text(f"{_LIVE} and parent_id is null"),
        ),
        Index("ix_jobs_parent", "parent_id", postgresql_where="parent_id is not null"),
        Index("ix_jobs_subject", "subject", "created_at", "id"),
        Index(
            "ix_jobs_project",
            "project_id",
            "created_at",
            "id",
            postgresql_where="project_id is not null",
        ),
        Index(
            "ix_jobs_to_pull",
            "kind",
            "available_at",
            postgresql_where="queue = 'pull' and state = 'queued'",
        ),
        Index(
            "ix_jobs_replayed_from",
            "replayed_from",
            postgresql_where="replayed_from is not null",
        ),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str | None]  # what it is about, e.g. lecture:l1; None for children
    project_id: Mapped[str | None]  # of a video project's jobs
    queue: Mapped[str]  # "pull": claimed by helpers outside, sent to nobody
    lane: Mapped[str] = mapped_column(server_default="main")
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=_EMPTY)
    state: Mapped[str] = mapped_column(server_default="queued")
    attempt: Mapped[int] = mapped_column(server_default="0")
    max_attempts: Mapped[int] = mapped_column(server_default="8")
    retry_delay_seconds: Mapped[float | None]  # None: longer and longer, with jitter
    crash_count: Mapped[int] = mapped_column(server_default="0")
    max_crashes: Mapped[int] = mapped_column(server_default="3")
    replay_count: Mapped[int] = mapped_column(server_default="0")
    replayed_from: Mapped[UUID | None]
    available_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dispatch_seq: Mapped[int] = mapped_column(server_default="1")
    lease_epoch: Mapped[int] = mapped_column(BigInteger, server_default="0")
    lease_token: Mapped[UUID | None]
    lease_owner: Mapped[str | None]
    lease_expires_at: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(server_default="false")
    dedupe_key: Mapped[str | None]
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE")
    )
    pending_children: Mapped[int] = mapped_column(server_default="0")
    checkpoint: Mapped[dict[str, Any]] = mapped_column(server_default=_EMPTY)
    progress: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    result: Mapped[dict[str, Any] | None]
    error_code: Mapped[str | None]
    error_detail: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    traceparent: Mapped[str | None]  # who asked for it, see common.tracing


class JobOutbox(Base):
    """A promise to send a task; written with the job, removed once it was sent."""

    __tablename__ = "job_outbox"
    __table_args__ = (
        UniqueConstraint("job_id", "dispatch_seq"),
        Index("ix_job_outbox_due", "locked_until", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    dispatch_seq: Mapped[int]
    queue: Mapped[str]
    lane: Mapped[str] = mapped_column(server_default="main")
    not_before: Mapped[datetime] = mapped_column(server_default=func.now())
    locked_until: Mapped[datetime] = mapped_column(server_default="-infinity")
    tries: Mapped[int] = mapped_column(server_default="0")
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class JobEvent(Base):
    """One step of a job's history, written by a trigger and never changed."""

    __tablename__ = "job_events"
    __table_args__ = (
        Index("ix_job_events_job", "job_id", "id"),
        Index("ix_job_events_counted", "kind", "to_state", "from_state"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    job_id: Mapped[UUID]
    kind: Mapped[str]  # the job itself may be deleted; what happened is still counted
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    from_state: Mapped[str | None]
    to_state: Mapped[str]
    epoch: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int]
    crash_count: Mapped[int]
    prev_expires_at: Mapped[datetime | None]
    reason: Mapped[str | None]  # an error's code; of a job's first event, "replayed"
    latency_ms: Mapped[float | None]  # of a last event: since the job was asked for
