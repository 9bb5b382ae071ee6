"""How the worker is told that there is work."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from common.settings import Settings


@dataclass(frozen=True, slots=True)
class Task:
    """One ring of the bell for a job. The job itself is in the database."""

    job_id: UUID
    dispatch_seq: int
    queue: str
    lane: str
    not_before: datetime

    @property
    def name(self) -> str:
        """Unique per dispatch, so that sending twice makes one task.

        Hashed, because sequential names slow a whole Cloud Tasks queue down.
        """
        return sha256(f"{self.job_id}:{self.dispatch_seq}".encode()).hexdigest()[:40]


class Queue(Protocol):
    """Deliver each task at least once."""

    def send(self, task: Task) -> None:
        """Hand over one task. Sending the same task twice is harmless.

        Raises:
            ProviderUnavailable: nothing was sent; try again.
        """

    def check(self) -> None:
        """Do nothing if tasks can be sent.

        Raises:
            ProviderUnavailable: they cannot.
        """


def from_settings(settings: Settings) -> Queue:
    """Return the queue that the settings name."""
    if settings.inline_jobs:
        from common.providers.queue.inline import InlineQueue

        return InlineQueue(settings.worker_url, settings.internal_secret)
    from common.providers.queue.local import LocalQueue

    return LocalQueue(settings.queue_url, settings.internal_secret)
