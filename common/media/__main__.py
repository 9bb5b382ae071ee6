"""The child of ``common.media.check``: a file on standard input, a line of JSON out.

It imports little, because an upload waits for it.
"""

import json
import os
import resource
import sys
from contextlib import suppress
from typing import BinaryIO

_LIMITS = {
    "RLIMIT_AS": 1 << 30,  # bytes; ordinary files need 0.15 GB
    "RLIMIT_CPU": 15,  # seconds; ordinary files need 0.2
    "RLIMIT_FSIZE": 0,  # nothing is written to files
    "RLIMIT_NOFILE": 64,  # libraries, while they are loaded
    "RLIMIT_CORE": 0,
}
_FIRST_BYTES = 30 * 16_000 * 2  # 30 s


def main() -> None:
    """Answer for the file on standard input, and end."""
    _limit()
    sys.stdout.write(answer(sys.stdin.buffer) + "\n")
    sys.stdout.flush()
    os._exit(0)  # decoders of a broken file need not be taken apart in order


def answer(file: BinaryIO) -> str:
    """Return ``{"result": …}`` as JSON: the facts, or code and message of a refusal."""
    from common.errors import UnreadableMedia  # noqa: PLC0415 - limits come first

    result: dict[str, object]
    try:
        result = _examined(file)
    except UnreadableMedia as exc:
        result = {"code": exc.code, "message": str(exc)}
    return json.dumps({"result": result})


def _limit() -> None:
    for name, most in _LIMITS.items():
        with suppress(ValueError, OSError):  # macOS refuses some of them
            resource.setrlimit(getattr(resource, name), (most, most))


def _examined(file: BinaryIO) -> dict[str, object]:
    from dataclasses import asdict  # noqa: PLC0415

    from common.media.container import decode, probe  # noqa: PLC0415

    facts = probe(file)
    file.seek(0)
    heard = 0
    for block in decode(file):
        heard += len(block)
        if heard >= _FIRST_BYTES:
            break
    return asdict(facts)


if __name__ == "__main__":
    main()
