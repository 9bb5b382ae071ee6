"""What decoding and cutting a long lecture costs: python -m tests.bench.bench_media.

Prints, for each container, CPU seconds and how much memory grew at the peak; target:
below 64 MiB for three hours. Each runs in a process of its own, so that peaks are its.
"""

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from common.media.check import check
from common.media.chunks import Cutter
from common.media.container import decode
from tests.media_samples import FORMATS, RATE, bursts

MINUTE = [(start, start + 5.2) for start in range(0, 60, 6)]
PLANS = {"openai": (600_000, 24_000_000), "pocketsphinx": (30_000, 24_000_000)}


def long_recording(path, hours):
    """Repeat a minute of speech-like sound, encoded once a minute, in flat memory."""
    muxer, encoder, rate, _ = FORMATS[path.suffix]
    minute = bursts(60, MINUTE, noise=0.0005)
    with av.open(str(path), "w", format=muxer) as media:
        stream = media.add_stream(encoder, rate=rate, layout="mono")
        if encoder != "pcm_s16le":
            stream.bit_rate = 48_000
        resampler = av.AudioResampler(stream.format.name, "mono", rate)
        for number in range(round(hours * 60)):
            block = np.roll(minute, number * 997).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = RATE
            for resampled in resampler.resample(frame):
                resampled.pts = None
                media.mux(stream.encode(resampled))
        media.mux(stream.encode(None))
    return path


def planned(path, limits):
    """Decode and cut once; return the figures of one line."""
    with path.open("rb") as file:  # first use of libraries is not growth
        next(Cutter(max_ms=2000, max_bytes=10**6).pieces(decode(file)))
    before = resource.getrusage(resource.RUSAGE_SELF)
    cutter = Cutter(max_ms=limits[0], max_bytes=limits[1])
    with path.open("rb") as file:
        sizes = [len(piece.flac) for piece in cutter.pieces(decode(file))]
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (
        cutter.total_samples / RATE,
        len(sizes),
        sum(sizes) / 1e6,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        (after.ru_maxrss - before.ru_maxrss) / 1024,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--formats", nargs="+", default=[".mp3", ".m4a", ".opus"])
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in options.formats:
            path = long_recording(Path(folder) / f"lecture{suffix}", options.hours)
            for name, limits in PLANS.items():
                with spawn.Pool(1) as pool:
                    figures = pool.apply(planned, (path, limits))
                print(
                    f"{suffix} {name}: {figures[0]:.1f} s, {figures[1]} pieces,"
                    f" {figures[2]:.0f} MB FLAC, {figures[3]:.1f} CPU s,"
                    f" peak +{figures[4]:.0f} MiB"
                )
            print(f"{suffix} check: {statistics.median(checks(path)):.3f} s wall")


def checks(path):
    for _ in range(5):
        started = time.perf_counter()
        check(path)
        yield time.perf_counter() - started


if __name__ == "__main__":
    main()
