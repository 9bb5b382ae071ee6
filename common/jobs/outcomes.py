"""What the owner of a lease may write. Each statement shows the token, or fails."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from common.jobs.control import cancel
from common.jobs.leases import Lease, LeaseLost
from common.models import JobState

_DETAIL_CHARACTERS = 4000  # a check of the table
_MINE = "id = :id and state = 'running' and lease_token = :token"
_RELEASE = "lease_token = null, lease_owner = null, lease_expires_at = null"

_CHECKPOINT = text(f"""
update jobs set checkpoint = checkpoint || :patch,
       progress = greatest(progress, :progress), crash_count = 0, lane = 'main'
 where {_MINE} returning id
""").bindparams(bindparam("patch", type_=JSONB))

_SUCCEED = text(f"""
update jobs set state = 'succeeded', result = :result, progress = 100,
       finished_at = now(), error_code = null, error_detail = null, {_RELEASE}
 where {_MINE} returning id
""").bindparams(bindparam("result", type_=JSONB))

_WAIT = text(f"""
update jobs set state = 'waiting', pending_children = :count, attempt = attempt - 1,
       {_RELEASE}
 where {_MINE} returning cancel_requested
""")

# Uncounted give-backs (429, shutdown) need an end of their own: one day.
_GIVE_BACK = text(f"""
with m as (
  select id, cancel_requested,
         (:permanent or (:counted and attempt >= max_attempts)) as used_up,
         (not :counted and started_at < now() - interval '1 day') as too_old
    from jobs where {_MINE} for update),
t as (
  select id, too_old and not used_up and not cancel_requested as late,
         used_up or (too_old and not cancel_requested) as ends from m),
u as (
  update jobs j
     set error_code = case when t.late then 'deadline' else :code end,
         error_detail = :detail, {_RELEASE},
         attempt = attempt - case when :counted then 0 else 1 end,
         state = case when t.ends then 'failed'
                      when cancel_requested then 'cancelled' else 'queued' end,
         finished_at = case when t.ends or cancel_requested then now() end,
         available_at = now() + make_interval(secs => coalesce(
             cast(:delay as double precision), j.retry_delay_seconds,
             least(600, 5 * power(2, attempt - 1)) * (0.5 + random() * 0.5))),
         dispatch_seq = dispatch_seq + 1
    from t where j.id = t.id
  returning j.id, j.state, j.dispatch_seq, j.queue, j.lane, j.available_at),
o as (
  insert into job_outbox (job_id, dispatch_seq, queue, lane, not_before)
  select id, dispatch_seq, queue, lane, available_at from u
   where state = 'queued' and queue <> 'pull')
select state from u
""")


def checkpoint(
    session: Session, lease: Lease, patch: dict[str, Any], *, progress: int = 0
) -> None:
    """Save finished steps; they are never done again. Progress is in percent.

    A job that moves forward is not poison: its count of crashes starts anew.

    Raises:
        LeaseLost: nothing was saved.
    """
    _fenced(session, _CHECKPOINT, lease, patch=patch, progress=progress)


def succeed(session: Session, lease: Lease, result: dict[str, Any]) -> None:
    """End the job. Comes first in the transaction that writes its results.

    Raises:
        LeaseLost: let it roll the transaction back.
    """
    _fenced(session, _SUCCEED, lease, result=result)


def wait_for_children(session: Session, lease: Lease, count: int) -> None:
    """Release the job until ``count`` children have ended.

    The children must be enqueued in the same transaction, or a fast one could end
    before its parent waits. A cancelled job does not wait: it ends here with them,
    because it has no heartbeat any more that could tell it.

    Raises:
        LeaseLost: let it roll the transaction back.
    """
    row = _fenced(session, _WAIT, lease, count=count)
    if row.cancel_requested:
        cancel(session, lease.job_id)


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Why a job is released without success, and what shall become of it.

    Args:
        code: the reason, for machines.
        detail: the reason, for people.
        permanent: do not try again.
        counted: whether this was an attempt; waiting politely is none.
        delay_seconds: until the next try; None: as the job's terms say.
    """

    code: str
    detail: str = ""
    permanent: bool = False
    counted: bool = True
    delay_seconds: float | None = None


def give_back(session: Session, lease: Lease, reason: GiveBack) -> JobState:
    """Release the job; return its state now: queued, failed or cancelled.

    Raises:
        LeaseLost: it was not ours to give.
    """
    row = _fenced(
        session,
        _GIVE_BACK,
        lease,
        code=reason.code,
        detail=reason.detail[:_DETAIL_CHARACTERS],
        permanent=reason.permanent,
        counted=reason.counted,
        delay=reason.delay_seconds,
    )
    return JobState(row[0])


def _fenced(
    session: Session, statement: TextClause, lease: Lease, **values: object
) -> Row[Any]:
    row = session.execute(
        statement, values | {"id": lease.job_id, "token": lease.token}
    ).first()
    if row is None:
        raise LeaseLost
    return row
