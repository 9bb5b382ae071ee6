"""A film, opened: only containers and codecs of our lists, and nothing beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NoReturn

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from common.errors import UnreadableMedia
from common.media import formats

BLOCK_BYTES = 1 << 16

_DAMAGE = (
    *(av.FFmpegError, ArithmeticError, EOFError, LookupError, MemoryError),
    *(PermissionError, RuntimeError, ValueError),
)
# PyAV 18 stops at tags that are not UTF-8 unless told not to; 19 has no such argument.
_TAGS: dict[str, Any] = (
    {"metadata_errors": "replace"} if av.__version__.startswith("18.") else {}
)


@contextmanager
def opened(file: BinaryIO) -> Iterator[InputContainer]:
    """Open a film from its start.

    Raises:
        UnreadableMedia: it is damaged, or of a kind that is not taken.
    """
    file.seek(0)
    try:
        with av.open(
            file,
            mode="r",
            container_options={
                "format_whitelist": ",".join(formats.CONTAINERS),
                "codec_whitelist": ",".join(
                    sorted(formats.PICTURES | formats.DECODERS)
                ),
                "protocol_whitelist": "none",
                "max_streams": str(formats.MAX_STREAMS),
            },
            io_open=_never_open,
            buffer_size=BLOCK_BYTES,
            **_TAGS,
        ) as media:
            yield media
    except av.error.ArgumentError as exc:  # what the lists of formats refuse
        raise UnreadableMedia(
            "This kind of film is not supported.", code="media_unsupported"
        ) from exc
    except _DAMAGE as exc:
        raise UnreadableMedia("The film is damaged: it cannot be read.") from exc


def picture_of(media: InputContainer) -> VideoStream:
    """Return the stream of moving pictures.

    Raises:
        UnreadableMedia: there is none, or none that we take.
    """
    found = [
        s for s in media.streams.video if not s.disposition & Disposition.attached_pic
    ]
    if not found:
        raise UnreadableMedia("The file has no picture.", code="media_no_picture")
    stream = found[0]
    context = stream.codec_context
    if context is None or context.name not in formats.PICTURES:
        raise UnreadableMedia(
            "The picture's encoding is not supported.", code="media_unsupported"
        )
    if not 0 < context.width * context.height <= formats.MAX_PIXELS:
        raise UnreadableMedia(
            "The picture is larger than 4K.", code="media_unsupported"
        )
    context.thread_count = 1  # each thread holds frames; many small files wait
    return stream


def sound_of(media: InputContainer) -> AudioStream | None:
    """Return the stream of sound that is played, None if there is none to be heard."""
    found = [
        s
        for s in media.streams.audio
        if s.codec_context is not None
        and s.codec_context.name in formats.DECODERS
        and s.codec_context.sample_rate
    ]
    default = (s for s in found if s.disposition & Disposition.default)
    return next(default, found[0] if found else None)


def _never_open(url: str, _flags: int, _options: dict[str, Any]) -> NoReturn:
    raise PermissionError(f"a film must not open {url!r}")
