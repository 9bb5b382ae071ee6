"""The child of ``common.media.films.check.preview``: one film in, a smaller one out.

Its arguments are the numbers of the two files. After each second of work it says how
far it is.
"""

import json
import os
import sys
import time
from typing import Any, BinaryIO, cast

from common import sandbox, serving

_MEMORY_BYTES = 3 << 30  # of address space: each thread takes a share
_CPU_SECONDS = 1200  # the parent's clock is what ends it


def main() -> None:
    """Copy, say that it is done, and end."""
    source, target = map(int, sys.argv[1:3])
    order = json.load(sys.stdin)
    sandbox.limit(
        memory_bytes=_MEMORY_BYTES,
        cpu_seconds=_CPU_SECONDS,
        file_bytes=order["most_bytes"],
    )
    _say(_copied(source, target, order["threads"]))
    os._exit(0)  # decoders of a broken file need not be taken apart in order


def _copied(source: int, target: int, threads: int) -> dict[str, object]:
    from common.errors import UnreadableMedia  # noqa: PLC0415 - limits come first
    from common.media.films.preview import make  # noqa: PLC0415

    told = time.monotonic()

    def tell(seconds: float) -> None:
        nonlocal told
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            _say({"seconds": seconds})

    with os.fdopen(target, "w+b") as file:
        copy, film = _Watched(file), serving.given(source)
        try:
            make(film, cast("BinaryIO", copy), threads=threads, tell=tell)
        except UnreadableMedia as exc:
            if copy.full:  # it is not the film that is to blame
                return {"done": False}
            return {"code": exc.code, "message": str(exc)}
    return {"done": not copy.full}


class _Watched:
    """A file that remembers whether it was told to take more than it may."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.full = False

    def write(self, piece: bytes) -> int:
        try:
            written = self._file.write(piece)
            self._file.flush()
        except OSError:
            self.full = True
            raise
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the file itself
        return getattr(self._file, name)


def _say(document: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
