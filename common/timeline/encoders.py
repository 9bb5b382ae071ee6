"""Which encoders films are made with, and whether this machine has them.

The library comes with PyAV; how it was built decides what is in it.
"""

import logging
from collections.abc import Iterable
from functools import cache
from typing import Literal

from common.errors import InvalidInput

log = logging.getLogger(__name__)

Container = Literal["mp4", "mov", "webm"]

# For each container, encoders in order of preference: the wheel has x264, others may
# not. Pictures that look ahead (B-frames, alternate references) are switched off.
PICTURES = {
    "h264": (
        ("libx264", {"preset": "veryfast", "crf": "21", "bf": "0"}),
        ("libopenh264", {}),
    ),
    "vp9": (
        (
            "libvpx-vp9",
            {
                "deadline": "realtime",
                "cpu-used": "8",
                "crf": "33",
                "auto-alt-ref": "0",
                "lag-in-frames": "0",
                "row-mt": "1",
            },
        ),
    ),
}
KINDS: dict[Container, tuple[str, str, str]] = {
    "mp4": ("h264", "aac", "mov_text"),
    "mov": ("h264", "aac", "mov_text"),
    "webm": ("vp9", "libopus", "webvtt"),
}


@cache
def missing() -> dict[Container, str]:
    """Return which kinds of film cannot be made here, and the encoder they lack."""
    lacking: dict[Container, str] = {}
    for container, (picture, sound, text) in KINDS.items():
        if not any(exists(name) for name, _ in PICTURES[picture]):
            lacking[container] = picture
        elif not exists(sound):
            lacking[container] = sound
        elif not exists(text):
            lacking[container] = text
    return lacking


def report() -> None:
    """Tell those who watch the logs which kinds of film cannot be made here."""
    for container, encoder in missing().items():
        log.error(
            "encoder missing: films of a kind cannot be made",
            extra={"container": container, "encoder": encoder},
        )


def require(containers: Iterable[Container]) -> None:
    """Check that films of these kinds can be made.

    Raises:
        InvalidInput: one of them cannot; it says which and why.
    """
    for container in containers:
        if container in missing():
            raise InvalidInput(
                f"This server cannot write {container} files: its media library has no"
                f" {missing()[container]} encoder.",
                code="encoder_missing",
            )


def exists(encoder: str) -> bool:
    """Return whether there is an encoder of this name."""
    from av.codec.codec import (  # noqa: PLC0415 - the API starts without it
        Codec,
        UnknownCodecError,
    )

    try:
        Codec(encoder, "w")
    except UnknownCodecError:
        return False
    return True
