"""Which process works on a home: told by the kernel, not by a number in a file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.local.postgres.account import PostgresIsRunning
from common.local.postgres.folders import known_place

_LOCK_SECONDS = 3.0  # a server whose program was just killed needs a moment to stop
_LOOK_SECONDS = 0.05


@contextlib.contextmanager
def locked(own: Path) -> Iterator[int]:
    """Hold the home's lock and yield its descriptor.

    All processes of the server inherit the descriptor, so the kernel keeps the lock
    until the last one is gone, and no longer: nothing stale after kill -9 or a reboot.
    """
    lock = os.open(own / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise PostgresIsRunning(own, pid_file(known_place(own) / "data").pid)
            time.sleep(_LOOK_SECONDS)
        yield lock
    finally:
        os.close(lock)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@dataclass(frozen=True)
class PidFile:
    """What a postmaster writes into its data folder."""

    pid: int | None = None
    port: int | None = None
    status: str = ""


def pid_file(data: Path) -> PidFile:
    """Read the postmaster's own file; all fields are empty if there is none."""
    try:
        lines = (data / "postmaster.pid").read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return PidFile()
    lines += [""] * (8 - len(lines))
    pid, port = (int(n) if n.strip().isdigit() else None for n in (lines[0], lines[3]))
    return PidFile(pid, port, lines[7].strip())


def clear_stale_pid_file(data: Path) -> None:
    """Remove the pid file of a dead server; we hold the lock.

    PostgreSQL would refuse to start if the number in it has since gone to any other
    process of the same user, as happens after a reboot.

    Raises:
        PostgresIsRunning: a server not started by us works on the folder.
    """
    pid = pid_file(data).pid
    if pid is None or not Path("/proc/self/cwd").exists():
        return
    with contextlib.suppress(OSError):  # no such process, or not ours to look at
        if Path(f"/proc/{pid}/cwd").samefile(data):  # where each postmaster works
            raise PostgresIsRunning(data, pid)
    (data / "postmaster.pid").unlink()
