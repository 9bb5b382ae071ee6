"""What a handler is given: its payload, its lease, and everything it may use."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import jobs, threads, videos
from common.deps import Deps
from common.jobs import Lease, Payload
from common.models import Asset, Lecture
from worker_service.heartbeat import Pulse

P_co = TypeVar("P_co", bound=Payload, covariant=True)


class Waiting(Exception):
    """Something outside is at work for the job: come back in ``delay_seconds``.

    No attempt, no failure: the job is given back, and no thread waits.
    """

    def __init__(self, delay_seconds: float) -> None:
        super().__init__(f"Waiting for {delay_seconds:.0f} s.")
        self.delay_seconds = delay_seconds


@dataclass(frozen=True, slots=True)
class Work(Generic[P_co]):
    """One claimed job. Handlers write through it, so that no late worker can."""

    payload: P_co
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

    def say(self, message: str, **details: Any) -> None:  # noqa: ANN401 - plain values
        """Add a line to the log that people read of a project's job."""
        with self.deps.db.begin() as session:
            jobs.note(session, self.lease.job_id, message, **details)

    @contextmanager
    def finish(
        self,
        result: dict[str, Any],
        *,
        changes_threads: bool = False,
        said: tuple[str, dict[str, Any]] | None = None,
    ) -> Iterator[Session]:
        """Open the transaction that ends the job and writes its results.

        Args:
            result: what the job answers.
            changes_threads: whether these concern the threads of the whole course.
            said: the last line of the log that people read, with its details.

        Raises:
            LeaseLost: nothing was written.
        """
        with self.deps.db.begin() as session:
            if changes_threads:
                threads.lock(session, self.lease.payload["lecture_id"])
            lock_subject(session, self.lease.payload)
            if said is not None:
                jobs.note(session, self.lease.job_id, said[0], **said[1])
            jobs.succeed(session, self.lease, result)
            yield session


def lock_subject(session: Session, payload: Mapping[str, Any]) -> None:
    """Lock the lecture, file or video that a job is about before the job's own row.

    That is the API's order; with the other one, each could wait for the other.
    """
    if (lecture_id := payload.get("lecture_id")) is not None:
        found = select(Lecture.id).where(Lecture.id == str(lecture_id))
        session.execute(found.with_for_update())
    if (asset_id := payload.get("asset_id")) is not None:
        asset = select(Asset.id).where(Asset.id == UUID(str(asset_id)))
        session.execute(asset.with_for_update())
    if (video_id := payload.get("video_id")) is not None:
        videos.locked(session, str(video_id))
