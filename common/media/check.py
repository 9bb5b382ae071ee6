"""Look into an untrusted file from a process that may die of it."""

import logging
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import UnreadableMedia
from common.media.facts import Facts

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20.0  # 30 s of sound take 0.2 s; a busy machine may need far more
_ANSWER_BYTES = 16_384  # facts are 150 bytes; more is not an answer
_ROOT = str(Path(__file__).parents[2])
# What an interpreter may need to start. No keys, no addresses: nothing that would be
# worth taking.
_PASSED_ON = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH")


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: Literal[
        "media_unreadable",
        "media_empty",
        "media_no_audio",
        "media_truncated",
        "media_too_long",
        "media_unsupported",
    ]
    message: str


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    result: Facts | _Refusal


def check(path: Path, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Facts:
    """Return what a file holds, after its first 30 s have been decoded.

    A child process does it, with limits on memory and time. It is given the open file
    and nothing else; a file can break that process, but not this one.

    Args:
        path: a local file.
        timeout_seconds: wall time for all of it.

    Raises:
        UnreadableMedia: the file has no sound that can be decoded, or it broke the
            child.
        OSError: ``path`` cannot be opened.
    """
    with path.open("rb") as file:
        return check_open(file, timeout_seconds=timeout_seconds)


def check_open(file: BinaryIO, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Facts:
    """Do as ``check`` does, with a file that is open and may have no name any more."""
    line = _ask_child(file, time.monotonic() + timeout_seconds)
    try:
        result = _Answer.model_validate_json(line).result
    except ValidationError:
        raise UnreadableMedia("The file is damaged: it cannot be examined.") from None
    if isinstance(result, _Refusal):
        raise UnreadableMedia(result.message, code=result.code)
    return result


def _ask_child(file: BinaryIO, deadline: float) -> bytes:
    """Return what the child says, or as much of it as it said in time."""
    with _child(file) as child, selectors.DefaultSelector() as ready:
        answer = b""
        output = cast("IO[bytes]", child.stdout)  # PIPE, so not None
        ready.register(output, selectors.EVENT_READ)
        while len(answer) < _ANSWER_BYTES:
            if not ready.select(max(0.0, deadline - time.monotonic())):
                log.warning("media check: time is up")
                break
            part = os.read(output.fileno(), _ANSWER_BYTES)
            if not part:
                break
            answer += part
    if child.returncode:
        log.warning("media check: child ended with %d", child.returncode)
    return answer


@contextmanager
def _child(file: BinaryIO) -> Iterator[subprocess.Popen[bytes]]:
    """Start the child in a process group of its own; at the end none of it is left."""
    child = subprocess.Popen(
        [sys.executable, "-s", "-m", "common.media"],
        stdin=file,
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
