"""Frames and samples to files. A part has pictures only; a film is made of parts.

Parts are H.264 (or VP9) without pictures that look ahead: each is complete in itself,
begins with a key frame and can be put behind another without being encoded anew.
"""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import BinaryIO, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import SubtitleSet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from common.timeline.encoders import KINDS, PICTURES, exists
from common.timeline.plan import SOUND_RATE, Film, Line, Plan
from common.timeline.sound import BLOCK, Samples

_KEY_SECONDS = 2  # between key frames: how exactly a player can jump
_INDEX_BYTES = (16_384, 48)  # of an MP4, at most: in all, and per picture or packet
_AAC_SAMPLES = 1024  # in a packet
_BT709 = 1
_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, \
BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, \
BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Sans,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_PLAIN = str.maketrans({"{": "(", "}": ")", "\\": "/", "\n": "\\N"})  # no styles
_JPEG_WIDTH = 640


class PartWriter:
    """Writes the pictures of one film for one part."""

    def __init__(
        self, film: Film, rate: Fraction, file: BinaryIO, *, threads: int
    ) -> None:
        self._media = av.open(file, "w", format="mp4")
        self._stream = _picture_stream(self._media, film, rate, threads)
        self._count = 0

    def write(self, frame: VideoFrame) -> None:
        """Add the next frame."""
        frame.pts, frame.time_base = self._count, 1 / self._stream.codec_context.rate
        frame.pict_type = 0
        self._count += 1
        self._media.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds, and the index."""
        self._media.mux(self._stream.encode(None))
        self._media.close()


def jpeg(frame: VideoFrame) -> bytes:
    """Return a picture as JPEG, 640 wide or less."""
    width = min(frame.width, _JPEG_WIDTH)
    height = max(2, round(frame.height * width / frame.width / 2) * 2)
    small = frame.reformat(
        width=width,
        height=height,
        format="yuvj420p",
        dst_colorspace=Colorspace.ITU601,  # what JPEG means
    )
    codec = av.CodecContext.create("mjpeg", "w")
    assert isinstance(codec, VideoCodecContext)  # noqa: S101 - for mypy
    codec.width, codec.height, codec.pix_fmt = width, height, "yuvj420p"
    codec.time_base = Fraction(1, 25)
    codec.options = {"q": "4"}
    small.pts, small.time_base = 0, codec.time_base
    return b"".join(map(bytes, [*codec.encode(small), *codec.encode(None)]))


def join(
    plan: Plan,
    film: Film,
    parts: Sequence[BinaryIO],
    sound: Iterator[Samples] | None,
    file: BinaryIO,
) -> None:
    """Write a film: the pictures of its parts, its sound and its text.

    Pictures are not encoded anew. All three go in step, so that none waits in memory.
    """
    parts[0].seek(0)
    with av.open(parts[0], format="mp4") as first:
        writer = _FilmWriter(
            plan, film, first.streams.video[0], file, sound is not None
        )
    packets = _packets(parts)
    lines = list(plan.track)
    for step in range(math.ceil(plan.seconds * SOUND_RATE / BLOCK)):
        until = Fraction((step + 1) * BLOCK, SOUND_RATE)
        while writer.pictures_reach < until and (packet := next(packets, None)):
            writer.show(packet)
        if sound is not None and (block := next(sound, None)) is not None:
            writer.hear(block)
        while lines and lines[0].start_ms < until * 1000:
            writer.say(lines.pop(0))
    for packet in packets:  # a last picture may begin where the sound has ended
        writer.show(packet)
    writer.close()


class _FilmWriter:
    def __init__(
        self,
        plan: Plan,
        film: Film,
        template: VideoStream,
        file: BinaryIO,
        with_sound: bool,  # noqa: FBT001
    ) -> None:
        self._rate = plan.rate
        self._media = av.open(
            file, "w", format=film.container, options=_options(plan, film)
        )
        self._pictures = self._media.add_stream_from_template(template)
        self._pictures.time_base = 1 / plan.rate
        self._sound = _sound_stream(self._media, film) if with_sound else None
        self._text = _text_stream(self._media, film) if plan.track else None
        self._media.start_encoding()
        self._shown = self._heard = 0

    @property
    def pictures_reach(self) -> Fraction:
        """The time up to which there are pictures, in seconds."""
        return self._shown / self._rate

    def show(self, packet: "Packet[VideoStream]") -> None:
        """Add the next picture as it is."""
        packet.stream = self._pictures
        packet.time_base = 1 / self._rate
        packet.pts = packet.dts = self._shown
        packet.duration = 1
        self._shown += 1
        self._media.mux(packet)

    def hear(self, block: Samples) -> None:
        """Add the next samples."""
        assert self._sound is not None  # noqa: S101 - for mypy
        planes = np.ascontiguousarray(block.T, np.float32)
        frame = AudioFrame.from_ndarray(planes, "fltp", "stereo")
        frame.sample_rate = SOUND_RATE
        frame.pts, frame.time_base = self._heard, Fraction(1, SOUND_RATE)
        self._heard += len(block)
        self._media.mux(self._sound.encode(frame))

    def say(self, line: Line) -> None:
        """Add a line of the subtitle track."""
        assert self._text is not None  # noqa: S101 - for mypy
        words = line.text.translate(_PLAIN)
        ticks = 1 / self._text.codec_context.time_base
        start, end = (round(Fraction(ms, 1000) * ticks) for ms in _span(line))
        packet = self._text.codec_context.encode_subtitle(
            SubtitleSet.create(
                f"0,0,Default,,0,0,0,,{words}".encode(), 0, end - start, start
            )
        )
        packet.stream = self._text
        packet.time_base = self._text.codec_context.time_base
        packet.pts = packet.dts = start
        packet.duration = end - start
        self._media.mux(packet)

    def close(self) -> None:
        """Write what is held back, and the index."""
        if self._sound is not None:
            self._media.mux(self._sound.encode(None))
        self._media.close()


def _packets(parts: Sequence[BinaryIO]) -> Iterator["Packet[VideoStream]"]:
    for part in parts:
        part.seek(0)
        with av.open(part, "r", format="mp4") as media:
            yield from (p for p in media.demux(video=0) if p.size)


def _options(plan: Plan, film: Film) -> dict[str, str]:
    """Have the index of an MP4 at its start, so that it plays while it is fetched."""
    if film.container == "webm":
        return {}
    base, each = _INDEX_BYTES
    packets = plan.frames + int(plan.seconds * SOUND_RATE / _AAC_SAMPLES)
    size = base + each * (packets + 4 * len(plan.track))
    return {"moov_size": str(size)}


def _span(line: Line) -> tuple[int, int]:
    return line.start_ms, line.end_ms


def _picture_stream(
    media: OutputContainer, film: Film, rate: Fraction, threads: int
) -> VideoStream:
    kind = KINDS[film.container][0]
    name, options = next(choice for choice in PICTURES[kind] if exists(choice[0]))
    stream = cast(
        "VideoStream", media.add_stream(name, rate=rate, options=dict(options))
    )
    context = stream.codec_context
    context.width, context.height = film.width, film.height
    context.pix_fmt = "yuv420p"
    context.time_base = 1 / rate
    context.thread_count = threads
    context.gop_size = max(1, round(rate * _KEY_SECONDS))
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.bit_rate = film.video_bits if name != "libx264" else 0
    if name == "libx264":  # as good as wanted, but not larger than asked for
        context.options = dict(options) | {
            "maxrate": str(film.video_bits),
            "bufsize": str(2 * film.video_bits),
        }
    return stream


def _sound_stream(media: OutputContainer, film: Film) -> AudioStream:
    name = KINDS[film.container][1]
    stream = cast(
        "AudioStream", media.add_stream(name, rate=SOUND_RATE, layout="stereo")
    )
    stream.codec_context.bit_rate = film.audio_bits
    return stream


def _text_stream(media: OutputContainer, film: Film) -> SubtitleStream:
    stream = cast("SubtitleStream", media.add_stream(KINDS[film.container][2]))
    stream.codec_context.subtitle_header = _ASS_HEADER
    stream.codec_context.time_base = Fraction(1, 1000)
    return stream
