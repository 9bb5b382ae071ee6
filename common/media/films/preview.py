"""A small copy of a film that every browser plays while the film itself is edited."""

from collections.abc import Callable
from fractions import Fraction
from typing import IO, BinaryIO, TypeVar

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.frame import Frame
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from common.errors import UnreadableMedia
from common.media.films.facts import PREVIEW_SIDE
from common.media.films.opening import opened, picture_of, sound_of
from common.media.films.picture import upright

_LONG_SIDE = PREVIEW_SIDE * 16 // 9
_TICK = Fraction(1, 90_000)  # of the copy: holds the times of all usual rates
_QUARTER = 90  # degrees
_SOUND_RATE, _SOUND_BITS = 48_000, 96_000
_QUALITY = {"preset": "veryfast", "crf": "28"}

Tell = Callable[[float], object]
F = TypeVar("F", bound=Frame)


def make(source: BinaryIO, target: IO[bytes], *, threads: int, tell: Tell) -> None:
    """Write the copy as MP4.

    Args:
        source: the film.
        target: empty, and can be moved in.
        threads: of the encoder.
        tell: called now and then with how many seconds of the film are done.

    Raises:
        UnreadableMedia: the film cannot be decoded.
        OSError: the target takes no more.
    """
    size = _size(source)
    with opened(source) as media, av.open(target, "w", format="mp4") as copy:
        copying = _Copying(media, copy, size)
        copying.use(threads)
        copying.run(tell)


def _size(source: BinaryIO) -> tuple[int, int]:
    """Return width and height of the copy, which the first frame tells when upright."""
    with opened(source) as media:
        for frame in media.decode(picture_of(media)):
            small = _small(frame)
            return small.width, small.height
    raise UnreadableMedia("The film holds no picture.", code="media_empty")


def _small(frame: VideoFrame) -> VideoFrame:
    """Return a frame upright, and not larger than it was."""
    wide, high = frame.width, frame.height
    if frame.rotation % 180 == _QUARTER:
        wide, high = high, wide
    box = (PREVIEW_SIDE, _LONG_SIDE) if high > wide else (_LONG_SIDE, PREVIEW_SIDE)
    return upright(frame, min(box[0], wide), min(box[1], high), "yuv420p")


class _Copying:
    def __init__(
        self, media: InputContainer, copy: OutputContainer, size: tuple[int, int]
    ) -> None:
        self._media, self._copy = media, copy
        self._picture, self._sound = picture_of(media), sound_of(media)
        self._size = size
        self._video = copy.add_stream("libx264", rate=30, options=dict(_QUALITY))
        self._video.width, self._video.height = size
        self._video.pix_fmt = "yuv420p"
        self._video.codec_context.time_base = _TICK
        self._last_pts: int | None = None
        self._audio: AudioStream | None = None
        if self._sound is not None:
            self._audio = copy.add_stream("aac", rate=_SOUND_RATE, layout="stereo")
            self._audio.bit_rate = _SOUND_BITS
        self._resampler = AudioResampler("fltp", "stereo", _SOUND_RATE)

    def use(self, threads: int) -> None:
        """Have both codecs of the picture use so many threads."""
        for stream in (self._picture, self._video):
            stream.codec_context.thread_count = threads

    def run(self, tell: Tell) -> None:
        """Copy all of it, in the order of the file."""
        wanted: list[Stream] = [s for s in (self._picture, self._sound) if s]
        for packet in self._media.demux(*wanted):
            if packet.stream is self._picture:
                self._pictures(packet, tell)
            else:
                self._sounds(packet)
        self._copy.mux(self._video.encode(None))
        if self._audio is not None:
            self._copy.mux(self._audio.encode(None))

    def _pictures(self, packet: "Packet[Stream]", tell: Tell) -> None:
        for frame in _decoded(self._picture.decode, packet):
            if frame.pts is None or frame.time_base is None:
                continue
            at = frame.pts * frame.time_base  # sound keeps its times as well
            pts = int(at / _TICK)
            if self._last_pts is not None and pts <= self._last_pts:
                continue
            self._last_pts = pts
            small = _small(frame)
            if (small.width, small.height) != self._size:
                continue  # a film that changes its size half way
            small.pts, small.time_base, small.pict_type = pts, _TICK, 0
            self._copy.mux(self._video.encode(small))
            tell(float(at))

    def _sounds(self, packet: "Packet[Stream]") -> None:
        if self._audio is None or self._sound is None:
            return
        for frame in _decoded(self._sound.decode, packet):
            for part in self._resampler.resample(frame):
                self._copy.mux(self._audio.encode(part))


def _decoded(
    decode: "Callable[[Packet[Stream]], list[F]]", packet: "Packet[Stream]"
) -> list[F]:
    """Return what can be decoded; what is damaged is passed over."""
    try:
        return decode(packet)
    except (av.error.InvalidDataError, EOFError):
        return []
