"""Untrusted files are opened in a process that may die of them.

The child is given the open file as its standard input and nothing else: no path, no
keys, no network addresses. Limits on memory and time hold whatever the file does. What
has no descriptor, as an object in a bucket, is served to it, see ``common.serving``.
"""

import logging
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import IO, BinaryIO, cast

from common.serving import Server

log = logging.getLogger(__name__)

_ROOT = str(Path(__file__).parents[1])
# What an interpreter may need to start; none of it would be worth taking.
_PASSED_ON = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH")
_READ_BYTES = 65_536


def limit(*, memory_bytes: int, cpu_seconds: int) -> None:
    """Hold this process, a child, to these limits; it may write no file."""
    limits = {
        "RLIMIT_AS": memory_bytes,
        "RLIMIT_CPU": cpu_seconds,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 64,  # libraries, while they are loaded
        "RLIMIT_CORE": 0,
    }
    for name, most in limits.items():
        with suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(getattr(resource, name), (most, most))


def ask(
    module: str,
    *arguments: str,
    file: BinaryIO,
    timeout_seconds: float,
    most_bytes: int,
) -> bytes:
    """Run ``python -m module`` on the file; return what it says.

    Args:
        module: one of ours, which takes its file from ``common.serving.given``.
        arguments: of the command.
        file: seekable. Its errors come through, and time that it takes to read.
        timeout_seconds: for all of it.
        most_bytes: of the answer; the child ends when it has said so many.

    Returns:
        Its standard output, or as much of it as it said in time and size.
    """
    deadline = time.monotonic() + timeout_seconds
    with (
        _input(file) as (descriptor, server),
        _child(module, arguments, descriptor) as child,
        selectors.DefaultSelector() as ready,
    ):
        if server is not None:
            server.start(ready)
        answer = _answer(cast("IO[bytes]", child.stdout), ready, deadline, most_bytes)
    if child.returncode:
        log.warning("sandbox: child ended with %d", child.returncode)
    return answer


def _answer(
    output: IO[bytes], ready: selectors.BaseSelector, deadline: float, most_bytes: int
) -> bytes:
    """Return what the child says, and serve it its file meanwhile."""
    answer = bytearray()
    ready.register(output, selectors.EVENT_READ)
    while len(answer) < most_bytes:
        found = ready.select(max(0.0, deadline - time.monotonic()))
        if not found or time.monotonic() > deadline:
            log.warning("sandbox: time is up")
            break
        for key, _ in found:
            if key.fileobj is not output:
                cast("Server", key.data).serve(ready)
        if any(key.fileobj is output for key, _ in found):
            part = os.read(output.fileno(), _READ_BYTES)
            if not part:
                break
            answer += part
    return bytes(answer)


@contextmanager
def _input(file: BinaryIO) -> Iterator[tuple[int, Server | None]]:
    """Yield what the child gets as standard input, and who is behind it, if anybody."""
    try:
        descriptor = file.fileno()
    except (AttributeError, UnsupportedOperation):
        descriptor = -1
    if descriptor >= 0:
        yield descriptor, None
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs.fileno(), Server(ours, file)


@contextmanager
def _child(
    module: str, arguments: tuple[str, ...], stdin: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child in a process group of its own; at the end none of it is left."""
    child = subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-s", "-m", module, *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={
            "PYTHONPATH": _ROOT,
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        },
        start_new_session=True,
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError, PermissionError):  # gone already
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        cast("IO[bytes]", child.stdout).close()
