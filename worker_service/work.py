"""What a handler is given: its payload, its lease, and everything it may use."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import jobs, threads
from common.deps import Deps
from common.jobs import Lease, Payload
from common.models import Lecture
from worker_service.heartbeat import Pulse

P = TypeVar("P", bound=Payload)


class Waiting(Exception):
    """Something outside is at work for the job: come back in ``delay_seconds``.

    No attempt, no failure: the job is given back, and no thread waits.
    """

    def __init__(self, delay_seconds: float) -> None:
        super().__init__(f"Waiting for {delay_seconds:.0f} s.")
        self.delay_seconds = delay_seconds


@dataclass(frozen=True, slots=True)
class Work(Generic[P]):
    """One claimed job. Handlers write through it, so that no late worker can."""

    payload: P
    lease: Lease
    pulse: Pulse
    deps: Deps

    def save(self, patch: dict[str, Any], *, progress: int = 0) -> None:
        """Keep finished steps, so that the next try does not repeat them.

        Raises:
            LeaseLost: nothing was saved.
        """
        with self.deps.db.begin() as session:
            jobs.checkpoint(session, self.lease, patch, progress=progress)

    @contextmanager
    def finish(
        self, result: dict[str, Any], *, changes_threads: bool = False
    ) -> Iterator[Session]:
        """Open the transaction that ends the job and writes its results.

        Args:
            result: what the job answers.
            changes_threads: whether these concern the threads of the whole course.

        Raises:
            LeaseLost: nothing was written.
        """
        with self.deps.db.begin() as session:
            if changes_threads:
                threads.lock(session, self.lease.payload["lecture_id"])
            lock_lecture(session, self.lease.payload)
            jobs.succeed(session, self.lease, result)
            yield session


def lock_lecture(session: Session, payload: Mapping[str, Any]) -> None:
    """Lock the lecture that a job is about, if any, before the job's own row.

    That is the API's order; with the other one, each could wait for the other.
    """
    if (lecture_id := payload.get("lecture_id")) is not None:
        found = select(Lecture.id).where(Lecture.id == str(lecture_id))
        session.execute(found.with_for_update())
