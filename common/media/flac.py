"""Samples to FLAC: a piece in memory, or a whole recording as a stream."""

import hashlib
import io
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from common.media.loudness import Listener
from common.media.pcm import RATE, SAMPLE_BYTES

_BLOCK = 32_768  # samples handed over at once; few Python steps per hour
# Larger frames than the encoder's own 1152 save a third of the time, and a lower level
# than its own 5 a tenth, for files that are no larger (measured on noise).
_OPTIONS = {"frame_size": "4096", "compression_level": "3"}

_HEADER_BYTES = 26  # up to where the number of samples ends
_RATE_BITS, _SAMPLE_BITS = 44, 36  # rate 20, channels 3, bits 5, samples 36 bit


class Encoder:
    """Writes 16 kHz mono FLAC that decodes to exactly the samples it is given."""

    def __init__(self, out: Any) -> None:  # noqa: ANN401 - PyAV wants ``write`` only
        """Write to ``out``; if that cannot seek, the header tells no length."""
        self._media = av.open(out, "w", format="flac")
        self._stream = self._media.add_stream(
            "flac", rate=RATE, layout="mono", options=_OPTIONS
        )
        self._stream.format = "s16"
        self._position = 0

    def add(self, samples: npt.NDArray[np.int16]) -> None:
        """Encode samples that follow the last ones."""
        for start in range(0, len(samples), _BLOCK):
            block = samples[start : start + _BLOCK].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = RATE
            frame.pts, frame.time_base = self._position, Fraction(1, RATE)
            self._position += block.size
            self._media.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write the end."""
        self._media.mux(self._stream.encode(None))
        self._media.close()


def encode_flac(samples: npt.NDArray[np.int16]) -> bytes:
    """Return 16 kHz mono FLAC that decodes to exactly these samples."""
    out = io.BytesIO()
    encoder = Encoder(out)
    encoder.add(samples)
    encoder.close()
    return out.getvalue()


def length_ms(flac: bytes) -> int | None:
    """Return the length that a FLAC header gives, None if it gives none."""
    packed = int.from_bytes(flac[18:_HEADER_BYTES], "big")
    rate, samples = packed >> _RATE_BITS, packed & ((1 << _SAMPLE_BITS) - 1)
    if flac[:4] != b"fLaC" or not rate or not samples:
        return None
    return samples * 1000 // rate


class FlacStream(io.RawIOBase):
    """A whole recording as FLAC, encoded while it is read; memory stays flat.

    When it has been read to its end, the rest is known: ``total_samples``, ``sha256``
    of the PCM (as that of a ``Piece``) and whether anything is ``heard`` at all.
    """

    def __init__(self, pcm: Iterable[bytes]) -> None:
        """Encode 16 kHz mono PCM, in blocks as ``container.decode`` gives them."""
        self._blocks = iter(pcm)
        self._ready = bytearray()
        self._encoder: Encoder | None = Encoder(_Sink(self._ready))
        self._digest = hashlib.sha256()
        self._listener = Listener()
        self.total_samples = 0

    @property
    def sha256(self) -> str:
        """The sum of the samples so far."""
        return self._digest.hexdigest()

    @property
    def heard(self) -> bool:
        """Whether there is more than silence and noise so far."""
        return self._listener.heard

    def readable(self) -> bool:  # noqa: D102
        return True

    def readinto(self, target: Any) -> int:  # noqa: ANN401, D102 - a buffer
        while self._encoder is not None and len(self._ready) < len(target):
            self._encode_more(self._encoder)
        given = min(len(target), len(self._ready))
        target[:given] = self._ready[:given]
        del self._ready[:given]
        return given

    def _encode_more(self, encoder: Encoder) -> None:
        block = next(self._blocks, None)
        if block is None:
            encoder.close()
            self._encoder = None
            return
        samples = np.frombuffer(block, "<i2", len(block) // SAMPLE_BYTES)
        self._digest.update(samples.data)
        self._listener.learn(samples)
        self.total_samples += len(samples)
        encoder.add(samples)


class _Sink:
    """What PyAV writes to: it cannot seek, so the file grows at its end only."""

    def __init__(self, target: bytearray) -> None:
        self._target = target

    def write(self, written: bytes) -> int:
        self._target += written
        return len(written)
