"""One frame of a film as a JPEG, upright and not distorted."""

from fractions import Fraction
from typing import BinaryIO

import av
from av.filter import Graph
from av.video.frame import VideoFrame

from common.errors import UnreadableMedia
from common.media.films.opening import opened, picture_of

WIDTH, HEIGHT = 640, 360  # it fits in there

_MOST_FRAMES = 1_000  # between two keyframes; what has fewer is no film for editing
_LAMBDA = 118  # FFmpeg's unit of quality
_QUALITY = 4  # of 1, the best, to 31
_TURNS = {90: ["cclock"], 180: ["clock", "clock"], 270: ["clock"]}


def jpeg(file: BinaryIO, at_seconds: float) -> bytes:
    """Return the frame that is shown then, or the film's last before.

    Raises:
        UnreadableMedia: no picture of it can be decoded.
    """
    with opened(file) as media:
        stream = picture_of(media)
        origin = Fraction(max(0, media.start_time or 0), av.time_base)
        wanted = Fraction(at_seconds) + origin
        media.seek(int(wanted * av.time_base))
        found: VideoFrame | None = None
        for number, frame in enumerate(media.decode(stream)):
            found = frame
            if frame.pts is None or number > _MOST_FRAMES:
                break
            if frame.pts * (frame.time_base or 0) >= wanted:
                break
        if found is None:
            raise UnreadableMedia("The film holds no picture.", code="media_empty")
        return _encoded(upright(found, WIDTH, HEIGHT, "yuvj420p"))


def upright(frame: VideoFrame, width: int, height: int, pixels: str) -> VideoFrame:
    """Return a frame turned as it is shown, as large as it fits; sides are even."""
    graph = Graph()
    last = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    size = f"{width}:{height}:force_original_aspect_ratio=decrease"
    steps = [("transpose", f"dir={d}") for d in _TURNS.get(frame.rotation % 360, [])]
    steps.append(("scale", f"{size}:force_divisible_by=2"))
    steps.append(("format", pixels))
    for name, options in steps:
        step = graph.add(name, options)
        last.link_to(step)
        last = step
    last.link_to(graph.add("buffersink"))
    graph.configure()
    graph.vpush(frame)
    return graph.vpull()


def _encoded(frame: VideoFrame) -> bytes:
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height = frame.width, frame.height
    codec.pix_fmt = "yuvj420p"
    codec.time_base = Fraction(1, 25)
    codec.options = {
        "flags": "+qscale",
        "global_quality": str(_QUALITY * _LAMBDA),
        "strict": "unofficial",
    }
    frame.pts, frame.time_base = 0, Fraction(1, 25)
    packets = [*codec.encode(frame), *codec.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
