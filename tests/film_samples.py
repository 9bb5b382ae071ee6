"""Small films for tests, each of one colour and one tone, and what is in a film.

Colours and tones tell which clip is seen and heard at a second of the result.
"""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.media_samples import sine

RATE = 48_000

RED, GREEN, BLUE = (200, 30, 30), (30, 170, 40), (40, 40, 210)
BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)


def film(
    colour=RED,
    seconds=1.0,
    *,
    hertz=440.0,
    size=(160, 90),
    rate=10,
    level=0.3,
    container="mp4",
):
    """Return a film as a file: one colour, and a tone unless ``hertz`` is None."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as media:
        video = media.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        sound = hertz and media.add_stream("aac", rate=RATE, layout="mono")
        plain = np.full((size[1], size[0], 3), colour, np.uint8)
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(plain, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1) / Fraction(rate)
            media.mux(video.encode(frame))
        media.mux(video.encode(None))
        if hertz:
            _encode_tone(media, sound, seconds, hertz, level)
    file.seek(0)
    return file


def brightness(number):
    return 20 + 9 * number


def counting(frames, *, rate=10, size=(160, 90)):
    """Return a silent film whose n-th picture is as bright as ``brightness(n)``."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as media:
        video = media.add_stream("libx264", rate=rate, options={"qp": "1"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        for number in range(frames):
            grey = np.full((size[1], size[0], 3), brightness(number), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            media.mux(video.encode(frame))
        media.mux(video.encode(None))
    file.seek(0)
    return file


def interrupted(*, heard=(0.0, 0.4, 0.8), seconds=1.2, hertz=440.0):
    """Return a film whose tone is there until one time, and again from another on."""
    file = io.BytesIO()
    start, stop, again = heard
    with av.open(file, "w", format="matroska") as media:
        video = media.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        sound = media.add_stream("pcm_s16le", rate=RATE, layout="mono")
        grey = np.full((90, 160, 3), 128, np.uint8)
        for number in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(grey, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            media.mux(video.encode(frame))
        media.mux(video.encode(None))
        for begin, length in ((start, stop - start), (again, seconds - again)):
            wave = sine(length, hertz=hertz, rate=RATE).reshape(1, -1)
            heard = av.AudioFrame.from_ndarray(wave, "s16", "mono")
            heard.sample_rate, heard.time_base = RATE, Fraction(1, RATE)
            heard.pts = round(begin * RATE)
            media.mux(sound.encode(heard))
    file.seek(0)
    return file


def tone(seconds=1.0, *, hertz=1760.0, level=0.5):
    """Return sound alone, as an M4A file."""
    file = io.BytesIO()
    with av.open(file, "w", format="ipod") as media:
        sound = media.add_stream("aac", rate=RATE, layout="mono")
        _encode_tone(media, sound, seconds, hertz, level)
    file.seek(0)
    return file


def picture(colour=WHITE, size=(40, 20)):
    """Return a picture as a PNG file."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    file.seek(0)
    return file


class Result:
    """A film that was made, decoded: its pictures and its samples."""

    samples: Any  # None where there is no sound
    rate: Any

    def __init__(self, content):
        self.content = content
        with av.open(io.BytesIO(content), "r") as media:
            video = media.streams.video[0]
            self.codec = video.codec_context.name
            self.rate = video.average_rate
            self.size = (video.codec_context.width, video.codec_context.height)
            shown = list(media.decode(video))
            self.times = [frame.time for frame in shown]
            self.frames = [frame.to_ndarray(format="rgb24") for frame in shown]
        with av.open(io.BytesIO(content), "r") as media:
            self.sound_codecs = [s.codec_context.name for s in media.streams.audio]
            self.texts = [s.codec_context.name for s in media.streams.subtitles]
            self.samples = _samples(media) if self.sound_codecs else None

    @property
    def seconds(self):
        """When its last picture goes."""
        return self.times[-1] + 1 / float(self.rate)

    def colour(self, second, *, x=0.5, y=0.5):
        """Return the mean colour around a place, in shares of the picture's sides."""
        begun = [n for n, time in enumerate(self.times) if time <= second + 1e-6]
        frame = self.frames[begun[-1]]
        row, column = int(y * (frame.shape[0] - 1)), int(x * (frame.shape[1] - 1))
        around = frame[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
        return tuple(int(v) for v in around.reshape(-1, 3).mean(axis=0))

    def level(self, hertz, start, end):
        """Return how loud a tone is within these seconds, in dBFS."""
        part = self.samples[round(start * RATE) : round(end * RATE)]
        times = np.arange(len(part)) / RATE
        wave = np.exp(-2j * np.pi * hertz * times) * np.hanning(len(part))
        amplitude = 2 * abs(np.sum(part * wave)) / np.sum(np.hanning(len(part)))
        return 20 * np.log10(max(amplitude, 1e-6))


def still(content):
    """Return the colour in the middle of a picture."""
    with Image.open(io.BytesIO(content)) as found:
        return found.convert("RGB").getpixel((found.width // 2, found.height // 2))


def near(colour, other, by=24):
    """Return whether two colours look the same after they were encoded."""
    return all(abs(a - b) <= by for a, b in zip(colour, other, strict=True))


def _samples(media):
    resampler = av.AudioResampler("flt", "mono", RATE)
    parts = []
    for frame in [*media.decode(audio=0), None]:
        parts += [f.to_ndarray().reshape(-1) for f in resampler.resample(frame)]
    return np.concatenate(parts)


def _encode_tone(media, stream, seconds, hertz, level):
    wave = sine(seconds, hertz=hertz, rate=RATE, level=level).astype(np.float32) / 32768
    frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    media.mux(stream.encode(frame))
    media.mux(stream.encode(None))
