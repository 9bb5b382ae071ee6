"""Jobs that helpers outside come for: nobody rings a bell for them."""

from uuid import UUID, uuid4

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


_HELD = text("""
select id, lease_token, lease_epoch, kind, payload, checkpoint, attempt, max_attempts,
       crash_count
  from jobs
 where id = :id and lease_epoch = :epoch and state = 'running'
   and lease_expires_at > clock_timestamp()
""")


def pull(session: Session, kind: str, *, owner: str, seconds: float) -> Lease | None:
    """Take the pull job of this kind that waits longest; None if there is none.

    The helper sends no signs of life: ``seconds`` is all the time it has.
    """
    values = {"kind": kind, "owner": owner, "seconds": seconds, "token": uuid4()}
    row = session.execute(_PULL, values).first()
    return None if row is None else Lease(*row)


def held(session: Session, job_id: UUID, epoch: int) -> Lease | None:
    """Return the claim of this epoch while it lasts; None once it is over."""
    row = session.execute(_HELD, {"id": job_id, "epoch": epoch}).first()
    return None if row is None else Lease(*row)
