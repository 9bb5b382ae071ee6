"""Good recordings that were cut or changed."""

from random import Random

from tests.bad_media import originals
from tests.bad_media.bad import Bad, Fate, Make
from tests.media_samples import FORMATS

# Cut in the middle, these say themselves that something is missing.
_TELL = {".wav", ".flac", ".mp4", ".mov", ".mkv", ".avi", ".m4a"}
_ONE_IN = 200  # bytes
_LATE_SECONDS = 45  # the front door decodes only the first 30


def _cut(suffix: str) -> Make:
    def make(_dice: Random) -> bytes:
        body = originals.recording(suffix)
        return body[: len(body) // 2]

    return make


def _changed(suffix: str) -> Make:
    def make(dice: Random) -> bytes:
        body = bytearray(originals.recording(suffix))
        for _ in range(len(body) // _ONE_IN):
            body[dice.randrange(len(body))] = dice.randrange(256)
        return bytes(body)

    return make


def _cut_late(_dice: Random) -> bytes:
    """Return sound that is whole for longer than anybody looks at the door."""
    return originals.recording(".wav", 2.0 * _LATE_SECONDS)[: _LATE_SECONDS * 32_000]


def _noise_late(dice: Random) -> bytes:
    body = originals.recording(".flac", 2.0 * _LATE_SECONDS)
    whole = len(body) * _LATE_SECONDS // 100
    return body[:whole] + dice.randbytes(len(body) - whole)


def _without_head(suffix: str) -> Make:
    return lambda _dice: originals.recording(suffix)[200:]


def _turned(suffix: str) -> Make:
    return lambda _dice: originals.recording(suffix)[::-1]


_NEED_HEADS = (".wav", ".flac", ".mp4", ".mov", ".mkv", ".webm", ".avi")
FILES = (
    *(
        Bad(
            f"cut{suffix}",
            _cut(suffix),
            Fate.REFUSED if suffix in _TELL else Fate.TAKEN,
        )
        for suffix in FORMATS
    ),
    *(Bad(f"changed{suffix}", _changed(suffix), Fate.TAKEN) for suffix in FORMATS),
    *(Bad(f"headless{suffix}", _without_head(suffix)) for suffix in _NEED_HEADS),
    Bad("headless.mp3", _without_head(".mp3"), Fate.TAKEN),
    Bad("cut-late.wav", _cut_late, Fate.TAKEN),
    Bad("noise-late.flac", _noise_late, Fate.TAKEN),
    Bad("backwards.mp3", _turned(".mp3"), Fate.TAKEN),
)
