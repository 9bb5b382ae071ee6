"""What a benchmark ran on, and what its processes used."""

import os
import platform
import threading
from contextlib import suppress
from typing import Self

import psutil
from sqlalchemy import text

from common import db

_MIB = 1024 * 1024
_LOOK_SECONDS = 0.05


def describe(url: str) -> str:
    """Return one line about this machine and the database at ``url``.

    Figures mean little without it, and nothing on a machine that is busy otherwise.
    """
    factory = db.connect(url)
    with db.reading(factory) as session:
        version = session.scalar(text("show server_version"))
    factory.kw["bind"].dispose()
    return ", ".join(
        [
            f"{os.cpu_count()} cores",
            f"load {os.getloadavg()[0]:.1f}",
            f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
            f"{platform.system()} {platform.machine()}",
            f"Python {platform.python_version()}",
            f"PostgreSQL {version}",
        ]
    )


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def pss_mib(process: psutil.Process) -> float:
    """Return a process's memory, its share of shared pages included."""
    return float(process.memory_full_info().pss) / _MIB


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return what processes used so far, with their children that have ended."""
    return sum(sum(process.cpu_times()[:4]) for process in processes)


class Growth:
    """How much more memory a process and its children hold at the peak of a block.

    Pages of files (code, or what waits in the page cache) do not count: the system
    takes them back whenever it needs to.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = self._peak = self._held_mib()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def mib(self) -> float:
        """The growth so far."""
        return self._peak - self._start

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._peak = max(self._peak, self._held_mib())

    def _held_mib(self) -> float:
        held = 0.0
        for process in tree(self._pid):
            with suppress(psutil.NoSuchProcess):  # it ended since
                memory = process.memory_info()
                held += (memory.rss - memory.shared) / _MIB
        return held
