"""What is on its way into a bucket."""

from hashlib import sha256
from typing import BinaryIO, Protocol


class Digest(Protocol):
    """A sum that grows with the bytes, as those of ``hashlib`` do."""

    def update(self, piece: bytes, /) -> object:
        """Take more bytes."""

    def digest(self) -> bytes:
        """Return the sum of all bytes so far."""


class BrokenSourceError(Exception):
    """Reading failed, not storing; the cause says why.

    No OSError: clients of vendors take those for their own and try again, and a source
    that is asked again may claim to be at its end.
    """


class Measured:
    """A source in full pieces, counted and summed while it is read.

    What it has read once is not read again: ``look_ahead`` keeps it for ``read``.
    """

    def __init__(self, source: BinaryIO, *digests: Digest) -> None:
        self._source = source
        self._sha256 = sha256()
        self._digests = (self._sha256, *digests)
        self._ahead = b""
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        """The sum of what was read so far, in lower-case hex."""
        return self._sha256.hexdigest()

    def tell(self) -> int:
        """Return how much ``read`` has given out."""
        return self.size_bytes - len(self._ahead)

    def look_ahead(self, size: int) -> int:
        """Return how many bytes come first; fewer than ``size`` are all."""
        self._ahead = self._fill(size)
        return len(self._ahead)

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes; fewer only at the end.

        Raises:
            BrokenSourceError: the source cannot be read on.
        """
        if not self._ahead:
            return self._fill(size)
        piece, self._ahead = self._ahead, b""
        if len(piece) <= size:
            return piece + self._fill(size - len(piece))
        self._ahead = piece[size:]
        return piece[:size]

    def whole_sha256(self, piece_bytes: int) -> str | None:
        """Return the sum of all there is, before it is read; None of a mere stream."""
        if not self._source.seekable():
            return None
        digest, place = self._sha256.copy(), self._source.tell()
        while piece := self._source.read(piece_bytes):
            digest.update(piece)
        self._source.seek(place)
        return digest.hexdigest()

    def read_to_end(self, piece_bytes: int) -> None:
        """Count and sum the rest."""
        while self.read(piece_bytes):
            continue

    def _fill(self, size: int) -> bytes:
        """Read until ``size`` bytes are there: a socket gives what it has."""
        pieces, missing = [], size
        while missing and (piece := self._read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, size: int) -> bytes:
        try:
            piece = self._source.read(size)
        except OSError as exc:
            raise BrokenSourceError from exc
        for digest in self._digests:
            digest.update(piece)
        self.size_bytes += len(piece)
        return piece
