"""Packets of one sound stream to samples, and whether all of it was there."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from common.errors import UnreadableMedia
from common.media import formats
from common.media.pcm import RATE, Pcm

BLOCK_BYTES = 1 << 16  # 2 s of samples: few Python steps per hour, little memory

_SLACK_SECONDS = 2  # a header may round, and a track end before the film does
_LONGEST_LOSS = RATE  # 1 s: no codec has longer packets, so more is damage


class Reading:
    """One pass over a stream: ``blocks``, then ``require_complete``."""

    def __init__(
        self,
        media: InputContainer,
        sound: AudioStream,
        *,
        container: str,
        declared: Fraction | None,
        has_video: bool,
    ) -> None:
        origin = Fraction(max(0, media.start_time or 0), 1_000_000)
        self._media = media
        self._sound = sound
        self._container = container
        self._declared = declared
        self._timed = container in formats.TIMESTAMPED
        self._timed_start = has_video
        self._origin = origin
        self._tick = sound.time_base or Fraction(1, sound.codec_context.sample_rate)
        self._pcm = Pcm(origin=origin, furthest=self._furthest())
        self._good = self._damaged = 0  # packets
        self._pictures_reach = Fraction()  # seconds

    @property
    def samples(self) -> int:
        """Samples given out so far, at 16 kHz."""
        return self._pcm.samples

    def blocks(self) -> Iterator[bytes]:
        """Yield samples as they are decoded; blocks are of any size."""
        for packet in self._packets():
            if packet.stream is self._sound:
                yield from self._heard(packet)
            else:
                self._seen(packet)
        yield from self._pcm.drain()

    def require_complete(self) -> None:
        """Check that what was decoded is the recording.

        Raises:
            UnreadableMedia: nothing or less than half could be decoded, or the file
                ends far before the time it declares.
        """
        if self._damaged > self._good:
            raise UnreadableMedia("Most of the recording is damaged.")
        if not self.samples:
            raise UnreadableMedia("The recording holds no sound.", code="media_empty")
        reached = max(Fraction(self.samples, RATE), self._pictures_reach)
        declared = self._declared or Fraction()
        if reached < declared * Fraction(9, 10) - _SLACK_SECONDS:
            raise UnreadableMedia(
                f"The recording is cut short: it should last {_clock(declared)},"
                f" but ends after {_clock(reached)}. Upload the complete file.",
                code="media_truncated",
            )

    def _furthest(self) -> int | None:
        if not self._declared or not self._media.duration:
            return None
        whole = Fraction(self._media.duration, 1_000_000)
        return round((whole + _SLACK_SECONDS) * RATE)

    def _packets(self) -> "Iterator[Packet[Stream]]":
        """Yield packets up to the end, or to where the container is broken."""
        wanted = self._wanted()
        for stream in self._media.streams:
            if stream not in wanted:
                stream.discard = Discard.all
        try:
            yield from self._media.demux(*wanted)
        except av.error.InvalidDataError:
            self._damaged += 1

    def _wanted(self) -> list[Stream]:
        """Return the streams to read: pictures only where they tell the length."""
        wanted: list[Stream] = [self._sound]
        if self._container in {"avi", "matroska"}:
            wanted += [
                stream
                for stream in self._media.streams.video
                if not stream.disposition & Disposition.attached_pic
            ]
        return wanted

    def _heard(self, packet: "Packet[Stream]") -> Iterator[bytes]:
        try:
            frames = self._sound.decode(packet)
        except EOFError:  # the decoder was flushed before
            return
        except av.FFmpegError:
            self._damaged += 1
            yield from self._lost(packet)
            return
        self._good += 1
        for frame in frames:
            yield from self._pcm.feed(frame, starts=self._starts(frame))

    def _lost(self, packet: "Packet[Stream]") -> Iterator[bytes]:
        if not self._timed and packet.duration:  # else the next timestamp tells
            samples = round(packet.duration * packet.time_base * RATE)
            yield from self._pcm.skip(min(samples, _LONGEST_LOSS))

    def _starts(self, frame: AudioFrame) -> int | None:
        if frame.pts is None or not (self._timed or self._timed_start):
            return None
        self._timed_start = False
        return int(frame.pts * self._tick.numerator * RATE // self._tick.denominator)

    def _seen(self, packet: "Packet[Stream]") -> None:
        if packet.pts is not None:
            shown = packet.pts * packet.time_base - self._origin
            self._pictures_reach = max(self._pictures_reach, shown)


def _clock(seconds: Fraction) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
