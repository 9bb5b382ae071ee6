"""What the sweep mends: owners that died, tasks that were lost."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# The first lapse moves the job to the solo lane, where it can hurt nobody; the third
# without progress ends it. One over a restart of the database says nothing of the job:
# its owner could not renew the lease.
_RESCUE = """
with d as (
  select id, (pg_postmaster_start_time() < updated_at)::int as crash from jobs
   where state = 'running' and lease_expires_at < clock_timestamp() {only}
   order by lease_expires_at limit :limit for update skip locked),
u as (
  update jobs j
     set lease_token = null, lease_owner = null, lease_expires_at = null,
         crash_count = crash_count + crash,
         lane = case when crash = 1 then 'solo' else lane end,
         error_code = case when crash_count + crash >= max_crashes
                           then 'poison_pill' else 'worker_lost' end,
         error_detail = 'The worker stopped while it worked on this job.',
         state = case when crash_count + crash >= max_crashes or attempt >= max_attempts
                        then 'failed'
                      when cancel_requested then 'cancelled' else 'queued' end,
         finished_at = case when crash_count + crash >= max_crashes
                              or attempt >= max_attempts or cancel_requested
                            then now() end,
         available_at = now(), dispatch_seq = dispatch_seq + 1
    from d where j.id = d.id
  returning j.id, j.kind, j.payload, j.state, j.error_code, j.dispatch_seq, j.queue,
            j.lane),
o as (
  insert into job_outbox (job_id, dispatch_seq, queue, lane)
  select id, dispatch_seq, queue, lane from u
   where state = 'queued' and queue <> 'pull')
select id, kind, payload, state, error_code from u
"""
_RESCUE_ANY = text(_RESCUE.format(only=""))
_RESCUE_ONE = text(_RESCUE.format(only="and id = :id"))

_JANITOR = text("""
with s as (
  select j.id from jobs j
   where j.state = 'queued' and j.queue <> 'pull'
     and j.available_at < now() - make_interval(secs => :seconds)
     and not exists (select 1 from job_outbox o where o.job_id = j.id)
   order by j.available_at limit :limit for update of j skip locked),
u as (
  update jobs j set dispatch_seq = dispatch_seq + 1, available_at = now()
    from s where j.id = s.id
  returning j.id, j.dispatch_seq, j.queue, j.lane)
insert into job_outbox (job_id, dispatch_seq, queue, lane)
select id, dispatch_seq, queue, lane from u returning job_id
""")

_WAKE = text("""
with s as (
  select p.id from jobs p
   where p.state = 'waiting'
     and not exists (select 1 from jobs c where c.parent_id = p.id
                      and c.state in ('queued', 'running', 'waiting'))
   limit :limit for update skip locked),
u as (
  update jobs p set state = 'queued', pending_children = 0, available_at = now(),
         dispatch_seq = dispatch_seq + 1
    from s where p.id = s.id
  returning p.id, p.dispatch_seq, p.queue, p.lane)
insert into job_outbox (job_id, dispatch_seq, queue, lane)
select id, dispatch_seq, queue, lane from u returning job_id
""")

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Rescued:
    """A job whose owner was lost, the state it was put in, and why."""

    job_id: UUID
    kind: str
    payload: dict[str, Any]
    state: str
    error_code: str


def rescue(session: Session, job_id: UUID | None = None) -> list[Rescued]:
    """Take jobs from owners whose lease has lapsed (one job, or up to 100)."""
    if job_id is None:
        rows = session.execute(_RESCUE_ANY, {"limit": _BATCH})
    else:
        rows = session.execute(_RESCUE_ONE, {"limit": 1, "id": job_id})
    return [Rescued(*row) for row in rows]


def janitor(session: Session, *, lost_after_seconds: float) -> list[UUID]:
    """Promise a new task for due jobs whose task must have been lost (up to 100)."""
    values = {"limit": _BATCH, "seconds": lost_after_seconds}
    return [row.job_id for row in session.execute(_JANITOR, values)]


def wake_parents(session: Session) -> list[UUID]:
    """Wake waiting jobs whose children have all ended.

    The trigger does this; finding one here is a bug of ours that is healed and logged.
    """
    return [row.job_id for row in session.execute(_WAKE, {"limit": _BATCH})]
