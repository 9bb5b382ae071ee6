"""The child of ``common.media.check``: a file on standard input, a line of JSON out.

It imports little, because an upload waits for it.
"""

import json
import os
import sys
from typing import BinaryIO

from common import sandbox, serving

# Two of them and the API have to fit into its container. The largest legal files, 8
# channels or 12 hours, need 0.16 GB of address space; from a bucket 0.07 GB more.
_MEMORY_BYTES = 512 << 20
_CPU_SECONDS = 15  # ordinary files need 0.2
_FIRST_BYTES = 30 * 16_000 * 2  # 30 s


def main() -> None:
    """Answer for the file on standard input, and end."""
    sandbox.limit(memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS)
    sys.stdout.write(answer(serving.given()) + "\n")
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
