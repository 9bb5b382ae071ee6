"""Where there is sound, told from the energy of 20 ms frames."""

import numpy as np
import numpy.typing as npt

from common.media.pcm import RATE

Samples = npt.NDArray[np.int16]
Levels = npt.NDArray[np.float32]
Heard = npt.NDArray[np.bool_]

FRAME = RATE // 50  # samples; 20 ms, well below the length of a vowel

_SILENT_DB = -55.0  # dBFS; nothing quieter is speech, whatever the noise
_ABOVE_NOISE_DB = 6.0
_BELOW_SPEECH_DB = 20.0  # a threshold nearer to the speech would cut into it
_NOISE_QUANTILE = 0.10  # so much of a talk is pauses, breath and stops
_SPEECH_QUANTILE = 0.98  # a few sentences in an hour are still seen
_STEADY_DB = 6.0  # measured between the quantiles: 1.1 for white noise
_STEADY_BELOW_DB = -40.0  # louder, it may be music or a test tone: somebody's sound
_LONGEST_DIP = 5  # frames; a stop consonant is shorter than 100 ms
_SHORTEST_SOUND = 5  # frames; 100 ms, shorter is a click
_LOWEST_DB = -100


def levels(samples: Samples) -> Levels:
    """Return the level of each frame in dBFS; the last frame may be shorter."""
    starts = np.arange(0, len(samples), FRAME)
    counts = np.minimum(FRAME, len(samples) - starts).astype(np.float32)
    squares = np.add.reduceat(np.square(samples, dtype=np.float32), starts) / counts
    offset = np.add.reduceat(samples, starts, dtype=np.float32) / counts
    power = squares - np.square(offset)  # a cheap microphone's offset is not sound
    decibels = 10 * np.log10(np.maximum(power, 1e-3)) - 20 * np.log10(32768)
    return np.asarray(np.maximum(decibels, _LOWEST_DB), dtype=np.float32)


class Threshold:
    """The level above which a frame is sound, from all frames seen so far.

    It lies 6 dB above the noise (the tenth part that is quietest), but stays 20 dB
    below the speech, so that a recording without any pause is not taken for noise.
    If all is equally quiet, it is the noise of an empty room, and lies above that.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(1 - _LOWEST_DB, dtype=np.int64)  # one a decibel

    def learn(self, seen: Levels) -> None:
        """Add frames to what the threshold is made from."""
        bins = np.clip(np.rint(seen).astype(np.int64) - _LOWEST_DB, 0, -_LOWEST_DB)
        self._counts += np.bincount(bins, minlength=len(self._counts))

    def decibels(self) -> float:
        """Return the threshold in dBFS."""
        noise = self._quantile(_NOISE_QUANTILE)
        speech = self._quantile(_SPEECH_QUANTILE)
        if speech < _STEADY_BELOW_DB and speech - noise < _STEADY_DB:
            return max(_SILENT_DB, speech + _ABOVE_NOISE_DB)
        return max(_SILENT_DB, min(noise + _ABOVE_NOISE_DB, speech - _BELOW_SPEECH_DB))

    def _quantile(self, share: float) -> float:
        rank = share * self._counts.sum()
        return float(np.searchsorted(np.cumsum(self._counts), rank)) + _LOWEST_DB


class Listener:
    """Tells of a whole recording whether anything is heard in it.

    It keeps a level for every frame: 2 MB for three hours.
    """

    def __init__(self) -> None:
        self._threshold = Threshold()
        self._levels: list[Levels] = []
        self._rest: Samples = np.empty(0, np.int16)  # less than a frame

    def learn(self, samples: Samples) -> None:
        """Listen to the samples that follow the last ones."""
        samples = np.concatenate((self._rest, samples))
        whole = len(samples) - len(samples) % FRAME
        self._rest = samples[whole:].copy()
        self._measure(samples[:whole])

    @property
    def heard(self) -> bool:
        """Whether a piece would be cut from what was listened to so far."""
        if self._rest.size:
            self._measure(self._rest)
            self._rest = self._rest[:0]
        if not self._levels:
            return False
        seen = np.concatenate(self._levels)
        return bool(heard(seen, self._threshold.decibels()).any())

    def _measure(self, samples: Samples) -> None:
        if samples.size:
            self._levels.append(levels(samples))
            self._threshold.learn(self._levels[-1])


def heard(seen: Levels, threshold: float) -> Heard:
    """Tell for each frame whether it belongs to a sound of 100 ms or more."""
    loud = np.asarray(seen > threshold)
    for start, end in runs(~loud):
        if end - start <= _LONGEST_DIP and start > 0 and end < len(loud):
            loud[start:end] = True
    for start, end in runs(loud):
        if end - start < _SHORTEST_SOUND:
            loud[start:end] = False
    return loud


def runs(flags: Heard) -> list[tuple[int, int]]:
    """Return [start, end) of each stretch of True, in order."""
    padded = np.concatenate(([False], flags, [False]))
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
