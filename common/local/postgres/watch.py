"""The small process between our program and the server; run by path, not imported.

It starts the server, keeps its log short, and stops it when told or when our program
is gone, however that ended: the pipe on its standard input then closes. Were the server
our own child, ``PR_SET_PDEATHSIG`` would also fire when the *thread* that started it
ends; this process has one thread for life. It uses the standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# Fast shutdown, then immediate, then the end; seconds to wait after each. A fast
# shutdown writes shared_buffers (32 MB) to disk, which takes a second at most.
STEPS = (signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0)
_LOG_BYTES = 1_000_000  # two files of this size: weeks of warnings
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def watch(
    command: Sequence[str],
    log: Path,
    *,
    orders: int = 0,
    steps: Sequence[tuple[signal.Signals, float]] = STEPS,
    **options: Any,  # noqa: ANN401 - passed on to Popen
) -> int:
    """Run ``command`` until it ends, or until anything happens on ``orders``.

    Args:
        command: the server.
        log: takes its output; rotated to ``<log>.1`` when it is full.
        orders: file descriptor; a byte or its end means "stop".
        steps: signals to stop with, in order, and seconds to wait after each.
        options: for Popen: account, descriptors to keep open.

    Returns:
        The server's exit status, as Popen gives it.
    """
    server = subprocess.Popen(  # noqa: S603 - a list, never a shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509 - one thread only
        **options,
    )
    with server:
        _attend(server, log, orders, steps)
        if server.poll() is None:
            server.kill()
    return server.returncode


def _attend(
    server: subprocess.Popen[bytes],
    log: Path,
    orders: int,
    steps: Sequence[tuple[signal.Signals, float]],
) -> None:
    """Return when all processes of the server are gone, or the last step is over."""
    output = server.stdout.fileno() if server.stdout else -1
    sources, remaining, deadline = [output, orders], iter(steps), float("inf")
    while True:
        ready = _ready(sources, deadline)
        if output in ready:
            lines = os.read(output, 65536)
            if not lines:
                return
            append(log, lines)
        if orders in ready or time.monotonic() >= deadline:
            sources = [output]
            step = next(remaining, None)
            if step is None:
                return
            server.send_signal(step[0])
            deadline = time.monotonic() + step[1]


def _ready(sources: list[int], deadline: float) -> list[int]:
    left = deadline - time.monotonic()
    timeout = None if left == float("inf") else max(0.0, left)
    return select.select(sources, [], [], timeout)[0]


def append(log: Path, lines: bytes, *, limit_bytes: int = _LOG_BYTES) -> None:
    """Add ``lines`` to the log, which begins anew when it is full."""
    # A full disk or a deleted home costs the log lines, not the running server.
    with contextlib.suppress(OSError):
        if log.exists() and log.stat().st_size + len(lines) > limit_bytes:
            log.replace(log.with_name(f"{log.name}.1"))
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(lines)


def _end_with(parent: int) -> Callable[[], None] | None:
    """Make a hook that ties the server to this process, where the system can (Linux).

    It runs between the change of account, which would undo it, and the exec.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def hook() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return hook


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    watch(order["command"], Path(order["log"]), **order["options"])
