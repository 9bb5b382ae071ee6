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
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from typing import IO, BinaryIO, cast

from common.errors import Unavailable
from common.serving import Server

log = logging.getLogger(__name__)

_ROOT = str(Path(__file__).parents[1])
# What an interpreter may need to start; none of it would be worth taking.
_PASSED_ON = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH")
_READ_BYTES = 65_536
_LISTEN_SECONDS = 0.25  # who wants a child to end need not wait longer
_LINE_BYTES = 1 << 20

# Files that are looked into at a time: a child may need as much memory as it is
# allowed, and the container of a process has room for so many of them.
_TOGETHER = 2
_TURN_SECONDS = 10.0  # ordinary files take 0.3: who waits so long meets a crowd
_turns = threading.BoundedSemaphore(_TOGETHER)


class Crowded(Unavailable):
    """Too many files are being looked into; try again shortly."""

    code = "checks_busy"
    retry_after_seconds = 10.0


@contextmanager
def turn() -> Iterator[None]:
    """Hold one of the few places for children that look into what somebody sent.

    Raises:
        Crowded: none came free.
    """
    if not _turns.acquire(timeout=_TURN_SECONDS):
        raise Crowded
    try:
        yield
    finally:
        _turns.release()


def limit(
    *, memory_bytes: int, cpu_seconds: int, file_bytes: int = 0, descriptors: int = 64
) -> None:
    """Hold this process, a child, to these limits; files that it was given included."""
    limits = {
        "RLIMIT_AS": memory_bytes,
        "RLIMIT_CPU": cpu_seconds,
        "RLIMIT_FSIZE": file_bytes,
        "RLIMIT_NOFILE": descriptors,  # libraries need some, while they are loaded
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


def talk(
    module: str,
    *,
    order: bytes,
    inputs: Sequence[BinaryIO],
    outputs: Sequence[BinaryIO],
    timeout_seconds: float,
) -> Generator[bytes | None, None, None]:
    """Run ``python -m module`` on several files; yield each line that it says.

    The child ends when the caller stops listening, or when its time is up.

    Args:
        module: one of ours; its arguments are the numbers of its inputs, which it
            opens by ``common.serving.given``, and those of its outputs.
        order: its standard input.
        inputs: seekable; none is used by anybody else meanwhile.
        outputs: files of the operating system, to be written.
        timeout_seconds: for all of it.

    Yields:
        None four times a second while it says nothing.

    Raises:
        TimeoutError: its time is up.
    """
    deadline = time.monotonic() + timeout_seconds
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        told = stack.enter_context(tempfile.TemporaryFile())
        told.write(order)
        told.seek(0)
        given = [stack.enter_context(_input(file)) for file in inputs]
        written = [file.fileno() for file in outputs]
        read = [descriptor for descriptor, _ in given]
        numbers = [",".join(map(str, part)) for part in (read, written)]
        child = stack.enter_context(
            _child(module, (*numbers,), told.fileno(), [*read, *written])
        )
        for _, server in given:
            if server is not None:
                server.start(ready)
        yield from _lines(cast("IO[bytes]", child.stdout), ready, deadline)


def _lines(
    output: IO[bytes], ready: selectors.BaseSelector, deadline: float
) -> Iterator[bytes | None]:
    """Yield what the child says line by line, and serve it its files meanwhile."""
    ready.register(output, selectors.EVENT_READ)
    said = b""
    while len(said) <= _LINE_BYTES:
        if time.monotonic() > deadline:
            raise TimeoutError
        found = ready.select(_LISTEN_SECONDS)
        _serve(found, output, ready)
        if not found:
            yield None
        if any(key.fileobj is output for key, _ in found):
            part = os.read(output.fileno(), _READ_BYTES)
            if not part:
                return
            *lines, said = (said + part).split(b"\n")
            yield from lines


def _serve(
    found: list[tuple[selectors.SelectorKey, int]],
    output: IO[bytes],
    ready: selectors.BaseSelector,
) -> None:
    for key, _ in found:
        if key.fileobj is not output:
            cast("Server", key.data).serve(ready)


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
        _serve(found, output, ready)
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
    module: str, arguments: tuple[str, ...], stdin: int, passing: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child in a process group of its own; at the end none of it is left."""
    child = subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-s", "-m", module, *arguments],
        stdin=stdin,
        pass_fds=tuple(passing),
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
