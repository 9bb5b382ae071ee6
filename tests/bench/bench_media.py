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

from common.media.check import check
from common.media.chunks import Cutter
from common.media.container import decode
from tests.media_samples import RATE, bursts, write

MINUTE = [(start, start + 5.2) for start in range(0, 60, 6)]
PLANS = {"openai": (600_000, 24_000_000), "pocketsphinx": (30_000, 24_000_000)}


def long_recording(path, hours):
    """Write a minute of speech-like sound, and copy its packets again and again."""
    minute = write(path.with_stem("minute"), bursts(60, MINUTE, noise=0.0005))
    with av.open(str(minute)) as source, av.open(str(path), "w") as target:
        template = source.streams.audio[0]
        assert template.time_base is not None
        stream = target.add_stream_from_template(template)
        packets = [(bytes(p), p.duration) for p in source.demux(template) if p.size]
        position = 0
        for _ in range(round(hours * 60)):
            for body, duration in packets:
                assert duration is not None
                packet = av.Packet(body)
                packet.stream, packet.time_base = stream, template.time_base
                packet.pts = packet.dts = position
                packet.duration = duration
                position += duration
                target.mux(packet)
    return path


def peak_mib():
    """Return the peak of this process (ru_maxrss would be its parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def planned(path, limits):
    """Decode and cut once; return the figures of one line."""
    with path.open("rb") as file:  # first use of libraries is not growth
        next(Cutter(max_ms=2000, max_bytes=10**6).pieces(decode(file)))
    before, peak = resource.getrusage(resource.RUSAGE_SELF), peak_mib()
    cutter = Cutter(max_ms=limits[0], max_bytes=limits[1])
    with path.open("rb") as file:
        sizes = [len(piece.flac) for piece in cutter.pieces(decode(file))]
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (
        cutter.total_samples / RATE,
        len(sizes),
        sum(sizes) / 1e6,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_mib() - peak,
    )


def main():
    """Print the figures."""
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
