"""The child of ``common.media.films.check``: a film on standard input, JSON out.

It imports little, because an upload waits for it.
"""

import json
import os
import sys
from base64 import b64encode
from typing import BinaryIO

from common import sandbox, serving

_MEMORY_BYTES = 768 << 20  # a 4K decoder needs 0.4 GB; two have to fit beside the API
_CPU_SECONDS = 15  # ordinary films need 0.3
_FIRST_BYTES = 30 * 16_000 * 2  # 30 s of sound


def main() -> None:
    """Answer for the film on standard input, and end."""
    sandbox.limit(memory_bytes=_MEMORY_BYTES, cpu_seconds=_CPU_SECONDS)
    result = examined(serving.given())
    sys.stdout.write(json.dumps({"result": result}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # decoders of a broken file need not be taken apart in order


def examined(file: BinaryIO) -> dict[str, object]:
    """Return facts and picture of a film, or code and message of a refusal."""
    from dataclasses import asdict  # noqa: PLC0415 - limits come first

    from common.errors import UnreadableMedia  # noqa: PLC0415
    from common.media.films.looking import look  # noqa: PLC0415
    from common.media.films.picture import jpeg  # noqa: PLC0415

    try:
        film = look(file)
        picture = jpeg(file, min(1.0, film.seconds / 2))
        if film.sound is not None:
            _listen(file)
    except UnreadableMedia as exc:
        return {"code": exc.code, "message": str(exc)}
    return {"film": asdict(film), "picture": b64encode(picture).decode()}


def _listen(file: BinaryIO) -> None:
    """Decode the first sound, as a transcription will."""
    from common.media.container import decode  # noqa: PLC0415

    file.seek(0)
    heard = 0
    for block in decode(file):
        heard += len(block)
        if heard >= _FIRST_BYTES:
            return


if __name__ == "__main__":
    main()
