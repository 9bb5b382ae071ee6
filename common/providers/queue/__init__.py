"""How the worker is told that there is work."""

from typing import Protocol, assert_never

from common.jobs import Task
from common.settings import Settings


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
    match settings.queue:
        case "local":
            from common.providers.queue.local import LocalQueue

            return LocalQueue(settings.queue_url, settings.internal_secret)
        case "cloud_tasks":
            from common.providers.queue.cloud_tasks import CloudTasksQueue

            return CloudTasksQueue.from_settings(settings)
        case other:
            assert_never(other)
