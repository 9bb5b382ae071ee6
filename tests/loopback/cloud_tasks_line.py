"""One queue of Cloud Tasks: what waits, what is on its way, which names are used."""

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from google.cloud.tasks_v2 import types

from tests.loopback.cloud_tasks_faults import Faults

_OVERLOADED = (429, 503)  # these slow the whole queue down, not only their task
_IDLE_SECONDS = 0.5  # between two looks at faults that were switched meanwhile


@dataclass(frozen=True)
class Answer:
    """The worker's: ``status`` is 0 when there was none in time."""

    status: int
    retry_after: float | None = None

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


@dataclass(order=True)
class _Due:
    at: float  # on the monotonic clock
    order: int
    name: str = field(compare=False)


class Line:
    """Tasks of one queue, each delivered at its time until it is done."""

    def __init__(
        self,
        config: types.Queue,
        deliver: Callable[[types.Queue, types.Task], Answer],
        faults: Faults,
        *,
        name_block_seconds: float,
    ) -> None:
        self.config = config
        self.deliveries = 0
        self._deliver = deliver
        self._faults = faults
        self._block_seconds = name_block_seconds
        self._tasks: dict[str, types.Task] = {}
        self._used: dict[str, float] = {}
        self._heap: list[_Due] = []
        self._orders = count()
        self._busy = 0
        self._slow_until = 0.0
        self._tokens, self._counted_at = 0.0, 0.0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, task: types.Task) -> bool:
        """Take a task; False if its name is, or was not long ago, another's."""
        with self._changed:
            blocked = self._used.get(task.name, 0.0) > time.monotonic()
            if task.name in self._tasks or blocked:
                return False
            self._tasks[task.name] = task
            self._wait_for(task)
            return True

    def get(self, name: str) -> types.Task | None:
        with self._changed:
            found = self._tasks.get(name)
            return found and types.Task(found)

    def tasks(self) -> list[types.Task]:
        with self._changed:
            return [types.Task(task) for task in self._tasks.values()]

    def remove(self, name: str) -> bool:
        """Forget a task but not its name."""
        with self._changed:
            self._used[name] = time.monotonic() + self._block_seconds
            return self._tasks.pop(name, None) is not None

    def purge(self) -> int:
        """Forget all tasks; return how many."""
        with self._changed:
            names = list(self._tasks)
        return sum(self.remove(name) for name in names)

    def count(self) -> int:
        with self._changed:
            return len(self._tasks)

    def set_state(self, state: types.Queue.State) -> None:
        with self._changed:
            self.config.state = state
            self._changed.notify_all()

    def hurry(self) -> None:
        """Let those that the fault ``early`` befalls come now."""
        with self._changed:
            for due in self._heap:
                if self._faults.drawn("early"):
                    due.at = time.monotonic()
            heapq.heapify(self._heap)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _wait_for(self, task: types.Task) -> None:
        wait = (task.schedule_time - datetime.now(UTC)).total_seconds()
        if self._faults.drawn("early"):
            wait = 0.0
        elif self._faults.drawn("late"):
            wait += self._faults.late_seconds
        due = time.monotonic() + max(0.0, wait)
        heapq.heappush(self._heap, _Due(due, next(self._orders), task.name))
        self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                wait = self._seconds_to_next()
                if wait > 0:
                    self._changed.wait(min(wait, _IDLE_SECONDS))
                    continue
                task = self._tasks.get(heapq.heappop(self._heap).name)
                if task is not None:
                    self._start(task)

    def _seconds_to_next(self) -> float:
        limits = self.config.rate_limits
        running = self.config.state == types.Queue.State.RUNNING
        full = self._busy >= limits.max_concurrent_dispatches
        if not (self._heap and running) or full or self._faults.pause:
            return _IDLE_SECONDS
        now = time.monotonic()
        gained = (now - self._counted_at) * limits.max_dispatches_per_second
        self._tokens = min(limits.max_burst_size, self._tokens + gained)
        self._counted_at = now
        wait = max(self._heap[0].at, self._slow_until) - now
        if self._tokens < 1:
            wait = max(wait, (1 - self._tokens) / limits.max_dispatches_per_second)
        return wait

    def _start(self, task: types.Task) -> None:
        self._tokens -= 1
        self._busy += 1
        task.dispatch_count += 1
        self.deliveries += 1
        threading.Thread(target=self._attempt, args=(task,), daemon=True).start()
        if self._faults.drawn("duplicate"):
            again = (self.config, types.Task(task))
            threading.Thread(target=self._deliver, args=again, daemon=True).start()

    def _attempt(self, task: types.Task) -> None:
        began = datetime.now(UTC)
        answer = self._deliver(self.config, types.Task(task))
        lost = answer.good and self._faults.drawn("drop_ack")
        with self._changed:
            self._busy -= 1
            self._note(task, began, answer)
            if (answer.good and not lost) or self._given_up(task):
                self.remove(task.name)
            elif task.name in self._tasks:
                self._again(task, answer)
            self._changed.notify_all()

    def _note(self, task: types.Task, began: datetime, answer: Answer) -> None:
        attempt = types.Attempt(
            schedule_time=task.schedule_time,
            dispatch_time=began,
            response_time=datetime.now(UTC),
        )
        attempt.response_status.code = 0 if answer.good else 2  # UNKNOWN
        attempt.response_status.message = str(answer.status or "")
        if task.dispatch_count == 1:
            task.first_attempt = types.Attempt(dispatch_time=began)
        task.last_attempt = attempt
        task.response_count += answer.status > 0

    def _given_up(self, task: types.Task) -> bool:
        """Tell whether both limits are used up; nobody is told then."""
        config = self.config.retry_config
        if config.max_attempts < 0 or task.dispatch_count < config.max_attempts:
            return False
        age = datetime.now(UTC) - task.first_attempt.dispatch_time
        return not config.max_retry_duration or age > config.max_retry_duration

    def _again(self, task: types.Task, answer: Answer) -> None:
        delay = backoff(self.config.retry_config, task.dispatch_count - 1)
        if answer.status in _OVERLOADED:
            pause = delay if answer.retry_after is None else answer.retry_after
            self._slow_until = time.monotonic() + pause
        task.schedule_time = datetime.now(UTC) + timedelta(seconds=delay)
        self._wait_for(task)


def backoff(config: types.RetryConfig, failures: int) -> float:
    """Return the pause in seconds: doubled for a while, then growing evenly."""
    least: float = config.min_backoff.total_seconds()
    longest: float = config.max_backoff.total_seconds()
    doublings: int = config.max_doublings
    doubled = least * 2.0 ** min(failures, doublings)
    evenly = least * 2.0**doublings * max(0, failures - doublings)
    return min(doubled + evenly, longest)
