"""Uploads whose line is cut a thousand times: what arrives, what is sent in vain.

python -m tests.bench.bench_uploads [--quick]

Recordings are sent to a running Pegasus in resumable sessions, and to a Cloud Storage
on loopback as a bucket would take them; the line is cut at random places, half of the
time so that what is under way is lost. Prints throughput, bytes sent in vain and how
much the API's memory grows; reach: the same checksums, under 1 % in vain, less than
64 MiB. A bucket keeps whole steps of 256 KiB only, so there the cuts are fewer.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from common.local.client import Client
from common.local.stack import Stack
from common.providers.storage.gcs import GcsStorage
from tests.bench.machine import Growth, describe
from tests.bench.recordings import wav
from tests.bench.running import database_url, pegasus, pid
from tests.buckets import settings_for
from tests.cutting import CutSender
from tests.loopback.gcs_server import BUCKET, GcsServer

_MIB = 1024 * 1024
_SIZE_MIB, _FILES, _CUTS = 60, 20, 50  # of each file: 1,000 in all
_BUCKET_CUTS = 3  # of each file: 128 KiB are lost each time, by the vendor's design
_MOST_IN_VAIN = 0.01
_MOST_GROWTH_MIB = 64


@dataclass
class Totals:
    """Of all files that went one way."""

    sent: int = 0
    size: int = 0
    cuts: int = 0
    refused: int = 0
    seconds: float = 0.0

    def add(self, sender: CutSender, seconds: float) -> None:
        """Count one file."""
        self.sent += sender.sent_bytes
        self.size += sender.size
        self.cuts += sender.happened
        self.refused += sender.refused
        self.seconds += seconds

    @property
    def in_vain(self) -> float:
        """Return which part of what was sent was sent again."""
        return (self.sent - self.size) / self.size

    def show(self, name: str) -> None:
        """Print a line."""
        print(
            f"{name}: {self.size / 1e9:.2f} GB, {self.cuts} cuts,"
            f" {self.size / self.seconds / 1e6:.0f} MB/s,"
            f" in vain {self.in_vain:.3%}, refused tries {self.refused}"
        )


def main() -> None:
    """Print all figures; end with 1 if one is out of reach."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run, < 30 s")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    options = parser.parse_args()
    files, size = (2, 40) if options.quick else (_FILES, _SIZE_MIB)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="pegasus-bench-") as name:
        recording = wav(Path(name) / "talk.wav", size_bytes=size * _MIB)
        with pegasus(PLC_WRITE_RATE_LIMIT_MAX_REQUESTS="100000") as stack:
            print(describe(database_url(stack)))
            ours, growth = _through_the_api(stack, recording, files, options.seed)
        ours.show("through the API")
        print(f"the API's memory grows by {growth:.1f} MiB", flush=True)
        theirs = _to_a_bucket(recording, files, options.seed)
        theirs.show("to a bucket (kept in steps of 256 KiB)")
    sys.exit(ours.in_vain > _MOST_IN_VAIN or growth > _MOST_GROWTH_MIB)


def _through_the_api(
    stack: Stack, recording: Path, files: int, seed: int
) -> tuple[Totals, float]:
    totals = Totals()
    client = Client(stack.place.url)
    _upload(client, recording, CutsAt(0, seed), Totals())  # every library is loaded
    with Growth(pid(stack, "api")) as growth:
        for number in range(files):
            _upload(client, recording, CutsAt(_CUTS, seed + number), totals)
    return totals, growth.mib


@dataclass(frozen=True)
class CutsAt:
    """How often, and by which dice."""

    cuts: int
    seed: int


def _upload(client: Client, recording: Path, plan: CutsAt, totals: Totals) -> None:
    told = {
        "filename": recording.name,
        "contentType": "audio/wav",
        "sizeBytes": recording.stat().st_size,
    }
    opened = client.post("/uploads", told)
    started = time.perf_counter()
    sender = CutSender(opened["uploadUrl"], recording, plan.cuts, plan.seed)
    sender.run()
    totals.add(sender, time.perf_counter() - started)
    stored = Path(opened["storagePath"])
    _require_same(_sum(recording), _sum(stored))
    client.post(f"/uploads/{opened['uploadId']}/complete", {})
    stored.unlink()  # or twenty of them would fill a small disk


def _to_a_bucket(recording: Path, files: int, seed: int) -> Totals:
    totals = Totals()
    with GcsServer() as server:
        os.environ["STORAGE_EMULATOR_HOST"] = server.url
        storage = GcsStorage.from_settings(settings_for("gcs", GCS_BUCKET=BUCKET))
        for number in range(files):
            key = f"uploads/audio/{number}.wav"
            url = storage.start_upload(
                key,
                size_bytes=recording.stat().st_size,
                content_type="audio/wav",
                origin=None,
            )
            started = time.perf_counter()
            sender = CutSender(url, recording, _BUCKET_CUTS, seed + number)
            sender.run()
            totals.add(sender, time.perf_counter() - started)
            with storage.read(key) as stream:
                found = file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
            _require_same(_sum(recording), found)
            storage.delete(key)
    return totals


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _require_same(expected: str, found: str) -> None:
    if found != expected:
        sys.exit("what arrived is not what was sent")


if __name__ == "__main__":
    main()
