"""The child of ``common.timeline.studio``: an order on standard input, files by number.

Its arguments are the descriptors that it reads from and those that it writes to.
"""

import os
import sys
from typing import BinaryIO

from common import sandbox, serving

_MEMORY_BYTES = 4 << 30  # of address space; 1080p needs some 1.5 GB of that
_FILE_BYTES = 4 << 30  # more than the longest film has at its highest rate
_DESCRIPTORS = 1024


def main() -> None:
    """Do what is ordered, say so, and end."""
    from common.timeline.orders import CPU_SECONDS, Order  # noqa: PLC0415

    sandbox.limit(
        memory_bytes=_MEMORY_BYTES,
        cpu_seconds=CPU_SECONDS,
        file_bytes=_FILE_BYTES,
        descriptors=_DESCRIPTORS,
    )
    inputs, outputs = (_numbers(text) for text in sys.argv[1:3])
    order = Order.model_validate_json(sys.stdin.buffer.read()).order
    from common.timeline import labour  # noqa: PLC0415 - limits come first

    files = [serving.given(number) for number in inputs]
    written: list[BinaryIO] = [os.fdopen(number, "w+b") for number in outputs]
    for line in labour.done(order, files, written):
        sys.stdout.write(line.model_dump_json(exclude_defaults=True) + "\n")
        sys.stdout.flush()
    for file in written:
        file.flush()
    os._exit(0)  # decoders of a broken file need not be taken apart in order


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",") if number]


if __name__ == "__main__":
    main()
