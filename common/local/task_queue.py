"""Cloud Tasks and Cloud Scheduler for one machine, in memory.

It behaves as the real ones do: at least once, names blocked after use, a retry curve,
a dispatch deadline, and a queue that slows down as a whole after 429 or 503. What it
holds is lost when it stops; the database knows every job, so its first act is to have
the worker ring again for all that are due.
"""

import heapq
import logging
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from common.providers import internal_calls

log = logging.getLogger(__name__)

DISPATCH_DEADLINE_SECONDS = 1800  # the longest that Cloud Tasks allows
NAME_BLOCK_SECONDS = 24 * 3600  # Cloud Tasks keeps a used name so long
_BACKOFF_SECONDS = (1, 2, 4, 8, 16, 32, 60)  # then 60 for ever
_OVERLOADED = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class TaskIn(BaseModel):
    """What a service asks to be called with."""

    model_config = ConfigDict(extra="forbid")

    name: str
    queue: str
    lane: str
    path: str
    body: dict[str, Any]
    not_before: datetime
    traceparent: str | None = None


@dataclass(order=True, slots=True)
class _Entry:
    due: float  # on the monotonic clock
    order: int
    task: TaskIn = field(compare=False)
    retries: int = field(default=0, compare=False)


@dataclass(slots=True)
class Faults:
    """What shall go wrong, for tests: shares are 0 to 1."""

    duplicate: float = 0.0
    drop_ack: float = 0.0
    outage: bool = False
    pause: bool = False


class Lane:
    """Due tasks of one queue, and the threads that deliver them."""

    def __init__(self, owner: "TaskQueue", name: str, concurrency: int) -> None:
        self._owner = owner
        self._name = name
        self._heap: list[_Entry] = []
        self._changed = threading.Condition()
        self._slow_until = 0.0
        for number in range(concurrency):
            threading.Thread(
                target=self._deliver_for_ever, name=f"{name}-{number}", daemon=True
            ).start()

    def add(self, entry: _Entry) -> None:
        """Take a task in."""
        with self._changed:
            heapq.heappush(self._heap, entry)
            self._changed.notify()

    def wipe(self) -> int:
        """Forget all tasks; return how many."""
        with self._changed:
            count = len(self._heap)
            self._heap.clear()
        return count

    def _deliver_for_ever(self) -> None:
        while True:
            entry = self._next()
            status = self._owner.call_worker(self._name, entry.task, entry.retries)
            heard = random.random() >= self._owner.faults.drop_ack  # noqa: S311
            if not (heard and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES):
                self._again(entry, status)

    def _next(self) -> _Entry:
        """Wait for a task that is due."""
        with self._changed:
            while True:
                now = time.monotonic()
                ready = max(self._heap[0].due, self._slow_until) if self._heap else None
                if ready is not None and ready <= now and not self._owner.faults.pause:
                    return heapq.heappop(self._heap)
                wait = 0.5 if ready is None else min(0.5, max(0.01, ready - now))
                self._changed.wait(wait)

    def _again(self, entry: _Entry, status: int) -> None:
        step = min(entry.retries, len(_BACKOFF_SECONDS) - 1)
        delay = _BACKOFF_SECONDS[step]
        if status in _OVERLOADED:
            self._slow_until = time.monotonic() + delay
        entry.retries += 1
        entry.due = time.monotonic() + delay
        self.add(entry)


class TaskQueue:
    """All queues of this machine."""

    def __init__(self, worker_url: str, secret: SecretStr, *, concurrency: int) -> None:
        self.faults = Faults()
        self._worker_url = worker_url.rstrip("/")
        self._secret = secret
        self._concurrency = concurrency
        self._lanes: dict[str, Lane] = {}
        self._names: dict[str, float] = {}
        self._lock = threading.Lock()
        self._order = 0

    def create(self, task: TaskIn) -> HTTPStatus:
        """Take a task: 200, or 409 when its name was used before."""
        if self.faults.outage:
            return HTTPStatus.SERVICE_UNAVAILABLE
        with self._lock:
            self._forget_old_names()
            if task.name in self._names:
                return HTTPStatus.CONFLICT
            self._names[task.name] = time.monotonic()
            lane = self._lane(task)
            copies = 2 if random.random() < self.faults.duplicate else 1  # noqa: S311
            entries = [self._entry(task) for _ in range(copies)]
        for entry in entries:
            lane.add(entry)
        return HTTPStatus.OK

    def wipe(self) -> int:
        """Lose all tasks, as a purge does; return how many."""
        with self._lock:
            return sum(lane.wipe() for lane in self._lanes.values())

    def call_worker(self, queue: str, task: TaskIn, retries: int) -> int:
        """Deliver one task; return the worker's status, 0 when there was none."""
        headers = {
            "X-CloudTasks-QueueName": queue,
            "X-CloudTasks-TaskName": task.name,
            "X-CloudTasks-TaskRetryCount": str(retries),
            "X-CloudTasks-TaskExecutionCount": str(retries),
            "X-CloudTasks-TaskETA": str(task.not_before.timestamp()),
        }
        if task.traceparent:
            headers["traceparent"] = task.traceparent
        return self._post(task.path, task.body, internal_calls.QUEUE, headers)

    def sweep(self, *, lost_after_seconds: float | None = None) -> int:
        """Call the worker's sweep, as Cloud Scheduler does each minute."""
        body = {}
        if lost_after_seconds is not None:
            body["lost_after_seconds"] = lost_after_seconds
        return self._post("/schedules/sweep", body, internal_calls.SCHEDULER, {})

    def _post(
        self, path: str, body: object, caller: str, headers: dict[str, str]
    ) -> int:
        token = internal_calls.sign(
            self._secret, audience=self._worker_url, caller=caller
        )
        try:
            return internal_calls.post(
                self._worker_url + path,
                body,
                token=token,
                timeout_seconds=DISPATCH_DEADLINE_SECONDS,
                headers=headers,
            )
        except OSError as exc:
            log.info("worker not reached", extra={"path": path, "error": str(exc)})
            return 0

    def _lane(self, task: TaskIn) -> Lane:
        solo = task.lane == "solo"
        name = f"{task.queue}-solo" if solo else task.queue
        if name not in self._lanes:
            self._lanes[name] = Lane(self, name, 1 if solo else self._concurrency)
        return self._lanes[name]

    def _entry(self, task: TaskIn) -> _Entry:
        self._order += 1
        delay = (task.not_before - datetime.now(UTC)).total_seconds()
        return _Entry(time.monotonic() + max(0.0, delay), self._order, task)

    def _forget_old_names(self) -> None:
        limit = time.monotonic() - NAME_BLOCK_SECONDS
        while self._names:
            oldest = next(iter(self._names))
            if self._names[oldest] > limit:
                return
            del self._names[oldest]
