"""Look into an untrusted film, and copy it, from a process that may die of it."""

import json
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from common import sandbox
from common.errors import UnreadableMedia
from common.media.films.facts import Film

TIMEOUT_SECONDS = 20.0  # as ``common.media.check``
COPY_SECONDS = 480.0  # below the ten minutes that a task may take

_ANSWER_BYTES = 1 << 20  # a picture has 50 KB
_CODES = frozenset(
    {
        *("media_unreadable", "media_empty", "media_no_audio", "media_no_picture"),
        *("media_truncated", "media_too_long", "media_unsupported"),
    }
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A film, and a JPEG of it."""

    film: Film
    picture: bytes


class _Answer(BaseModel):
    """What a child says, who may be in the hands of whoever made the file."""

    model_config = ConfigDict(extra="forbid")

    film: Film
    picture: str


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str
    message: str


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")

    result: _Answer | _Refusal


def check(file: BinaryIO, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Seen:
    """Return what is in a film, after a picture and 30 s of its sound were decoded.

    Args:
        file: open and seekable; it may have no name.
        timeout_seconds: wall time for all of it.

    Raises:
        UnreadableMedia: it is no film that can be decoded, or it broke the child.
        Crowded: too many others are looked into.
    """
    with sandbox.turn():
        line = sandbox.ask(
            "common.media.films",
            file=file,
            timeout_seconds=timeout_seconds,
            most_bytes=_ANSWER_BYTES,
        )
    try:
        result = _Said.model_validate_json(line).result
        if isinstance(result, _Answer):
            return Seen(result.film, b64decode(result.picture, validate=True))
    except (ValidationError, Error):
        raise UnreadableMedia("The film is damaged: it cannot be examined.") from None
    raise _refused(result.code, result.message)


def preview(
    file: BinaryIO,
    target: BinaryIO,
    *,
    threads: int,
    most_bytes: int,
    tell: Callable[[float | None], object],
) -> bool:
    """Write a small copy of a film; return whether there is one now.

    There is none if it would have more bytes, or takes too long.

    Args:
        file: the film, seekable.
        target: an empty file of the operating system.
        threads: of the encoder.
        most_bytes: that the copy may have.
        tell: called with the seconds of the film that are done, or None, several
            times a second; what it raises ends the copying.

    Raises:
        UnreadableMedia: it cannot be decoded.
    """
    last = _Progress()
    lines = sandbox.talk(
        "common.media.films.copier",
        order=json.dumps({"threads": threads, "most_bytes": most_bytes}).encode(),
        inputs=(file,),
        outputs=(target,),
        timeout_seconds=COPY_SECONDS,
    )
    try:
        with closing(lines):  # which ends the child
            for line in lines:
                last = last if line is None else _Progress.model_validate_json(line)
                tell(last.seconds)
    except (TimeoutError, ValidationError):
        return False
    if last.code is not None:
        raise _refused(last.code, last.message)
    return last.done  # else it was stopped: by the size, or by the film


class _Progress(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seconds: float | None = None
    done: bool = False
    code: str | None = None
    message: str = ""


def _refused(code: str, message: str) -> UnreadableMedia:
    known = code if code in _CODES else UnreadableMedia.code
    return UnreadableMedia(message[:500], code=known)
