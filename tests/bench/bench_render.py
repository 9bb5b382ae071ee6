"""What rendering costs: python -m tests.bench.bench_render [--seconds 8].

Two moving clips of 720p become a timeline with a crossfade, subtitles, a watermark and
ducked music, once alone and once with its proxy and the three presets. Prints seconds
of film per second of processor time, and the peak memory of the child that rendered.
"""

import argparse
import io
import os
import resource
import tempfile
import time
from contextlib import ExitStack
from fractions import Fraction

import av
import numpy as np

from common.timeline.orders import Join, Part
from common.timeline.plan import Line
from common.timeline.planning import plan
from common.timeline.request import read
from common.timeline.studio import Studio
from tests.film_samples import RATE, picture, tone
from tests.media_samples import sine

ID = "00000000-0000-0000-0000-000000000001"
FPS = 25


def moving(seconds, *, size=(1280, 720)):
    """Return a film whose picture changes everywhere in every frame."""
    file = io.BytesIO()
    across, down = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    with av.open(file, "w", format="mp4") as media:
        video = media.add_stream("libx264", rate=FPS, options={"preset": "ultrafast"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        sound = media.add_stream("aac", rate=RATE, layout="mono")
        for number in range(round(seconds * FPS)):
            red = (across + 7 * number) % 256
            green = (down + 3 * number) % 256
            shade = np.stack([red, green, (red + green) // 2], axis=-1)
            frame = av.VideoFrame.from_ndarray(shade.astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            media.mux(video.encode(frame))
        media.mux(video.encode(None))
        wave = sine(seconds, rate=RATE).astype(np.float32).reshape(1, -1) / 32768
        heard = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        heard.sample_rate, heard.pts, heard.time_base = RATE, 0, Fraction(1, RATE)
        media.mux(sound.encode(heard))
        media.mux(sound.encode(None))
    file.seek(0)
    return file


def wanted(resolution, **fields):
    fade = {"type": "crossfade", "duration": 1}
    return read(
        {
            "clips": [{"asset_id": ID, "transition": fade}, {"asset_id": ID}],
            "resolution": resolution,
            "generate_thumbnails": False,
            "default_watermark": {"path": "w"},
            "background_music": {"track": "m", "ducking": {}},
            **fields,
        }
    )


def rendered(timeline, clip, *, films):
    """Render and join; return the figures of one line."""
    studio = Studio(lambda _frames: None)
    made = plan(timeline, studio.look([clip, clip]))
    line = Line(start_ms=500, end_ms=round(made.seconds * 900), text="Good morning")
    made = made.model_copy(update={"films": made.films[:films], "burnt": (line,)})
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    size = 0
    with ExitStack() as stack:
        parts = []
        for first, end in made.parts:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in made.films]
            spans = [s for s in made.spans if s.first < end and s.end > first]
            order = Part(
                plan=made,
                first=first,
                end=end,
                clips=[s.clip for s in spans],
                threads=2,
            )
            given = [io.BytesIO(clip.getvalue()) for _ in spans]
            studio.render(order, [*given, picture()], files)
            parts.append(files)
        for number in range(films):
            output = stack.enter_context(tempfile.TemporaryFile())
            joined = Join(plan=made, film=number, parts=len(parts), clips=(0, 1))
            given = [io.BytesIO(clip.getvalue()) for _ in range(2)]
            own = [files[number] for files in parts]
            studio.join(joined, [*own, *given, tone(2.0)], output)
            size += os.fstat(output.fileno()).st_size
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = float(made.seconds)
    return (
        f"{seconds:5.1f} s film, {len(made.parts)} parts, {films} films:"
        f" {time.monotonic() - began:6.1f} s, {cpu:6.1f} CPU s,"
        f" {seconds / cpu:5.2f} s of film per CPU s, peak {after.ru_maxrss / 1024:.0f}"
        f" MiB, {size / 2**20:.1f} MiB written"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of each clip")
    clip = moving(parser.parse_args().seconds)
    for resolution in ("720p", "1080p"):
        print(resolution, "timeline alone  ", end=" ")
        print(rendered(wanted(resolution), clip, films=1), flush=True)
    everything = wanted("1080p", export_templates=[])
    print("1080p", "proxy and presets", end=" ")
    print(rendered(everything, clip, films=5))


if __name__ == "__main__":
    main()
