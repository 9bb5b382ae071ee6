"""Tasks go to Google Cloud Tasks: one queue per class of provider, and the solo lane.

The library is loaded with the first task, so never before a process forks: gRPC does
not survive that.
"""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from common.jobs import Task
from common.settings import Settings

if TYPE_CHECKING:
    from common.providers.queue.cloud_tasks_calls import Calls

_SOLO = "solo"


@dataclass(frozen=True, slots=True)
class Worker:
    """Where the tasks are to be done, and as whom Cloud Tasks calls there.

    Args:
        url: of the worker.
        solo_url: of the one that works alone.
        audience: for which the tokens are made out.
        caller: e-mail of the service account on the tokens.
    """

    url: str
    solo_url: str
    audience: str
    caller: str


class CloudTasksQueue:
    """Makes tasks named after their dispatch; a name is taken once in 24 hours."""

    def __init__(self, prefix: str, worker: Worker, *, endpoint: str | None) -> None:
        """Connect to nothing yet.

        Args:
            prefix: ``projects/…/locations/…/queues/…``, the queues' common beginning.
            worker: who does the work.
            endpoint: host:port without TLS instead of Google's.
        """
        self._prefix = prefix
        self._worker = worker
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._calls: Calls | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the queues that the settings name; they are checked to do so."""
        url = settings.worker_url.rstrip("/")
        worker = Worker(
            url=url,
            solo_url=(settings.solo_worker_url or url).rstrip("/"),
            audience=(settings.worker_audience or url).rstrip("/"),
            caller=settings.tasks_service_account or "",
        )
        place = (
            f"projects/{settings.google_cloud_project}"
            f"/locations/{settings.tasks_location}"
        )
        prefix = f"{place}/queues/{settings.tasks_queue_prefix}"
        return cls(prefix, worker, endpoint=settings.tasks_endpoint)

    def send(self, task: Task) -> None:
        """Hand over one task.

        Needs ``cloudtasks.tasks.create`` on the queue, and
        ``iam.serviceAccounts.actAs`` on the service account of the tokens.
        """
        solo = task.lane == _SOLO
        queue = f"{self._prefix}-{_SOLO if solo else task.queue}"
        url = self._worker.solo_url if solo else self._worker.url
        self._connected().create(queue, task, url)

    def check(self) -> None:
        """Do nothing if the solo queue is there. Needs ``cloudtasks.queues.get``."""
        self._connected().look(f"{self._prefix}-{_SOLO}")

    def _connected(self) -> "Calls":
        from common.providers.queue.cloud_tasks_calls import (  # noqa: PLC0415 - above
            Calls,
        )

        with self._lock:
            if self._calls is None:
                self._calls = Calls(
                    self._endpoint,
                    caller=self._worker.caller,
                    audience=self._worker.audience,
                )
            return self._calls
