"""The child that reads a PDF from standard input: ``check`` or ``pages``.

It writes JSON lines: first what it found or refused, then one text per page.
"""

import json
import os
import sys
from collections.abc import Iterator
from itertools import islice

from common import sandbox, serving

_MEMORY_BYTES = 512 << 20  # as common.media: 2,000 dense pages need 0.1 GB
_CPU_SECONDS = {"check": 15, "pages": 300}
_CHECKED_PAGES = 20  # a longer document is read in full by the worker only


def main() -> None:
    """Answer and end."""
    task = sys.argv[1]
    sandbox.limit(memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS[task])
    for line in answer(task):
        sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    os._exit(0)


def answer(task: str) -> Iterator[object]:
    """Yield what is written: a refusal, or the facts and then the pages."""
    from common.documents import reading  # noqa: PLC0415 - limits come first
    from common.errors import UnreadableDocument  # noqa: PLC0415

    try:
        reader = reading.opened(serving.given())
        texts = reading.pages(reader)
        if task == "check":
            reading.require_text(islice(texts, _CHECKED_PAGES), len(reader.pages))
        yield {"pages": len(reader.pages)}
    except UnreadableDocument as exc:
        yield {"code": exc.code, "message": str(exc)}
        return
    if task == "pages":
        yield from texts


if __name__ == "__main__":
    main()
