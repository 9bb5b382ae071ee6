"""Look into an untrusted file from a process that may die of it."""

from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from common import sandbox
from common.errors import UnreadableMedia
from common.media.facts import Facts

TIMEOUT_SECONDS = 20.0  # 30 s of sound take 0.2 s; a busy machine may need far more
_ANSWER_BYTES = 16_384  # facts are 150 bytes; more is not an answer


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
    """Do as ``check`` does, with a file that is open and may have no name any more.

    Raises:
        Crowded: too many others are looked into.
    """
    with sandbox.turn():
        line = sandbox.ask(
            "common.media",
            file=file,
            timeout_seconds=timeout_seconds,
            most_bytes=_ANSWER_BYTES,
        )
    try:
        result = _Answer.model_validate_json(line).result
    except ValidationError:
        raise UnreadableMedia("The file is damaged: it cannot be examined.") from None
    if isinstance(result, _Refusal):
        raise UnreadableMedia(result.message, code=result.code)
    return result
