"""The loop of a helper: claim, fetch, send; and patience whenever something fails."""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scripts.youtube_helper.server import Away, BadToken, Refused, Server, Task
from scripts.youtube_helper.youtube import NotThere

log = logging.getLogger(__name__)

Fetch = Callable[[str], dict[str, Any]]

_FIRST_SECONDS = 1.0
_MOST_SECONDS = 60.0
_CLAIM_SECONDS = 110.0  # the server gives 120
_ANSWERED_SECONDS = 1.0  # a server that has no task waits; one that does not is ill


@dataclass
class Patience:
    """Longer and longer pauses, each different, until something succeeds."""

    stop: threading.Event
    most_seconds: float = _MOST_SECONDS
    failures: int = 0

    def wait(self, at_least_seconds: float = 0.0) -> None:
        """Pause; return early when the helper is to stop."""
        usual = min(self.most_seconds, _FIRST_SECONDS * 2**self.failures)
        self.failures += 1
        chance = random.uniform(0.5, 1.0)  # noqa: S311 - it only spreads helpers
        self.stop.wait(max(usual * chance, at_least_seconds))

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0


@dataclass
class Helper:
    """One kind of task, worked on one after the other until ``stop`` is set."""

    server: Server
    kind: str
    fetch: Fetch
    wait_seconds: int = 30
    stop: threading.Event = field(default_factory=threading.Event)
    most_pause_seconds: float = _MOST_SECONDS

    def run(self) -> None:
        """Work until the helper is to stop."""
        patience = Patience(self.stop, self.most_pause_seconds)
        while not self.stop.is_set():
            self._step(patience)

    def _step(self, patience: Patience) -> None:
        started = time.monotonic()
        try:
            task = self.server.claim(self.kind, self.wait_seconds)
        except Away as exc:
            log.warning("%s: no task (%s)", self.kind, exc)
            patience.wait(exc.retry_after_seconds)
        except BadToken as exc:
            log.error("%s: check ADMIN_TOKEN (%s)", self.kind, exc)  # noqa: TRY400
            patience.wait(self.most_pause_seconds)
        except Refused as exc:
            log.error("%s: the server takes no helpers (%s)", self.kind, exc)  # noqa: TRY400
            patience.wait(self.most_pause_seconds)
        else:
            if task is None and time.monotonic() - started < _ANSWERED_SECONDS:
                patience.wait()
                return
            patience.succeeded()
            if task is not None:
                self._work_on(task)

    def _work_on(self, task: Task) -> None:
        ends = time.monotonic() + _CLAIM_SECONDS
        try:
            result = {"success": True, **self.fetch(task.video_id)}
        except NotThere as exc:
            result = {"success": False, "error_message": str(exc)}
        patience = Patience(self.stop, self.most_pause_seconds)
        while time.monotonic() < ends:
            try:
                status = self.server.submit(task, result)
            except Away as exc:
                log.warning("%s %s: not sent (%s)", self.kind, task.video_id, exc)
                patience.wait(exc.retry_after_seconds)
            except Refused as exc:
                log.error("%s %s: not taken (%s)", self.kind, task.video_id, exc)  # noqa: TRY400
                return
            else:
                log.info("%s %s: %s", self.kind, task.video_id, status)
                return
            if self.stop.is_set():
                return
