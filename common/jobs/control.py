"""What people may do with a job."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# Who ends a child locks it first and then its parent; so does who cancels both.
_LOCK_CHILDREN = text("""
select id from jobs where parent_id = :id order by id for update
""")
_CANCEL = """
update jobs
   set cancel_requested = true,
       state = case when state in ('queued', 'waiting') then 'cancelled'
                    else state end,
       finished_at = case when state in ('queued', 'waiting') then now() end,
       error_code = case when state in ('queued', 'waiting') then 'cancelled'
                    else error_code end
 where {which} = :id and state in ('queued', 'running', 'waiting')
returning id
"""
_CANCEL_IT = text(_CANCEL.format(which="id"))
_CANCEL_CHILDREN = text(_CANCEL.format(which="parent_id"))

_REPLAY = text("""
with u as (
  update jobs
     set state = 'queued', attempt = 0, crash_count = 0, lane = 'main',
         replay_count = replay_count + 1, finished_at = null, error_code = null,
         error_detail = null, cancel_requested = false, available_at = now(),
         started_at = null, checkpoint = '{}', progress = 0,
         dispatch_seq = dispatch_seq + 1
   where id = :id and state = 'failed'
  returning id, dispatch_seq, queue, lane),
o as (
  insert into job_outbox (job_id, dispatch_seq, queue, lane)
  select id, dispatch_seq, queue, lane from u where queue <> 'pull')
select id from u
""")


def cancel(session: Session, job_id: UUID) -> list[UUID]:
    """Cancel a job and its children; return those that were live.

    Queued and waiting ones end at once, running ones at their next heartbeat.
    """
    session.execute(_LOCK_CHILDREN, {"id": job_id})
    # The parent before the children: it may be making more of them at this moment.
    return [
        row.id
        for statement in (_CANCEL_IT, _CANCEL_CHILDREN)
        for row in session.execute(statement, {"id": job_id})
    ]


def replay(session: Session, job_id: UUID) -> bool:
    """Queue the same failed job once more; False unless it is failed."""
    return session.execute(_REPLAY, {"id": job_id}).first() is not None
