"""Small films for tests, made once per kind: pictures that count, and a tone."""

import io
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np

RATE = 25
MUXERS = {".mp4": "mp4", ".mov": "mov", ".avi": "avi", ".mkv": "matroska"}


@lru_cache
def film(
    end=".mp4",
    *,
    seconds=2.0,
    size=(160, 90),
    codec="libx264",
    sound="aac",
    noisy=False,
):
    """Return the bytes of a film; its left part grows greener with each frame.

    ``noisy`` pictures are large when they are encoded.
    """
    target = io.BytesIO()
    with av.open(target, "w", format=MUXERS[end]) as media:
        picture = media.add_stream(codec, rate=RATE)
        picture.width, picture.height = size
        picture.pix_fmt = "yuv420p"
        tone = media.add_stream(sound, rate=44_100, layout="mono") if sound else None
        for number in range(round(seconds * RATE)):
            media.mux(picture.encode(_frame(number, size, noisy=noisy)))
        media.mux(picture.encode(None))
        if tone is not None:
            media.mux(tone.encode(_tone(seconds)))
            media.mux(tone.encode(None))
    return target.getvalue()


def _frame(number, size, *, noisy):
    width, height = size
    rgb = np.zeros((height, width, 3), np.uint8)
    if noisy:
        rgb[:] = np.random.default_rng(number).integers(0, 255, rgb.shape)
    rgb[:, :, 0] = 200
    rgb[:, : max(1, width * number // 50), 1] = 255
    frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame


def _tone(seconds):
    times = np.arange(round(seconds * 44_100)) / 44_100
    wave = np.round(np.sin(2 * np.pi * 440 * times) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), "s16", layout="mono")
    frame.sample_rate, frame.pts = 44_100, 0
    return frame
