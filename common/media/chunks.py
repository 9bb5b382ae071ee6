"""A stream of samples to pieces of speech that a recogniser takes in one call.

Pieces are cut at pauses and leave out silence. Nothing depends on how the stream is
divided into blocks, so the same recording always gives the same pieces.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from common.media.flac import encode_flac
from common.media.loudness import FRAME, Heard, Levels, Threshold, heard, levels, runs
from common.media.pcm import RATE, SAMPLE_BYTES

_SECOND = RATE // FRAME  # frames
_MARGIN = _SECOND // 5  # frames; 200 ms of silence stay, so that no onset is cut off
_LONG_PAUSE = 10 * _SECOND  # frames; shorter ones are cheaper to send than a call
_AHEAD = _SECOND + 1  # frames kept unread behind a cut; the last one may be partial
_DIP = 5  # frames
_FRAME_BYTES = FRAME * SAMPLE_BYTES
_MEASURED_BYTES = 500 * _FRAME_BYTES  # 10 s: bounds what numpy takes on the side
_FLAC_OVERHEAD = (101, 100)  # stored as they are, noise grows by 0.4 %
_FLAC_HEADER_BYTES = 16_384  # STREAMINFO, padding and tags need 8.3 kB


@dataclass(frozen=True)
class Piece:
    """Samples [start_sample, end_sample) of the recording, at 16 kHz.

    ``pcm`` is signed 16 bit little-endian. What is made from it is made when it is
    first asked for, by whoever asks.
    """

    start_sample: int
    end_sample: int
    pcm: bytes

    @cached_property
    def sha256(self) -> str:
        """The sum of the PCM, so that it stays when the encoder changes."""
        return hashlib.sha256(self.pcm).hexdigest()

    @cached_property
    def flac(self) -> bytes:
        """What a recogniser is sent."""
        return encode_flac(np.frombuffer(self.pcm, "<i2"))


class Cutter:
    """Cuts one recording; holds at most one piece and a second, beside those given out.

    Pieces are in time order and do not overlap; what lies between them is silence.
    None is shorter than a second, unless the recording is.
    """

    def __init__(self, *, max_ms: int, max_bytes: int) -> None:
        """Make a cutter for one recording.

        Args:
            max_ms: the longest piece, at least 2000.
            max_bytes: the largest FLAC of a piece, whatever it holds.
        """
        times, of = _FLAC_OVERHEAD
        fitting = (max_bytes - _FLAC_HEADER_BYTES) * of // times // _FRAME_BYTES
        self._longest = min(max_ms * RATE // 1000 // FRAME, fitting)  # frames
        if self._longest < 2 * _SECOND:
            raise ValueError("a piece must be able to hold two seconds")
        # Of fixed size: a bytearray that grows after a cut is copied whole. Pages that
        # a short recording does not reach take no memory.
        self._buffer = memoryview(bytearray((self._longest + _AHEAD) * _FRAME_BYTES))
        self._held = 0  # bytes of the buffer in use
        self._base = 0  # sample where the buffer starts
        self._levels: Levels = np.empty(0, np.float32)  # of the buffer's frames
        self._threshold = Threshold()

    @property
    def total_samples(self) -> int:
        """Samples read so far; the recording's length when ``pieces`` has ended."""
        return self._base + self._held // SAMPLE_BYTES

    def pieces(self, pcm: Iterable[bytes]) -> Iterator[Piece]:
        """Yield the pieces of a recording; none if nothing is heard in it.

        Args:
            pcm: 16 kHz mono samples, signed 16 bit little-endian, in blocks of any
                size, as ``container.decode`` gives them.
        """
        for block in pcm:
            rest = memoryview(block)
            while rest:
                rest = rest[self._take(rest) :]
                if self._held == len(self._buffer):
                    yield from self._cut(last=False)
        while self._held >= SAMPLE_BYTES:
            yield from self._cut(last=True)

    def _take(self, part: memoryview) -> int:
        taken = min(len(part), len(self._buffer) - self._held)
        self._buffer[self._held : self._held + taken] = part[:taken]
        self._held += taken
        return taken

    def _cut(self, *, last: bool) -> Iterator[Piece]:
        """Yield a piece, or leave out silence; the buffer gets shorter each time."""
        self._measure()
        loud = heard(self._levels, self._threshold.decibels())
        start, end, resume = _next_range(loud, self._levels, self._longest, last=last)
        if end > start:
            yield self._piece(start * FRAME, end * FRAME)
        self._advance(resume)

    def _measure(self) -> None:
        end = self._held - self._held % SAMPLE_BYTES
        for start in range(len(self._levels) * _FRAME_BYTES, end, _MEASURED_BYTES):
            part = self._buffer[start : min(start + _MEASURED_BYTES, end)]
            measured = levels(np.frombuffer(part, "<i2"))
            self._threshold.learn(measured)
            self._levels = np.concatenate((self._levels, measured))

    def _piece(self, start: int, end: int) -> Piece:
        end = min(end, self._held // SAMPLE_BYTES)
        pcm = bytes(self._buffer[start * SAMPLE_BYTES : end * SAMPLE_BYTES])
        return Piece(self._base + start, self._base + end, pcm)

    def _advance(self, frames: int) -> None:
        samples = min(frames * FRAME, self._held // SAMPLE_BYTES)
        rest = self._buffer[samples * SAMPLE_BYTES : self._held]
        self._buffer[: len(rest)] = rest
        self._held = len(rest)
        self._base += samples
        self._levels = self._levels[frames:]


def _next_range(
    loud: Heard, seen: Levels, longest: int, *, last: bool
) -> tuple[int, int, int]:
    """Choose the frames [start, end) of the next piece, and where to go on after it.

    The piece is empty where only silence is left out. Unless it is the recording's
    end, at least ``_AHEAD`` frames remain, so that no piece gets too short.
    """
    length = len(loud)
    sounds = np.flatnonzero(loud)
    if not sounds.size:
        return 0, 0, length if last else length - _AHEAD
    start = max(0, min(int(sounds[0]) - _MARGIN, length - _AHEAD))
    if start > 0 and not last:
        return 0, 0, start
    pause = _long_pause(loud, int(sounds[0]), start + longest - _MARGIN)
    if pause is not None:
        end = max(pause + _MARGIN, start + _SECOND)
        return start, end, end
    if last and length - start <= longest:
        return start, _trimmed(sounds, start, length), length
    cut = _quietest(
        loud,
        seen,
        after=start + longest // 2,
        before=min(start + longest, length - _AHEAD),
    )
    return start, _trimmed(sounds, start, cut), cut


def _long_pause(loud: Heard, after: int, before: int) -> int | None:
    """Return where the first long pause begins, if within these frames."""
    begins = (
        start
        for start, end in runs(~loud)
        if start > after and end - start >= _LONG_PAUSE
    )
    first = next(begins, None)
    return first if first is not None and first <= before else None


def _trimmed(sounds: npt.NDArray[np.intp], start: int, end: int) -> int:
    """Return the end without the silence before it, if a second is left."""
    last_sound = int(sounds[np.searchsorted(sounds, end) - 1])
    return min(end, max(last_sound + 1 + _MARGIN, start + _SECOND))


def _quietest(loud: Heard, seen: Levels, *, after: int, before: int) -> int:
    """Return the middle of the longest pause, or else of the quietest 100 ms."""
    pauses = runs(~loud[after:before])
    if pauses:
        start, end = max(pauses, key=lambda pause: pause[1] - pause[0])
        return after + (start + end) // 2
    smooth = np.convolve(seen[after:before], np.ones(_DIP), mode="valid")
    return after + int(np.argmin(smooth)) + _DIP // 2
