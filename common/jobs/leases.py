"""The right to work on a job: one owner at a time, for as long as it gives signs."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session


class LeaseLost(Exception):
    """Somebody else owns the job now, or nobody. Nothing may be written any more."""


class Busy(Exception):
    """Another worker holds a live lease on the job."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed job. ``token`` is the fence: every write of the owner must show it."""

    job_id: UUID
    token: UUID
    epoch: int
    kind: str
    payload: dict[str, Any]
    checkpoint: dict[str, Any]
    attempt: int
    max_attempts: int
    crash_count: int

    @property
    def run(self) -> str:
        """Name of this try of this job, for the objects that it writes."""
        return f"{self.job_id}.{self.epoch}"


# Any task may begin a job that is due. One whose worker died is begun by its newest
# only, which comes by the solo lane: an older one that is delivered once more comes to
# workers that have others to lose, and whose own deaths would be put down to this job.
_CLAIM = text("""
update jobs
   set state = 'running', attempt = attempt + 1, lease_epoch = lease_epoch + 1,
       lease_token = :token, lease_owner = :owner,
       lease_expires_at = clock_timestamp() + make_interval(secs => :seconds),
       started_at = coalesce(started_at, now())
 where id = :id and state = 'queued' and not cancel_requested
   and attempt < max_attempts
   and (dispatch_seq = :seq or (lane = 'main' and available_at <= now()))
returning id, lease_token, lease_epoch, kind, payload, checkpoint, attempt,
          max_attempts, crash_count
""")

_LOOK = text("""
select state, lease_expires_at < clock_timestamp() as lapsed from jobs where id = :id
""")

_WATCH = text("""
with u as (
  update jobs set dispatch_seq = dispatch_seq + 1
   where id = :id and state = 'running' and dispatch_seq = :seq
     and lease_expires_at > clock_timestamp()
  returning id, dispatch_seq, queue, lane, lease_expires_at)
insert into job_outbox (job_id, dispatch_seq, queue, lane, not_before)
select id, dispatch_seq, queue, lane, lease_expires_at + interval '2 seconds' from u
""")

_BEAT = text("""
update jobs j
   set lease_expires_at = clock_timestamp() + make_interval(secs => :seconds)
  from unnest(:ids, :tokens) as h (id, token)
 where j.id = h.id and j.state = 'running' and j.lease_token = h.token
   and j.lease_expires_at > clock_timestamp()
returning j.id, j.cancel_requested
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)), bindparam("tokens", type_=ARRAY(Uuid))
)


def claim(
    session: Session, job_id: UUID, seq: int, *, owner: str, seconds: float
) -> Lease | None:
    """Take the job for this owner; one UPDATE decides, so two deliveries cannot win.

    Returns:
        None if there is nothing to do: unknown, waiting, ended or not yet due.

    Raises:
        Busy: another owner holds a live lease.
        LeaseLost: the owner's lease has lapsed; rescue the job and claim again.
    """
    values = {"id": job_id, "seq": seq, "owner": owner, "seconds": seconds}
    row = session.execute(_CLAIM, values | {"token": uuid4()}).first()
    if row is not None:
        return Lease(*row)
    seen = session.execute(_LOOK, {"id": job_id}).first()
    if seen is None or seen.state != "running":
        return None
    raise LeaseLost if seen.lapsed else Busy


def watch(session: Session, job_id: UUID, seq: int) -> None:
    """Promise one task for when the present lease would lapse.

    The delivery that met a live lease is acknowledged, so if the owner dies this task
    is what finds out.
    """
    session.execute(_WATCH, {"id": job_id, "seq": seq})


def beat(
    session: Session, held: Collection[Lease], *, seconds: float
) -> dict[UUID, bool]:
    """Renew leases in one statement.

    Returns:
        The jobs that are still ours, and for each whether it shall be cancelled.
    """
    values = {
        "ids": [lease.job_id for lease in held],
        "tokens": [lease.token for lease in held],
        "seconds": seconds,
    }
    return {row.id: row.cancel_requested for row in session.execute(_BEAT, values)}
