"""What a media file holds, and its sound. PyAV only: numpy is not needed here.

Time 0 is where the file's first stream starts, picture or sound. So sound that
begins two seconds into a film has two seconds of silence before it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, BinaryIO, NoReturn

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from common.errors import UnreadableMedia
from common.media import formats
from common.media.facts import Facts
from common.media.pcm import RATE, require_acceptable
from common.media.reading import BLOCK_BYTES, Reading

MAX_SECONDS = 12 * 3600  # the longest lecture; bounds the work a small file can cause

# Raised for bad files, beside FFmpegError: seen in 121 damaged files, and refusals
# of _never_open.
_DAMAGE = (
    *(av.FFmpegError, ArithmeticError, EOFError, LookupError, MemoryError),
    *(PermissionError, RuntimeError, ValueError),
)
_UNSUPPORTED = (
    av.error.ArgumentError,  # what the lists of formats refuse
    *(av.error.DecoderNotFoundError, av.error.DemuxerNotFoundError),
    *(av.error.PatchWelcomeError, NotImplementedError),
)
# PyAV 18 stops at tags that are not UTF-8 unless told not to; 19 has no such argument.
_TAGS: dict[str, Any] = (
    {"metadata_errors": "replace"} if av.__version__.startswith("18.") else {}
)
_RIFF_STREAMED = 0x7FFF_0000  # a writer that cannot seek back puts the largest size


def probe(source: BinaryIO, *, max_seconds: int = MAX_SECONDS) -> Facts:
    """Return what the headers say about a file's sound; nothing is decoded.

    Raises:
        UnreadableMedia: there is no sound that ``decode`` would take, or the file
            says that it is longer than ``max_seconds``.
    """
    with _opened(source) as (media, growth):
        sound = _sound(media)
        _require_within(_declared(media, sound, growth), max_seconds)
        return Facts(
            container=formats.CONTAINERS[media.format.name],
            codec=sound.codec_context.name,
            sample_rate=sound.codec_context.sample_rate,
            channels=sound.codec_context.layout.nb_channels,
            declared_ms=media.duration // 1000 if media.duration else None,
            has_video=_has_video(media),
        )


def decode(source: BinaryIO, *, max_seconds: int = MAX_SECONDS) -> Iterator[bytes]:
    """Yield the sound as blocks of 16 kHz mono PCM, signed 16 bit little-endian.

    Memory stays flat. The blocks joined are the recording from its time 0: gaps are
    silence, damaged packets too, so a sample's index is its time. A consumer may
    stop early; that a file is cut short is known only at its end.

    Args:
        source: a binary file; seekable, or most MP4 files cannot be read. Errors it
            raises come through as they are.
        max_seconds: the longest recording taken.

    Raises:
        UnreadableMedia: with a code that says why.
    """
    with _opened(source) as (media, growth):
        sound = _sound(media)
        declared = _declared(media, sound, growth)
        _require_within(declared, max_seconds)
        reading = Reading(
            media,
            sound,
            container=formats.CONTAINERS[media.format.name],
            declared=declared,
            has_video=_has_video(media),
        )
        block = bytearray()
        for part in reading.blocks():
            block += part
            if reading.samples > max_seconds * RATE:
                _refuse_length(max_seconds)
            if len(block) >= BLOCK_BYTES:
                yield bytes(block)
                block.clear()
        reading.require_complete()
        if block:
            yield bytes(block)


class _Source:
    """A file without a name, so that no suffix decides how it is read.

    ``failing`` is True while an exception of the file itself is under way.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.failing = False
        self.bytes_read = 0

    def read(self, size: int) -> bytes:
        self.failing = True
        block = self._file.read(size)
        self.failing = False
        self.bytes_read += len(block)
        return block

    def seek(self, offset: int, whence: int) -> int:
        self.failing = True
        position = self._file.seek(offset, whence)
        self.failing = False
        return position

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return self._file.seekable()


@contextmanager
def _opened(source: BinaryIO) -> Iterator[tuple[InputContainer, Fraction]]:
    """Open a file; also tell how many times larger its RIFF header says it is."""
    growth = _riff_growth(source)
    file = _Source(source)
    try:
        with av.open(
            file,
            mode="r",
            container_options={
                "format_whitelist": ",".join(formats.CONTAINERS),
                "codec_whitelist": ",".join(sorted(formats.DECODERS)),
                "protocol_whitelist": "none",
                "max_streams": str(formats.MAX_STREAMS),
            },
            io_open=_never_open,
            buffer_size=BLOCK_BYTES,
            **_TAGS,
        ) as media:
            yield media, growth
    except _DAMAGE as exc:
        if file.failing:
            raise
        raise _translated(exc, empty=file.bytes_read == 0) from exc


def _riff_growth(source: BinaryIO) -> Fraction:
    """Return declared by actual size, at least 1: the demuxers take the actual one."""
    if not source.seekable():
        return Fraction(1)
    source.seek(0)
    head = source.read(8)
    actual = source.seek(0, os.SEEK_END)
    source.seek(0)
    declared = int.from_bytes(head[4:8], "little") + 8
    if head[:4] != b"RIFF" or not actual < declared < _RIFF_STREAMED:
        return Fraction(1)
    return Fraction(declared, actual)


def _never_open(url: str, _flags: int, _options: dict[str, Any]) -> NoReturn:
    raise PermissionError(f"a recording must not open {url!r}")


def _translated(exc: BaseException, *, empty: bool) -> UnreadableMedia:
    if empty:
        return UnreadableMedia("The file is empty.", code="media_empty")
    if isinstance(exc, _UNSUPPORTED):
        return UnreadableMedia(
            "This kind of recording is not supported.", code="media_unsupported"
        )
    return UnreadableMedia()


def _sound(media: InputContainer) -> AudioStream:
    """Return the sound to read: the one marked as default, or else the first."""
    found = media.streams.audio
    if not found:
        raise UnreadableMedia("The file has no sound.", code="media_no_audio")
    chosen = next((s for s in found if s.disposition & Disposition.default), found[0])
    codec = chosen.codec_context
    if codec is None or codec.name not in formats.DECODERS:
        raise UnreadableMedia(
            "The sound's encoding is not supported.", code="media_unsupported"
        )
    if not codec.sample_rate:
        raise UnreadableMedia
    require_acceptable(codec.layout.nb_channels, codec.sample_rate)
    return chosen


def _has_video(media: InputContainer) -> bool:
    return any(
        not stream.disposition & Disposition.attached_pic
        for stream in media.streams.video
    )


def _declared(
    media: InputContainer, sound: AudioStream, growth: Fraction
) -> Fraction | None:
    """Return the length in seconds, if the file is of a kind that knows it."""
    container = formats.CONTAINERS[media.format.name]
    if container not in formats.DECLARES_LENGTH:
        return None
    if container in {"matroska", "avi"}:  # of all streams together
        seconds = Fraction(media.duration or 0, 1_000_000)
    else:
        seconds = (sound.duration or 0) * (sound.time_base or Fraction())
    return seconds * growth or None


def _require_within(declared: Fraction | None, max_seconds: int) -> None:
    if declared is not None and declared > max_seconds:
        _refuse_length(max_seconds)


def _refuse_length(max_seconds: int) -> NoReturn:
    raise UnreadableMedia(
        f"The recording is longer than {max_seconds / 3600:g} hours.",
        code="media_too_long",
    )
