"""Small recordings for tests, made on the spot: no binary files in the repository.

All times are seconds, all positions exact: speech-like bursts start and stop on
the sample that was asked for (lossy codecs smear them by a few milliseconds).
"""

import io
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16_000

# suffix -> (muxer, audio encoder, sample rate, video encoder)
FORMATS = {
    ".wav": ("wav", "pcm_s16le", 16_000, None),
    ".mp3": ("mp3", "libmp3lame", 44_100, None),
    ".m4a": ("ipod", "aac", 44_100, None),
    ".ogg": ("ogg", "libopus", 48_000, None),
    ".opus": ("opus", "libopus", 48_000, None),
    ".flac": ("flac", "flac", 44_100, None),
    ".mp4": ("mp4", "aac", 48_000, "mpeg4"),
    ".mov": ("mov", "pcm_s16le", 48_000, "mpeg4"),
    ".avi": ("avi", "libmp3lame", 44_100, "mpeg4"),
    ".webm": ("webm", "libopus", 48_000, "libvpx"),
    ".mkv": ("matroska", "flac", 32_000, "mpeg4"),
}


def sine(seconds, *, hertz=440.0, rate=RATE, level=0.3):
    """Return a tone as int16 samples."""
    times = np.arange(round(seconds * rate)) / rate
    return np.round(np.sin(2 * np.pi * hertz * times) * level * 32767).astype(np.int16)


def bursts(seconds, pattern, *, rate=RATE, level=0.2, noise=0.0, seed=7):
    """Return noise that swells like syllables within each (start, end), else silence.

    ``noise`` is the level of a hiss below everything, 0 to 1 of full scale.
    """
    random = np.random.default_rng(seed)
    samples = random.standard_normal(round(seconds * rate)) * noise
    for start, end in pattern:
        first, last = round(start * rate), round(end * rate)
        times = np.arange(last - first) / rate
        swell = 0.55 + 0.45 * np.cos(2 * np.pi * 4 * times)
        samples[first:last] += random.standard_normal(last - first) * swell * level
    return np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)


def write(path, samples, *, rate=RATE, audio_starts=0.0, video_seconds=None):
    """Write int16 samples in the container that the suffix of ``path`` names.

    ``samples`` is one channel, or (frames, channels). ``audio_starts`` shifts the
    sound against the picture.
    """
    muxer, encoder, encoded_rate, picture = FORMATS[Path(path).suffix]
    with av.open(str(path), "w", format=muxer) as media:
        video = picture and _video_stream(media, picture)
        planes = samples.reshape(len(samples), -1)
        layout = {1: "mono", 2: "stereo"}[planes.shape[1]]
        audio = media.add_stream(encoder, rate=encoded_rate, layout=layout)
        if video:
            _encode_pictures(media, video, video_seconds or len(samples) / rate)
        _encode_sound(media, audio, planes, (rate, layout, audio_starts))
    return Path(path)


def tone(path, seconds, *, hertz=440.0, level=0.3):
    """Write a steady tone."""
    return write(path, sine(seconds, hertz=hertz, level=level))


def speechlike(path, pattern=((0.5, 2.0),), *, seconds=None, level=0.2, noise=0.0):
    """Write bursts at each (start, end) of the pattern, and silence between."""
    length = seconds or pattern[-1][1] + 0.5
    return write(path, bursts(length, pattern, level=level, noise=noise))


def silence(path, seconds):
    """Write digital silence."""
    return write(path, np.zeros(round(seconds * RATE), np.int16))


def video_only(path, seconds=1.0):
    """Write a film without sound."""
    muxer, _, _, picture = FORMATS[Path(path).suffix]
    with av.open(str(path), "w", format=muxer) as media:
        _encode_pictures(media, _video_stream(media, picture), seconds)
    return Path(path)


def picture(path, kind="png"):
    """Write one still picture, whatever the suffix of ``path`` says."""
    frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
    codec = av.CodecContext.create({"png": "png", "jpeg": "mjpeg"}[kind], "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width = codec.height = 64
    codec.pix_fmt = {"png": "rgb24", "jpeg": "yuvj420p"}[kind]
    codec.time_base = Fraction(1, 25)
    packets = [*codec.encode(frame.reformat(format=codec.pix_fmt)), *codec.encode(None)]
    Path(path).write_bytes(b"".join(bytes(packet) for packet in packets))
    return Path(path)


def wav_bytes(samples, *, rate=RATE, channels=1):
    """Return a WAV file with 16-bit samples, interleaved if there are channels."""
    body = io.BytesIO()
    with wave.open(body, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return body.getvalue()


def _video_stream(media, encoder):
    stream = media.add_stream(encoder, rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _encode_pictures(media, stream, seconds):
    for number in range(round(seconds * 10)):
        shade = np.full((48, 64, 3), number % 256, np.uint8)
        frame = av.VideoFrame.from_ndarray(shade, "rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        media.mux(stream.encode(frame))
    media.mux(stream.encode(None))


def _encode_sound(media, stream, planes, source):
    rate, layout, starts = source
    resampler = av.AudioResampler(
        format=stream.format.name, layout=layout, rate=stream.rate
    )
    position = round(starts * stream.rate)
    for block in [*_frames(planes, rate, layout), None]:
        for frame in resampler.resample(block):
            frame.pts, frame.time_base = position, Fraction(1, stream.rate)
            position += frame.samples
            media.mux(stream.encode(frame))
    media.mux(stream.encode(None))


def _frames(planes, rate, layout):
    for start in range(0, len(planes), rate):
        block = np.ascontiguousarray(planes[start : start + rate]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout=layout)
        frame.sample_rate = rate
        yield frame
