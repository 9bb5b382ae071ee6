"""Uploads to a folder, piece by piece: of each a file, as long as what is safe.

Nobody holds a lock while waiting for a client: each piece is written under one, at the
place where its sender thinks the file ends. So a second sender simply takes over from
one whose connection is dead, and that one is told when it wakes up.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self
from uuid import uuid4

from common.errors import Conflict, NotFound, TooLarge, Unavailable

# What a cut connection had brought of a piece is lost, unless the client hung up in
# order: 8 KiB on average. Larger pieces are hardly faster.
_PIECE_BYTES = 16 * 1024
_SESSION = re.compile(r"(\d{1,18}):([0-9a-f]{32})")


class Partial:
    """What an upload has brought so far; ``total_bytes`` is what it was opened for."""

    def __init__(self, path: Path, total_bytes: int) -> None:
        self.path = path
        self.total_bytes = total_bytes

    @staticmethod
    def begin(folder: Path, total_bytes: int) -> str:
        """Open an upload in this folder; return its name."""
        name = uuid4().hex
        with writable():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).touch(exist_ok=False)
        return f"{total_bytes}:{name}"

    @classmethod
    def named(cls, folder: Path, session: str) -> Self:
        """Return what ``begin`` has opened.

        Raises:
            NotFound: it can never have done so.
        """
        if not (found := _SESSION.fullmatch(session)):
            raise _missing()
        return cls(folder / found[2], int(found[1]))

    def safe_bytes(self) -> int:
        """Return how many bytes would survive if the power failed now.

        Raises:
            NotFound: the upload is over.
        """
        with self._opened() as file, writable():
            os.fsync(file)
            return os.fstat(file).st_size

    def append(self, offset: int, source: BinaryIO) -> int:
        """Write what belongs at ``offset``; see ``Storage.append``.

        An error of the source comes through as it is; what came before it is safe.
        """
        with self._opened() as file:
            self._require_end(file, offset)
            try:
                for piece in self._pieces(source, self.total_bytes - offset):
                    self._put(file, offset, piece)
                    offset += len(piece)
            finally:
                with writable():
                    os.fsync(file)
        return offset

    def _pieces(self, source: BinaryIO, left: int) -> Iterator[bytes]:
        """Yield what comes; the last piece only if nothing comes after it."""
        while left and (piece := source.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
            if not left and source.read(1):
                raise TooLarge("More bytes than the upload was opened for.")
            yield piece

    def _put(self, file: int, offset: int, piece: bytes) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)  # between processes, too
        try:
            self._require_end(file, offset)
            with writable():
                os.pwrite(file, piece, offset)
            self._require_end(file, offset + len(piece))  # a full disk takes a part
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def _require_end(self, file: int, offset: int) -> None:
        found = os.fstat(file)
        if not found.st_nlink:
            raise _missing()
        if found.st_size != offset:
            text = f"The upload stands at {found.st_size} bytes."
            raise Conflict(text, code="upload_offset")

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            file = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            raise _missing() from None
        try:
            yield file
        finally:
            os.close(file)


def remove_older(folder: Path, before: float) -> int:
    """Remove files that nobody has touched since ``before``, seconds since 1970."""
    removed = 0
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):  # its writer has just come to its end
            if path.stat().st_mtime < before:
                path.unlink()
                removed += 1
    return removed


@contextmanager
def writable() -> Iterator[None]:
    """Call a folder that takes no files an outage: full, read-only, not a folder."""
    try:
        yield
    except OSError as exc:
        raise Unavailable(f"Storage cannot be written: {exc}.") from exc


def _missing() -> NotFound:
    return NotFound("The upload session is over.", code="upload_missing")
