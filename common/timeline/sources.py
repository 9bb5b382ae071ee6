"""Films of others in the child process: how long they are, and their pictures."""

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from common.errors import UnreadableMedia
from common.media import formats
from common.media.films.opening import opened, sound_of
from common.timeline.plan import Found

_TAIL_SECONDS = 10  # before the end that a header claims, as in media.films.looking


def look(file: BinaryIO) -> Found:
    """Return what is in a film, or in a recording that has no picture.

    Raises:
        UnreadableMedia: with a code that says why.
    """
    with opened(file) as media:
        picture, sound = _moving(media), sound_of(media)
        if picture is None:
            return Found(seconds=_seconds(media, sound), has_sound=sound is not None)
        context = picture.codec_context
        _require_size(context.width, context.height)
        rate = picture.average_rate or picture.guessed_rate or Fraction(0)
        return Found(
            width=context.width,
            height=context.height,
            rate=Fraction(rate),
            seconds=_seconds(media, picture),
            has_sound=sound is not None,
        )


def _moving(media: InputContainer) -> VideoStream | None:
    """Return the stream of moving pictures, if there is one; covers are none."""
    streams = (
        s
        for s in media.streams.video
        if not s.disposition & Disposition.attached_pic
        and s.codec_context is not None
        and s.codec_context.name in formats.PICTURES
    )
    return next(streams, None)


def origin(media: InputContainer) -> Fraction:
    """Return the timestamp, in seconds, of the file's time 0."""
    return Fraction(max(0, media.start_time or 0), av.time_base)


def go_to(media: InputContainer, seconds: Fraction) -> None:
    """Go to a place from which all that is at ``seconds`` or later is read."""
    wanted = int((seconds + origin(media)) * av.time_base)
    try:
        media.seek(wanted, backward=True, any_frame=False)
    except av.FFmpegError:  # no index: read from the start
        media.seek(0, backward=True, any_frame=False)


class Pictures:
    """The pictures of one file, for times that never go back."""

    def __init__(self, media: InputContainer, *, start: Fraction, threads: int) -> None:
        found = _moving(media)
        if found is None:
            raise UnreadableMedia("A clip of the timeline has no picture.")
        self._media = media
        self._stream = found
        found.codec_context.thread_count = threads
        self._origin = origin(media)
        self._step = 1 / Fraction(found.average_rate or 25)
        self.stretch = Fraction(found.sample_aspect_ratio or 1)
        self._frames = self._decoded(start)
        self._shown: VideoFrame | None = None
        self._next = next(self._frames, None)
        if self._next is None:
            raise UnreadableMedia("A clip of the timeline has no picture.")

    def at(self, seconds: Fraction) -> VideoFrame:
        """Return what is on screen; the same object for as long as it is there."""
        while self._next is not None and (
            self._shown is None or self._next[0] <= seconds + self._step / 20
        ):
            self._shown = self._next[1]
            self._next = next(self._frames, None)
        if self._shown is None:
            raise UnreadableMedia
        return self._shown

    def _decoded(self, start: Fraction) -> Iterator[tuple[Fraction, VideoFrame]]:
        """Yield frames with their times, from the one that is shown at ``start``."""
        for place in dict.fromkeys((start, Fraction(0))):
            go_to(self._media, place)
            frames = self._timed()
            first = next(frames, None)
            if first is not None and (first[0] <= start or not place):
                yield first
                yield from frames
                return

    def _timed(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        expected = Fraction(0)
        for packet in self._media.demux(self._stream):
            try:
                frames = self._stream.decode(packet)
            except EOFError:
                return
            except av.FFmpegError:  # the picture before it stays
                continue
            for frame in frames:
                _require_size(frame.width, frame.height)
                if frame.pts is not None and frame.time_base is not None:
                    expected = frame.pts * frame.time_base - self._origin
                yield expected, frame
                expected += self._step


def _require_size(width: int, height: int) -> None:
    if not 0 < width * height <= formats.MAX_PIXELS:
        raise UnreadableMedia(
            f"A picture of {width} x {height} is too large.", code="media_unsupported"
        )


def _seconds(
    media: InputContainer, stream: VideoStream | AudioStream | None
) -> Fraction:
    """Return where the stream ends: seen in its last packets."""
    if stream is None:
        raise UnreadableMedia("A file of the timeline has neither sound nor picture.")
    claimed = Fraction(media.duration or 0, av.time_base)
    go_to(media, max(Fraction(0), claimed - _TAIL_SECONDS))
    end = Fraction(0)
    for packet in media.demux(stream):
        if packet.pts is not None:
            stop = (packet.pts + (packet.duration or 0)) * packet.time_base
            end = max(end, stop - origin(media))
    return end
