"""The queues of a Cloud Tasks on loopback, and the calls of its protocol."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
from google.cloud.tasks_v2 import types
from google.protobuf import empty_pb2

from tests.loopback.cloud_tasks_delivery import Deliveries, Signer
from tests.loopback.cloud_tasks_faults import Faults
from tests.loopback.cloud_tasks_line import Line

_MAX_TASK_BYTES = 1024 * 1024
_MAX_URL_LENGTH = 2083
_FURTHEST = timedelta(days=30)
_DEADLINES = (timedelta(seconds=15), timedelta(minutes=30))
_USUAL_DEADLINE = timedelta(minutes=10)
_DAY_SECONDS = 86_400.0
_RUNNING = types.Queue.State(types.Queue.State.RUNNING)
_PAUSED = types.Queue.State(types.Queue.State.PAUSED)


class Failed(Exception):
    """What the caller is told."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Limits:
    """Of a queue, and the documented ones unless told.

    Args:
        concurrency: deliveries at once.
        per_second: deliveries in a second.
        attempts: until a task is given up; -1 is never.
        min_backoff: seconds before the second delivery.
        max_backoff: seconds between two deliveries at most.
        doublings: how often the pause is doubled.
    """

    concurrency: int = 1000
    per_second: float = 500.0
    attempts: int = 100
    min_backoff: float = 0.1
    max_backoff: float = 3600.0
    doublings: int = 16


class CloudTasks:
    """Queues, and the calls of the protocol."""

    def __init__(
        self,
        signer: Signer,
        *,
        seed: int = 0,
        name_block_seconds: float = _DAY_SECONDS,
        deadline_seconds: float | None = None,
    ) -> None:
        self.host = ""
        self.faults = Faults(seed=seed)
        self.created: list[types.CreateTaskRequest] = []
        self.refused = 0  # calls during an outage
        self.lines: dict[str, Line] = {}
        self._block_seconds = name_block_seconds
        self._deliveries = Deliveries(signer, deadline_seconds)
        self._lock = threading.Lock()

    # For tests and for the control port

    def add_queue(self, name: str, limits: Limits | None = None) -> Line:
        """Make a queue with a whole resource name."""
        wanted = limits or Limits()
        queue = types.Queue(name=name, state=_RUNNING)
        queue.rate_limits = types.RateLimits(
            max_dispatches_per_second=wanted.per_second,
            max_concurrent_dispatches=wanted.concurrency,
            max_burst_size=100,
        )
        queue.retry_config = types.RetryConfig(
            max_attempts=wanted.attempts,
            min_backoff=timedelta(seconds=wanted.min_backoff),
            max_backoff=timedelta(seconds=wanted.max_backoff),
            max_doublings=wanted.doublings,
        )
        return self._add(queue)

    def break_things(self, wanted: dict[str, Any]) -> None:
        """Change the faults; with ``wipe``, all tasks are lost first."""
        rest = dict(wanted)
        if rest.pop("wipe", False):
            for line in self._all():
                line.purge()
        self.faults.change(rest)
        for line in self._all():
            line.hurry()

    def state(self) -> dict[str, dict[str, int]]:
        """Return for each queue how many tasks it holds and deliveries it made."""
        return {
            line.config.name: {
                "tasks": line.count(),
                "deliveries": line.deliveries,
            }
            for line in self._all()
        }

    def close(self) -> None:
        for line in self._all():
            line.purge()
            line.close()
        self._deliveries.close()

    # The protocol

    def create_queue(self, request: types.CreateQueueRequest) -> types.Queue:
        queue = request.queue
        queue.state = _RUNNING
        rates, retries, usual = queue.rate_limits, queue.retry_config, Limits()
        rates.max_dispatches_per_second = (
            rates.max_dispatches_per_second or usual.per_second
        )
        rates.max_concurrent_dispatches = (
            rates.max_concurrent_dispatches or usual.concurrency
        )
        rates.max_burst_size = rates.max_burst_size or 100
        retries.max_attempts = retries.max_attempts or usual.attempts
        retries.max_doublings = retries.max_doublings or usual.doublings
        retries.min_backoff = retries.min_backoff or timedelta(
            seconds=usual.min_backoff
        )
        retries.max_backoff = retries.max_backoff or timedelta(
            seconds=usual.max_backoff
        )
        queue.rate_limits, queue.retry_config = rates, retries
        return self._add(queue).config

    def get_queue(self, request: types.GetQueueRequest) -> types.Queue:
        return self._line(request.name).config

    def pause_queue(self, request: types.PauseQueueRequest) -> types.Queue:
        return self._with_state(request.name, _PAUSED)

    def resume_queue(self, request: types.ResumeQueueRequest) -> types.Queue:
        return self._with_state(request.name, _RUNNING)

    def purge_queue(self, request: types.PurgeQueueRequest) -> types.Queue:
        line = self._line(request.name)
        line.purge()
        return line.config

    def create_task(self, request: types.CreateTaskRequest) -> types.Task:
        line = self._line(request.parent)
        task = _checked(request)
        self.created.append(request)
        if not line.add(task):
            raise Failed(
                grpc.StatusCode.ALREADY_EXISTS, "Requested entity already exists"
            )
        return task

    def get_task(self, request: types.GetTaskRequest) -> types.Task:
        found = self._line_of(request.name).get(request.name)
        if found is None:
            raise Failed(grpc.StatusCode.NOT_FOUND, "The task no longer exists.")
        return found

    def list_tasks(self, request: types.ListTasksRequest) -> types.ListTasksResponse:
        return types.ListTasksResponse(tasks=self._line(request.parent).tasks())

    def delete_task(self, request: types.DeleteTaskRequest) -> empty_pb2.Empty:
        self.get_task(types.GetTaskRequest(name=request.name))
        self._line_of(request.name).remove(request.name)
        return empty_pb2.Empty()

    def _all(self) -> list[Line]:
        with self._lock:
            return list(self.lines.values())

    def _add(self, queue: types.Queue) -> Line:
        with self._lock:
            if queue.name in self.lines:
                raise Failed(grpc.StatusCode.ALREADY_EXISTS, "Queue already exists")
            line = Line(
                queue,
                self._deliveries.deliver,
                self.faults,
                name_block_seconds=self._block_seconds,
            )
            self.lines[queue.name] = line
            return line

    def _line(self, name: str) -> Line:
        with self._lock:
            if name not in self.lines:
                raise Failed(grpc.StatusCode.NOT_FOUND, "Queue does not exist.")
            return self.lines[name]

    def _line_of(self, task_name: str) -> Line:
        return self._line(task_name.partition("/tasks/")[0])

    def _with_state(self, name: str, state: types.Queue.State) -> types.Queue:
        line = self._line(name)
        line.set_state(state)
        return line.config


def _checked(request: types.CreateTaskRequest) -> types.Task:
    """Return the task as the queue keeps it."""
    task, now = types.Task(request.task), datetime.now(UTC)
    task.name = task.name or f"{request.parent}/tasks/{uuid4().int >> 64}"
    deadline = task.dispatch_deadline or _USUAL_DEADLINE
    url = task.http_request.url
    rules = {
        "Task name must be in the queue": task.name.startswith(
            f"{request.parent}/tasks/"
        ),
        "HttpRequest.url is required": url.startswith(("http://", "https://")),
        "HttpRequest.url is too long": len(url) <= _MAX_URL_LENGTH,
        "Task size too large": len(types.Task.serialize(task)) <= _MAX_TASK_BYTES,
        "schedule_time too far in the future": (task.schedule_time or now)
        <= now + _FURTHEST,
        "dispatch_deadline must be between [15s, 30m]": _DEADLINES[0]
        <= deadline
        <= _DEADLINES[1],
    }
    for text, kept in rules.items():
        if not kept:
            raise Failed(grpc.StatusCode.INVALID_ARGUMENT, text)
    task.dispatch_deadline = deadline
    if not task.http_request.http_method:
        task.http_request.http_method = types.HttpMethod.POST  # type: ignore[assignment]
    task.create_time, task.schedule_time = now, task.schedule_time or now
    return task
