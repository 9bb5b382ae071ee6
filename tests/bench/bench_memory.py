"""That large recordings do not need large memory, and silence costs nothing.

python -m tests.bench.bench_memory [--quick]

A 1 GB upload, a recording of three hours and an hour of silence go through a running
Pegasus, with a recogniser on this machine that answers at once. Prints how much the
services' memory grows at the peak; reach: less than 64 MiB each.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from common import db
from common.local.client import Client
from common.local.stack import Stack
from common.models import UsageEntry
from tests.bench.bench_media import long_recording
from tests.bench.machine import Growth, describe
from tests.bench.recordings import silence, wav
from tests.bench.running import database_url, pid
from tests.bench.speech_server import SpeechServer, pegasus_with

_TARGET_MIB = 64
_COPIES = 4  # the file, its upload, what storage makes of that, and some room
_GB = 1_000_000_000
_LOOK_SECONDS = 0.02


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run, < 20 s")
    parser.add_argument("--model", default="whisper-1", help="gives the longest pieces")
    options = parser.parse_args()
    quick = options.quick
    size, hours, silent_seconds = (_GB // 20, 0.1, 60) if quick else (_GB, 3.0, 3600)
    with tempfile.TemporaryDirectory(prefix="pegasus-bench-") as name:
        folder = Path(name)
        _require_room(folder, _COPIES * size)
        with (
            SpeechServer() as server,
            pegasus_with(
                server, options.model, PLC_MAX_AUDIO_UPLOAD_MB="1100"
            ) as stack,
        ):
            print(describe(database_url(stack)))
            _warm_up(stack, folder)
            _upload(stack, wav(folder / "large.wav", size_bytes=size))
            _transcribe(stack, server, long_recording(folder / "long.mp3", hours))
            quiet = silence(folder / "silence.wav", seconds=silent_seconds)
            _stay_silent(stack, server, quiet)


def _require_room(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        sys.exit(
            f"{folder} has {free / 1e9:.1f} GB left; {size_bytes / 1e9:.1f} needed"
        )


def _warm_up(stack: Stack, folder: Path) -> None:
    """Have every library loaded: that is not growth."""
    for number in range(2):
        path = wav(folder / f"warm-{number}.wav", size_bytes=10_000_000)
        _ingest(stack, path, transcribe=True)
        _wait(stack, path)


def _upload(stack: Stack, path: Path) -> None:
    size = path.stat().st_size
    started = time.perf_counter()
    with Growth(pid(stack, "api")) as api:
        _ingest(stack, path, transcribe=False)
    seconds = time.perf_counter() - started
    path.unlink()
    _report(f"upload of {size / 1e9:.2f} GB in {seconds:.1f} s: API", api.mib)


def _transcribe(stack: Stack, server: SpeechServer, path: Path) -> None:
    """Transcribe a long recording; tell planning and recognising apart."""
    asked, worker = len(server.spans), pid(stack, "worker")
    with Growth(worker) as planning, Growth(worker) as all_of_it:
        _ingest(stack, path, transcribe=True)
        while len(server.spans) == asked:
            time.sleep(_LOOK_SECONDS)
        planned_mib = planning.mib
        _wait(stack, path)
    hours = _transcript(stack, path)["coverage"]["totalSec"] / 3600
    _report(f"plan for {hours:.2f} h: worker", planned_mib)
    _report(
        f"and {len(server.spans) - asked} pieces of it recognised,"
        f" {stack.environment['PEGASUS_QUEUE_CONCURRENCY']} at once: worker",
        all_of_it.mib,
    )


def _stay_silent(stack: Stack, server: SpeechServer, path: Path) -> None:
    """Transcribe silence; end with an error if that costs or gives anything."""
    asked, entries = len(server.spans), _ledger_entries(stack)
    with Growth(pid(stack, "worker")) as worker:
        _ingest(stack, path, transcribe=True)
        _wait(stack, path)
    found = _transcript(stack, path)
    words = len(found["text"].split())
    calls, paid = len(server.spans) - asked, _ledger_entries(stack) - entries
    label = f"silence of {found['coverage']['totalSec'] / 3600:.2f} h: worker"
    _report(label, worker.mib)
    print(f"  completed; {words} words, {calls} provider calls, {paid} ledger rows")
    if words or calls or paid:
        sys.exit("silence must give nothing and cost nothing")


def _ingest(stack: Stack, path: Path, *, transcribe: bool) -> None:
    fields = {
        "course_id": "bench",
        "lecture_id": path.stem,
        "preset_id": "exam-mode",
        "title": path.stem,
        "auto_transcribe": str(transcribe).lower(),
    }
    Client(stack.place.url).ingest(path, fields)


def _wait(stack: Stack, path: Path) -> None:
    *_, last = Client(stack.place.url).stages(path.stem, "transcription")
    if last["status"] != "completed":
        sys.exit(f"{path.name}: {last['error']}")


def _transcript(stack: Stack, path: Path) -> Any:
    return Client(stack.place.url).get(f"/lectures/{path.stem}/transcript")


def _ledger_entries(stack: Stack) -> int:
    factory = db.connect(database_url(stack), pool_size=1)
    with db.reading(factory) as session:
        count = session.scalar(select(func.count(UsageEntry.id)))
    factory.kw["bind"].dispose()
    return count or 0


def _report(what: str, mib: float) -> None:
    print(f"{what} +{mib:.0f} MiB at the peak (target < {_TARGET_MIB})", flush=True)


if __name__ == "__main__":
    main()
