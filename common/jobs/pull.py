"""Jobs that helpers outside come for: nobody rings a bell for them."""

from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.orm import Session

from common.jobs.leases import Lease

# One row is locked and no other looked at twice, however many wait and however many
# helpers ask at once.
_PULL = text("""
with c as (
  select id from jobs
   where queue = 'pull' and kind = :kind and state = 'queued'
     and available_at <= now() and attempt < max_attempts and not cancel_requested
   order by available_at, id limit 1 for update skip locked)
update jobs j
   set state = 'running', attempt = attempt + 1, lease_epoch = lease_epoch + 1,
       lease_token = :token, lease_owner = :owner,
       lease_expires_at = clock_timestamp() + make_interval(secs => :seconds),
       started_at = coalesce(started_at, now())
  from c where j.id = c.id
returning j.id, j.lease_token, j.lease_epoch, j.kind, j.payload, j.checkpoint,
          j.attempt, j.max_attempts, j.crash_count
""")


def pull(session: Session, kind: str, *, owner: str, seconds: float) -> Lease | None:
    """Take the pull job of this kind that waits longest; None if there is none.

    The helper sends no signs of life: ``seconds`` is all the time it has.
    """
    values = {"kind": kind, "owner": owner, "seconds": seconds, "token": uuid4()}
    row = session.execute(_PULL, values).first()
    return None if row is None else Lease(*row)
