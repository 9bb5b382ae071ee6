"""What a benchmark ran on, and what its processes used."""

import os
import platform
import time
from dataclasses import dataclass

import psutil
from sqlalchemy import text

from common import db

_MIB = 1024 * 1024


def describe(url: str | None = None) -> str:
    """Return one line about this machine, with the version of the database at ``url``.

    Figures mean little without it.
    """
    parts = [
        f"{os.cpu_count()} cores",
        f"load {os.getloadavg()[0]:.1f}",
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"{platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}",
    ]
    if url is not None:
        with db.connect(url).begin() as session:
            version = session.execute(text("show server_version")).scalar()
        parts.append(f"PostgreSQL {version}")
    return ", ".join(parts)


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all that descend from it."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def pss_mib(process: psutil.Process) -> float:
    """Return a process's memory, its share of shared pages included."""
    return process.memory_full_info().pss / _MIB


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return what processes used so far, with their children that have ended."""
    return sum(sum(process.cpu_times()[:4]) for process in processes)


@dataclass
class Peak:
    """The most anonymous memory that a process tree held at once while it ran.

    Pages of files (code, the page cache of an upload) are not counted: the system takes
    them back whenever it needs to.
    """

    pid: int
    mib: float = 0.0

    def look(self) -> None:
        """Measure once more."""
        self.mib = max(self.mib, sum(_anonymous_mib(p) for p in tree(self.pid)))


def _anonymous_mib(process: psutil.Process) -> float:
    try:
        memory = process.memory_info()
    except psutil.NoSuchProcess:
        return 0.0
    return (memory.rss - memory.shared) / _MIB


def wait_while(running, look, *, every_seconds=0.05) -> None:
    """Call ``look`` again and again while ``running`` says so."""
    while running():
        look()
        time.sleep(every_seconds)
