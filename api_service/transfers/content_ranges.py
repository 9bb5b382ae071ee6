"""The bodies of uploads: which bytes they say that they are, and those bytes.

Spelled as resumable sessions of Cloud Storage do, so that clients need not know whether
they send to a bucket or to us.
"""

import io
import re
from dataclasses import dataclass
from typing import BinaryIO

from werkzeug.exceptions import ClientDisconnected

from common.errors import BadRequest, TooLarge

_FORM = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)")


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes ``start`` up to ``stop`` of the whole; none if they are the same."""

    start: int
    stop: int


def piece(header: str | None, length: int | None, size_bytes: int) -> Piece | None:
    """Return which bytes a request sends; None: it only asks how far we are.

    Args:
        header: ``Content-Range``; without one the body is the whole.
        length: ``Content-Length``; None if that is not known beforehand.
        size_bytes: what the upload was opened for.

    Raises:
        BadRequest: header and length do not fit, or they mean another size.
        TooLarge: it reaches beyond the end.
    """
    if header is None:
        found = Piece(0, size_bytes)
    else:
        form = _FORM.fullmatch(header.strip())
        if form is None or form[3] not in ("*", str(size_bytes)):
            raise BadRequest(
                f"Content-Range must be of {size_bytes} bytes.", code="upload_range"
            )
        if form[1] is None:
            return None
        found = Piece(int(form[1]), int(form[2]) + 1)
    if max(found.stop, found.start + (length or 0)) > size_bytes:
        raise TooLarge(f"The upload has only {size_bytes} bytes.")
    if found.start >= found.stop or length not in (None, found.stop - found.start):
        raise BadRequest(
            "Content-Length is not what Content-Range says.", code="upload_range"
        )
    return found


class Body(io.RawIOBase):
    """What arrives of a request's body; where it is cut off, it is at its end.

    Args:
        stream: the body.
        most_bytes: no more than these are read.
    """

    def __init__(self, stream: BinaryIO, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes
        self.cut = False

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Fill the buffer as far as it is there."""
        wanted = min(len(buffer), self._left)
        if not wanted or self.cut:
            return 0
        try:
            part = self._stream.read(wanted)
        except (ClientDisconnected, OSError):
            self.cut = True
            return 0
        buffer[: len(part)] = part
        self._left -= len(part)
        return len(part)

    def skip(self, count: int) -> None:
        """Pass over bytes that are not needed."""
        while count and (part := self.read(min(count, io.DEFAULT_BUFFER_SIZE))):
            count -= len(part)


class Limited(io.RawIOBase):
    """A body of unknown length that may not be longer than this."""

    def __init__(self, stream: BinaryIO, limit_bytes: int) -> None:
        self._stream = stream
        self._limit = limit_bytes
        self._read = 0

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Fill the buffer.

        Raises:
            TooLarge: there is a byte too many.
        """
        part = self._stream.read(len(buffer))
        buffer[: len(part)] = part
        self._read += len(part)
        if self._read > self._limit:
            raise TooLarge(f"Audio file exceeds upload limit of {self._limit} bytes.")
        return len(part)
