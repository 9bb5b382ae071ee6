"""A file of a form while it arrives: from the line to the storage, and nowhere between.

``request.files`` would have it on a disk of ours before the first line of a route runs.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, cast

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import (
    Data,
    Epilogue,
    File,
    MultipartDecoder,
    NeedData,
)

from common.errors import BadRequest, TooLarge

_READ_BYTES = 256 * 1024
_FORM_BYTES = 128 * 1024  # text fields and the multipart frame around the file
_MOST_PARTS = 40


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a form; ``stream`` can be read once, in order."""

    filename: str
    stream: BinaryIO


def arriving(name: str, *, limit_bytes: int) -> Part | None:
    """Return the file of this field; None if the request has none.

    Raises:
        BadRequest: the form cannot be read.
        TooLarge: it says that it is over the limit; ``stream`` raises it later on.
    """
    boundary = request.mimetype_params.get("boundary")
    if request.mimetype != "multipart/form-data" or not boundary:
        return None
    if (request.content_length or 0) > limit_bytes + _FORM_BYTES:
        raise too_large(limit_bytes)
    stream = _Stream(boundary.encode("latin-1", "replace"), limit_bytes)
    filename = stream.find(name)
    return None if filename is None else Part(filename, cast("BinaryIO", stream))


def too_large(limit_bytes: int) -> TooLarge:
    """Return what is said of a file with more bytes."""
    return TooLarge(f"The file exceeds the upload limit of {limit_bytes} bytes.")


class _Stream(io.RawIOBase):
    def __init__(self, boundary: bytes, limit_bytes: int) -> None:
        self._decoder = MultipartDecoder(
            boundary, max_form_memory_size=_FORM_BYTES * 4, max_parts=_MOST_PARTS
        )
        self._limit = limit_bytes
        self._taken = 0
        self._ready = memoryview(b"")
        self._more = True

    def find(self, name: str) -> str | None:
        """Go to the file of this field; return what its client calls it."""
        while event := self._next():
            if isinstance(event, File) and event.name == name and event.filename:
                return event.filename
        return None

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        """Fill the buffer as far as more has arrived; 0 only at the end.

        Raises:
            BadRequest: the form breaks off.
            TooLarge: there is a byte too many.
        """
        while not self._ready and self._more:
            event = self._next()
            if not isinstance(event, Data):
                raise BadRequest("The form breaks off.", code="form_broken")
            self._ready, self._more = memoryview(event.data), event.more_data
        part = self._ready[: len(buffer)]
        buffer[: len(part)] = part
        self._ready = self._ready[len(part) :]
        self._taken += len(part)
        if self._taken > self._limit:
            raise too_large(self._limit)
        return len(part)

    def _next(self) -> object | None:
        """Return what comes next in the form, None at its end."""
        while isinstance(event := self._event(), NeedData):
            arrived = request.stream.read(_READ_BYTES)
            self._take(arrived or None)
        return None if isinstance(event, Epilogue) else event

    def _event(self) -> object:
        with _readable():
            return self._decoder.next_event()

    def _take(self, arrived: bytes | None) -> None:
        with _readable():
            self._decoder.receive_data(arrived)


@contextmanager
def _readable() -> Iterator[None]:
    """Call a form that is none, or too large beside its file, a bad request."""
    try:
        yield
    except (ValueError, RequestEntityTooLarge) as exc:
        raise BadRequest("The form cannot be read.", code="form_broken") from exc
