"""Decoded frames to 16 kHz mono samples on the file's own timeline."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame

from common.errors import UnreadableMedia
from common.media.formats import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

RATE = 16_000  # samples per second of everything that leaves this package
SAMPLE_BYTES = 2

_TOLERANCE = RATE // 20  # 50 ms: containers round timestamps, recorders jitter
_FURTHEST_BACK = 10 * RATE  # a longer overlap is a restarted clock, not an overlap
_LONGEST_GAP = 3600 * RATE  # where nothing says how long the recording is
_SECOND = bytes(RATE * SAMPLE_BYTES)
_BATCH = 32_768  # samples given to the resampler at once: a call costs as much as 1000


class Pcm:
    """Turns frames into samples; the n-th sample is heard n/16000 s after the start.

    Timestamps correct the count when it is off by more than 50 ms: silence fills a
    gap, samples of an overlap are dropped. A jump that leaves the recording (a
    damaged or restarted clock) is not believed; counting goes on from there.
    """

    def __init__(self, *, origin: Fraction, furthest: int | None) -> None:
        """Start an empty timeline.

        Args:
            origin: time in the file, in seconds, that is sample 0.
            furthest: last sample that a timestamp may point to; None: unknown.
        """
        self.samples = 0  # given out so far
        self._origin = round(origin * RATE)
        self._furthest = furthest
        self._resampler: av.AudioResampler | None = None
        self._waiting = av.AudioFifo()  # frames on their way to the resampler
        self._source: tuple[int, str, str] | None = None
        self._base = 0  # position of the first sample fed to the resampler
        self._fed = 0  # samples fed to it, at the source's rate
        self._drop = 0  # samples of an overlap still to be left out

    def feed(self, frame: AudioFrame, *, starts: int | None) -> Iterable[bytes]:
        """Return samples that are ready; they may be those of earlier frames.

        Args:
            frame: decoded sound.
            starts: its timestamp in samples at 16 kHz; None: right after the last.

        Raises:
            UnreadableMedia: such a sample rate or channel count is not accepted.
        """
        source = (frame.sample_rate, frame.format.name, frame.layout.name)
        if source != self._source or not self._follows(starts):
            return self._restarted(frame, source, starts)
        return self._queued(frame)

    def skip(self, samples: int) -> Iterator[bytes]:
        """Yield silence in place of sound that could not be decoded."""
        yield from self.drain()
        yield from self._move_to(self._base + samples)

    def drain(self) -> Iterator[bytes]:
        """Yield what the resampler still holds; the next frame starts a new one."""
        if self._resampler is not None:
            if self._waiting.samples:
                yield from self._resampled(self._waiting.read())
            yield from self._resampled(None)
        self._resampler = self._source = None
        self._base, self._fed = self.samples - self._drop, 0

    def _position(self) -> int:
        """Return where the next frame belongs if it follows the last."""
        if self._source is None:
            return self._base
        return self._base + self._fed * RATE // self._source[0]

    def _follows(self, starts: int | None) -> bool:
        if starts is None:
            return True
        return abs(starts - self._origin - self._position()) <= _TOLERANCE

    def _restarted(
        self, frame: AudioFrame, source: tuple[int, str, str], starts: int | None
    ) -> Iterator[bytes]:
        if source != self._source:
            yield from self.drain()
        if starts is not None:
            yield from self._align(starts - self._origin)
        if self._resampler is None:
            self._resampler = _resampler(frame)
            self._waiting = av.AudioFifo()
            self._source = source
        yield from self._queued(frame)

    def _queued(self, frame: AudioFrame) -> Iterable[bytes]:
        self._fed += frame.samples
        frame.pts = None  # the resampler must not look at the time as well
        self._waiting.write(frame)
        if self._waiting.samples < _BATCH:
            return ()
        return self._resampled(self._waiting.read())

    def _align(self, target: int) -> Iterator[bytes]:
        position = self._position()
        if abs(target - position) <= _TOLERANCE:
            return
        if self._believes(target, position):
            yield from self.drain()
            yield from self._move_to(target)
        else:
            self._origin += target - position

    def _believes(self, target: int, position: int) -> bool:
        if target < position:
            return position - target <= _FURTHEST_BACK
        if self._furthest is not None:
            return target <= self._furthest
        return target - position <= _LONGEST_GAP

    def _move_to(self, target: int) -> Iterator[bytes]:
        self._base = target
        self._drop = max(0, self.samples - target)
        while (missing := target - self.samples) > 0:
            yield self._given(_SECOND[: missing * SAMPLE_BYTES])

    def _resampled(self, frame: AudioFrame | None) -> Iterator[bytes]:
        if self._resampler is None:
            return
        for out in self._resampler.resample(frame):
            dropped = min(self._drop, out.samples)
            self._drop -= dropped
            block = bytes(out.planes[0])
            yield self._given(
                block[dropped * SAMPLE_BYTES : out.samples * SAMPLE_BYTES]
            )

    def _given(self, block: bytes) -> bytes:
        self.samples += len(block) // SAMPLE_BYTES
        return block


def require_acceptable(channels: int, sample_rate: int) -> None:
    """Refuse sound that no recording of speech has.

    Raises:
        UnreadableMedia: too many channels, or a sample rate out of range.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnreadableMedia(
            f"The recording has {channels} channels; 1 to {MAX_CHANNELS} are accepted.",
            code="media_unsupported",
        )
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise UnreadableMedia(
            f"The recording has a sample rate of {sample_rate} Hz; {MIN_SAMPLE_RATE}"
            f" to {MAX_SAMPLE_RATE} are accepted.",
            code="media_unsupported",
        )


def _resampler(frame: AudioFrame) -> av.AudioResampler:
    require_acceptable(frame.layout.nb_channels, frame.sample_rate)
    return av.AudioResampler(format="s16", layout="mono", rate=RATE)
