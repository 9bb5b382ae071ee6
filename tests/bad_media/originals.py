"""Good recordings, made once per process: what is bad is made of them."""

import tempfile
from functools import cache
from pathlib import Path

import av

from tests import media_samples
from tests.media_samples import sine

SECONDS = 8.0  # half of it is missed: a header may be off by two


@cache
def recording(suffix: str, seconds: float = SECONDS) -> bytes:
    """Return a tone in the container that the suffix names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"tone{suffix}"
        media_samples.write(path, sine(seconds))
        return path.read_bytes()


@cache
def film(suffix: str = ".mp4") -> bytes:
    """Return a film without sound."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film{suffix}"
        media_samples.video_only(path)
        return path.read_bytes()


@cache
def picture(kind: str) -> bytes:
    """Return one still picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "still"
        media_samples.picture(path, kind)
        return path.read_bytes()


@cache
def muxed(muxer: str, encoder: str, rate: int = 44_100) -> bytes:
    """Return two seconds of silence in a container that we do not take."""
    with tempfile.NamedTemporaryFile() as file:
        with av.open(file.name, "w", format=muxer) as media:
            stream = media.add_stream(encoder, rate=rate, layout="mono")
            assert isinstance(stream, av.AudioStream)
            size = stream.codec_context.frame_size or 1152
            for number in range(2 * rate // size):
                frame = av.AudioFrame(stream.format.name, "mono", size)
                frame.planes[0].update(bytes(frame.planes[0].buffer_size))
                frame.sample_rate, frame.pts = rate, number * size
                media.mux(stream.encode(frame))
            media.mux(stream.encode(None))
        return Path(file.name).read_bytes()
