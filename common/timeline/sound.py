"""The sound of the film: what is heard in its clips, and music below it.

Samples are 32-bit floats at 48 kHz, of shape (samples, 2).
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from fractions import Fraction
from typing import BinaryIO, Self

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.container import InputContainer

from common.errors import UnreadableMedia
from common.media.films.opening import opened, sound_of
from common.media.pcm import require_acceptable
from common.timeline.plan import SOUND_RATE, Bed, Plan, Span
from common.timeline.sources import go_to, origin

Samples = npt.NDArray[np.float32]

BLOCK = SOUND_RATE // 2  # samples that are mixed at once
_TOLERANCE = SOUND_RATE // 20  # 50 ms, as in media.pcm: containers round
_RUN_UP = Fraction(1, 4)  # seconds: decoders need some packets before they are right
_HOP = SOUND_RATE // 100  # 10 ms: the shortest attack that is heard as one


class Track:
    """The sound of one file from a place on; after its end there is silence."""

    def __init__(self, media: InputContainer, start: Fraction) -> None:
        sound = sound_of(media)
        if sound is None:
            raise UnreadableMedia(
                "A file of the timeline has no sound.", code="media_no_audio"
            )
        self._media = media
        self._sound = sound
        self._start = start
        self._origin = origin(media)
        self._place = 0  # of the next sample that is decoded, from ``start`` on
        self._resampler: av.AudioResampler | None = None
        self._blocks = self._decoded()
        self._rest: Samples = np.empty((0, 2), np.float32)

    def read(self, count: int) -> Samples:
        """Return the next samples, and silence for those that are missing."""
        heard = self.rest(count)
        return np.pad(heard, ((0, count - len(heard)), (0, 0)))

    def rest(self, count: int) -> Samples:
        """Return the next samples, or as many as there are left."""
        parts: list[Samples] = [np.empty((0, 2), np.float32)]
        missing = count
        while missing:
            if not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = block
            part = self._rest[:missing]
            self._rest = self._rest[len(part) :]
            parts.append(part)
            missing -= len(part)
        return np.concatenate(parts)

    def _decoded(self) -> Iterator[Samples]:
        """Yield what is heard from the start on; gaps are silence."""
        go_to(self._media, max(Fraction(0), self._start - _RUN_UP))
        first = True
        for packet in self._media.demux(self._sound):
            try:
                frames = self._sound.decode(packet)
            except (EOFError, av.FFmpegError):
                continue
            for frame in frames:
                yield from self._aligned(frame, first=first)
                first = False
        if self._resampler is not None:
            yield from self._given(self._resampler.resample(None))

    def _aligned(self, frame: AudioFrame, *, first: bool) -> Iterator[Samples]:
        if self._resampler is None:
            require_acceptable(frame.layout.nb_channels, frame.sample_rate)
            self._resampler = av.AudioResampler("flt", "stereo", SOUND_RATE)
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * frame.time_base - self._origin
            target = round((time - self._start) * SOUND_RATE)
            if first:
                self._place = min(target, 0)
            if first or abs(target - self._place) > _TOLERANCE:
                yield from self._silence(target - self._place)
        frame.pts = None
        yield from self._given(self._resampler.resample(frame))

    def _silence(self, count: int) -> Iterator[Samples]:
        while count > 0:
            part = min(count, BLOCK)
            self._place += part
            count -= part
            yield np.zeros((part, 2), np.float32)

    def _given(self, frames: list[AudioFrame]) -> Iterator[Samples]:
        """Yield samples, but for those before the start."""
        for frame in frames:
            samples = frame.to_ndarray().reshape(-1, 2).astype(np.float32, copy=False)
            before = min(max(-self._place, 0), len(samples))
            self._place += len(samples)
            if before < len(samples):
                yield samples[before:]


class Mixer:
    """Mixes the sound of a whole film, block after block. Closes what it opens."""

    def __init__(
        self, plan: Plan, clips: Mapping[int, BinaryIO], music: BinaryIO | None
    ) -> None:
        self._plan = plan
        self._clips = clips
        self._closing = ExitStack()
        self._tracks: dict[int, Track] = {}
        self._total = sample(plan, plan.frames)
        self._music: Music | None = None
        if plan.bed is not None and music is not None:
            self._music = Music(plan.bed, music, self._total, self._closing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.close()

    def blocks(self) -> Iterator[Samples]:
        """Yield the film's sound in time order."""
        for first in range(0, self._total, BLOCK):
            end = min(first + BLOCK, self._total)
            voice = np.zeros((end - first, 2), np.float32)
            for span in self._plan.spans:
                self._add(voice, span, first, end)
            if self._music is not None:
                voice = voice + self._music.below(voice)
            yield np.clip(voice, -1.0, 1.0)

    def _add(self, voice: Samples, span: Span, first: int, end: int) -> None:
        begins, ends = sample(self._plan, span.first), sample(self._plan, span.end)
        start, stop = max(first, begins), min(end, ends)
        if not span.sound or start >= stop:
            return
        if span.clip not in self._tracks:
            media = self._closing.enter_context(opened(self._clips[span.clip]))
            self._tracks[span.clip] = Track(media, span.start)
        heard = self._tracks[span.clip].read(stop - start)
        gain = self._gain(span, np.arange(start, stop))
        voice[start - first : stop - first] += heard * gain[:, None]

    def _gain(self, span: Span, at: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Return how loud a clip is: it comes and goes with its picture."""
        begins, ends = sample(self._plan, span.first), sample(self._plan, span.end)
        follower = next((s for s in self._plan.spans if s.clip == span.clip + 1), None)
        leaves = follower.blended if follower else 0
        gain = np.ones(len(at))
        if span.blended:  # sine and cosine: as loud in the middle as at the ends
            over = sample(self._plan, span.first + span.blended) - begins
            gain *= np.sin(np.clip((at - begins) / over, 0, 1) * math.pi / 2)
        if leaves:
            over = ends - sample(self._plan, span.end - leaves)
            gain *= np.sin(np.clip((ends - at) / over, 0, 1) * math.pi / 2)
        if span.fade_in:
            over = sample(self._plan, span.first + span.fade_in) - begins
            gain *= np.clip((at - begins) / over, 0, 1)
        if span.fade_out:
            over = ends - sample(self._plan, span.end - span.fade_out)
            gain *= np.clip((ends - at) / over, 0, 1)
        return gain.astype(np.float32)


class Music:
    """Music as it is asked for: faded, repeated, and stepping back for voices."""

    def __init__(
        self, bed: Bed, file: BinaryIO, total: int, closing: ExitStack
    ) -> None:
        self._bed = bed
        self._total = total
        self._media = closing.enter_context(opened(file))
        self._track = Track(self._media, Fraction(bed.offset))
        self._at = 0
        self._level = 0.0
        self._last_gain = 1.0

    def below(self, voice: Samples) -> Samples:
        """Return what belongs below the next samples of voice."""
        heard = self._read(len(voice))
        at = np.arange(self._at, self._at + len(voice))
        self._at += len(voice)
        gain = np.full(len(voice), self._bed.volume)
        if self._bed.fade_in:
            gain *= np.clip(at / (self._bed.fade_in * SOUND_RATE), 0, 1)
        if self._bed.fade_out:
            left = self._total - at
            gain *= np.clip(left / (self._bed.fade_out * SOUND_RATE), 0, 1)
        if self._bed.threshold is not None:
            gain *= self._ducked(voice, self._bed.threshold)
        return heard * gain[:, None].astype(np.float32)

    def _read(self, count: int) -> Samples:
        """Return the next samples, from the track's start again if it is repeated."""
        heard = self._track.rest(count)
        while self._bed.loop and len(heard) < count:
            self._track = Track(self._media, Fraction(0))
            again = self._track.rest(count - len(heard))
            if not len(again):  # nothing in it: silence
                break
            heard = np.concatenate((heard, again))
        return np.pad(heard, ((0, count - len(heard)), (0, 0)))

    def _ducked(self, voice: Samples, threshold: float) -> npt.NDArray[np.float64]:
        """Return the gain by which the music steps back, sample by sample."""
        loud = np.abs(voice).max(axis=1)
        places = np.arange(0, len(loud), _HOP)
        gains = [self._last_gain]
        for peak in np.maximum.reduceat(loud, places):
            rising = peak > self._level
            over_ms = self._bed.attack_ms if rising else self._bed.release_ms
            keep = math.exp(-10 / over_ms)
            self._level = keep * self._level + (1 - keep) * float(peak)
            above = max(1.0, self._level / threshold)
            gains.append(above ** (1 / self._bed.ratio - 1))
        self._last_gain = gains[-1]
        points = [0, *np.minimum(places + _HOP, len(loud))]
        return np.interp(np.arange(len(loud)), points, gains)


def sample(plan: Plan, frame: int) -> int:
    """Return the first sample that is heard with a frame."""
    return round(frame * SOUND_RATE / plan.rate)
