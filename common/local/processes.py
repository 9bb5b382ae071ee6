"""Child processes: started, watched, stopped, and none that outlives its parent."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Stopped(BaseException):
    """Somebody wants this program to stop; ``number`` is the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop_on_signals() -> None:
    """Have the first SIGTERM, SIGHUP or Ctrl-C raise ``Stopped``, and no later one.

    To stop takes seconds; an impatient second Ctrl-C must not leave half of it running.
    """
    numbers = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
        numbers.remove(signal.SIGHUP)

    def stop(number: int, _frame: FrameType | None) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    for number in numbers:
        signal.signal(number, stop)


@dataclass
class Service:
    """One process with its children, and how to start it again."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: IO[bytes] | None
    _process: subprocess.Popen[bytes] | None = field(init=False, default=None)

    @property
    def pid(self) -> int | None:
        """The process; None before the first start."""
        return None if self._process is None else self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it was started and is gone."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            self.command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=end_with_parent(os.getpid(), signal.SIGTERM),  # noqa: PLW1509
            start_new_session=True,  # Ctrl-C is ours to pass on, in the right order
        )

    def ask_to_stop(self) -> None:
        """Send SIGTERM, and do not wait."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, seconds: float) -> None:
        """Wait for the end; what is there after ``seconds`` is killed."""
        if self._process is None:
            return
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, seconds))
        self.kill()

    def kill(self) -> None:
        """Kill the process and what it started, also what it left behind."""
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):  # macOS: all are zombies
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads its own group
        self._process.wait()


def end_with_parent(parent: int, number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child must call to be sent ``number`` when its parent dies.

    For ``preexec_fn``. Linux counts the thread that started the child as the parent, so
    start from the main thread. None where the system has no such thing (macOS): a
    kill -9 of the parent then leaves its children running.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)  # loaded here: not safe after fork

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask
