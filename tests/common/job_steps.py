"""The steps that tests of the job protocol are told in."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

from sqlalchemy import text, update

from common import jobs
from common.db import Db
from common.jobs import Lease, Payload
from common.models import Job, JobEvent, JobOutbox


class Bell(Payload):
    """A job about nothing, or about ``name``."""

    kind = "bell"
    queue = "media"

    name: str = ""

    @property
    def subject(self) -> str | None:
        return self.name or None


def add(db: Db, name: str = "", **options: Any) -> UUID:
    """Enqueue one job; return its id."""
    with db.begin() as session:
        return jobs.enqueue(session, Bell(name=name), **options)[0]


def claim(db: Db, job_id: UUID, seq: int | None = None) -> Any:
    """Claim by the job's current task unless told otherwise: a lease, or None."""
    if seq is None:
        seq = job(db, job_id).dispatch_seq
    with db.begin() as session:
        return jobs.claim(session, job_id, seq, owner="test", seconds=60)


def owned(db: Db, name: str = "", **options: Any) -> Lease:
    """Enqueue a job and claim it."""
    return owned_again(db, add(db, name, **options))


def owned_again(db: Db, job_id: UUID) -> Lease:
    """Claim a job that must be there to be claimed."""
    lease = claim(db, job_id)
    assert isinstance(lease, Lease)
    return lease


def job(db: Db, job_id: UUID) -> Job:
    with db.begin() as session:
        return session.get_one(Job, job_id)


def change(db: Db, job_id: UUID, **columns: Any) -> None:
    """Set columns behind the protocol's back."""
    with db.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**columns))


def lapse(db: Db, job_id: UUID) -> None:
    """Let the job's lease be over, as if its owner had been silent for long."""
    with db.begin() as session:
        session.execute(
            text(
                "update jobs set lease_expires_at = clock_timestamp()"
                " - interval '1 millisecond' where id = :id and state = 'running'"
            ),
            {"id": job_id},
        )


def end(db: Db, lease: Lease) -> None:
    with db.begin() as session:
        jobs.succeed(session, lease, {})


def fail(db: Db, lease: Lease, code: str = "no_good") -> None:
    with db.begin() as session:
        jobs.give_back(session, lease, jobs.GiveBack(code, permanent=True))


def parent_of(db: Db, count: int, name: str = "") -> tuple[UUID, list[UUID]]:
    """Return a waiting job and its children, as a fan-out leaves them."""
    lease = owned(db, name)
    with db.begin() as session:
        children = [
            jobs.enqueue(session, Bell(), parent_id=lease.job_id)[0]
            for _ in range(count)
        ]
        jobs.wait_for_children(session, lease, count)
    return lease.job_id, children


def children(db: Db, parent_id: UUID) -> list[Job]:
    with db.begin() as session:
        found = session.query(Job).filter_by(parent_id=parent_id)
        return found.order_by(Job.id).all()


def outbox(db: Db, job_id: UUID | None = None) -> list[JobOutbox]:
    """Return the promises (of one job), oldest first."""
    with db.begin() as session:
        found = session.query(JobOutbox).order_by(JobOutbox.id).all()
    return [row for row in found if job_id in (None, row.job_id)]


def forget_promises(db: Db) -> None:
    """Take the promises away, as after tasks that were sent."""
    with db.begin() as session:
        session.execute(text("delete from job_outbox"))


def history(db: Db, job_id: UUID) -> list[str]:
    """Return the states that the job went through."""
    with db.begin() as session:
        events = session.query(JobEvent).filter_by(job_id=job_id)
        return [event.to_state for event in events.order_by(JobEvent.id)]


def together(*steps: Callable[[], Any]) -> list[Any]:
    """Start all steps at once, each in a thread; return their results."""
    start = Barrier(len(steps))

    def step(run: Callable[[], Any]) -> Any:
        start.wait(10)
        return run()

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(step, steps))


def until(happened: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something that another thread does; fail if it never does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def is_blocked(db: Db) -> bool:
    """Return whether some statement in this database waits for a lock."""
    query = text(
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    with db.begin() as session:
        return bool(session.scalar(query))
