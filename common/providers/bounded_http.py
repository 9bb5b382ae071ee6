"""Answers over HTTP that end: in size, and in time however slowly they drip."""

import time
from collections.abc import Iterator

import httpx2

_MAX_BYTES = 16 * 1024 * 1024  # a draft or 15 minutes of speech take under 1
_MAX_SECONDS = 540.0  # for the body; the ten minutes of one worker request, less slack


def bound(response: httpx2.Response) -> None:
    """Limit the body of an answer; a hook for responses of a client.

    Reading fails with ``ReadError`` beyond the size, ``ReadTimeout`` beyond the time.
    """
    if isinstance(response.stream, httpx2.SyncByteStream):
        response.stream = _Bounded(response.stream, _MAX_BYTES, _MAX_SECONDS)


class _Bounded(httpx2.SyncByteStream):
    """A body that ends with an error where it grows too large or takes too long."""

    def __init__(
        self, stream: httpx2.SyncByteStream, max_bytes: int, max_seconds: float
    ) -> None:
        self._stream = stream
        self._bytes_left = max_bytes
        self._ends = time.monotonic() + max_seconds

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:
                raise httpx2.ReadError("answer too large")
            if time.monotonic() > self._ends:
                raise httpx2.ReadTimeout("answer too slow")
            yield chunk

    def close(self) -> None:
        """Close the line."""
        self._stream.close()
