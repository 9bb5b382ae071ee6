"""Samples to FLAC in memory."""

import io
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt

from common.media.pcm import RATE

_FRAME = 4096  # samples of one FLAC frame; the encoder's own choice for 16 kHz


def encode_flac(samples: npt.NDArray[np.int16]) -> bytes:
    """Return 16 kHz mono FLAC that decodes to exactly these samples."""
    out = io.BytesIO()
    with av.open(out, "w", format="flac") as media:
        stream = media.add_stream("flac", rate=RATE, layout="mono")
        stream.format = "s16"
        for start in range(0, len(samples), _FRAME):
            block = samples[start : start + _FRAME].reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = RATE
            frame.pts, frame.time_base = start, Fraction(1, RATE)
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return out.getvalue()
