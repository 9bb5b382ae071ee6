"""A stored object as a stream that can be moved in, read range by range."""

import io
from collections.abc import Callable
from typing import BinaryIO, cast

from common.errors import Unavailable
from common.providers.storage.sources import Digest

FIRST_BYTES = 256 * 1024  # a container's header; most documents are smaller
_MOST_BYTES = 8 * 1024 * 1024  # at a time, for one who reads on and on
_BUFFER_BYTES = 64 * 1024  # spares the smallest reads a way through Python

Fetch = Callable[[int, int], bytes]


def ranged(
    size_bytes: int, first: bytes, fetch: Fetch, digest: Digest, expected: bytes | None
) -> BinaryIO:
    """Return a seekable stream that holds one range of the object at a time.

    Who reads in order gets ever longer ranges. Who has read all of it in order is told
    if it is not what was stored; small objects are checked before the first byte.

    Args:
        size_bytes: how long the object is.
        first: its first bytes, at least one unless it is empty.
        fetch: returns the bytes from a place up to another.
        digest: an empty sum, for the check.
        expected: what it must be in the end; None if nobody knows.

    Raises:
        Unavailable: the object is small and damaged.
    """
    raw = _Ranged(size_bytes, fetch, _Check(size_bytes, digest, expected))
    raw.keep(0, first)
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER_BYTES))


class _Check:
    """Sums up an object as long as it comes in order."""

    def __init__(self, size_bytes: int, digest: Digest, expected: bytes | None) -> None:
        self._size, self._digest, self._expected = size_bytes, digest, expected
        self._summed = 0

    def take(self, start: int, piece: bytes) -> None:
        if start != self._summed or self._expected is None:
            return
        self._digest.update(piece)
        self._summed += len(piece)
        if self._summed == self._size and self._digest.digest() != self._expected:
            raise Unavailable("A stored object was damaged on its way; try again.")


class _Ranged(io.RawIOBase):
    def __init__(self, size_bytes: int, fetch: Fetch, check: _Check) -> None:
        self._size, self._fetch, self._check = size_bytes, fetch, check
        self._place = 0
        self._start, self._piece = 0, b""
        self._ahead = FIRST_BYTES

    def keep(self, start: int, piece: bytes) -> None:
        self._check.take(start, piece)
        self._start, self._piece = start, piece

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}
        place = base[whence] + offset
        if place < 0:
            raise ValueError(f"negative seek position {place}")
        self._place = place
        return place

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        if self._place >= self._size:
            return 0
        if not self._start <= self._place < self._start + len(self._piece):
            self._load()
        offset = self._place - self._start
        part = memoryview(self._piece)[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def _load(self) -> None:
        """Get the range at the present place; a longer one if it is the next one."""
        in_order = self._place == self._start + len(self._piece)
        self._ahead = min(self._ahead * 2, _MOST_BYTES) if in_order else FIRST_BYTES
        stop = min(self._place + self._ahead, self._size)
        self._piece = b""  # before the next one comes: not two at a time
        self._start = self._place
        piece = self._fetch(self._place, stop)
        if len(piece) != stop - self._place:
            raise Unavailable("A stored object broke off on its way; try again.")
        self.keep(self._place, piece)
