"""How long a job waits from the request that makes it until a worker has it.

python -m tests.bench.bench_dispatch [--quick] [--jobs 200]

Measured by the database's clock, from a job's first event to its first run, in a
running Pegasus: one job at a time, and as many at once as there are clients. Reach:
p95 under 100 ms one at a time.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from common import db
from common.local.client import Client
from common.local.stack import Stack
from tests.bench.machine import describe
from tests.bench.running import database_url
from tests.bench.speech_server import SpeechServer, pegasus_with
from tests.media_samples import speechlike

_TARGET_MS = 100
_CLIENTS = 8
_MANY = {
    "PEGASUS_QUEUE_CONCURRENCY": "16",
    "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": "100000",
}
_WAITED = text("""
select kind, percentile_cont(array[0.5, 0.95, 0.99]) within group (order by ms) as ms,
       count(*) as jobs
  from (select kind, extract(epoch from min(at) filter (where to_state = 'running')
                             - min(at)) * 1000 as ms
          from job_events group by kind, job_id) as waits
 where ms is not null group by kind
""")


def main() -> None:
    """Print the waits of two kinds of load."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="pegasus-bench-") as folder,
        SpeechServer() as server,
        pegasus_with(server, "whisper-1", **_MANY) as stack,
    ):
        print(describe(database_url(stack)))
        talk = speechlike(Path(folder) / "talk.wav", seconds=3)
        _measure(stack, talk, options.jobs, clients=1)
        _measure(stack, talk, options.jobs, clients=_CLIENTS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run, < 20 s")
    parser.add_argument("--jobs", type=int, help="lectures for each load (200)")
    options = parser.parse_args()
    options.jobs = options.jobs or (20 if options.quick else 200)
    return options


def _measure(stack: Stack, talk: Path, jobs: int, *, clients: int) -> None:
    """Have so many lectures transcribed, and print how long their jobs waited."""
    names = [f"lecture-{clients}-{number}" for number in range(jobs)]
    _forget(stack)
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda name: _transcribe(stack, talk, name), names))
    for kind, (p50, p95, p99), count in _waits(stack):
        print(
            f"{clients} at a time, {count:>4} x {kind:<20}"
            f" p50 {p50:>6.1f} ms  p95 {p95:>6.1f} ms  p99 {p99:>6.1f} ms"
        )


def _transcribe(stack: Stack, talk: Path, name: str) -> None:
    client = Client(stack.place.url)
    fields = {"course_id": "bench", "lecture_id": name, "title": "Short"}
    client.ingest(talk, fields | {"preset_id": "exam-mode"})
    *_, last = client.stages(name, "transcription")
    if last["status"] != "completed":
        raise SystemExit(f"the transcription failed: {json.dumps(last)}")


def _waits(stack: Stack) -> Sequence[tuple[str, list[float], int]]:
    with db.engine(database_url(stack)).connect() as connection:
        return [tuple(row) for row in connection.execute(_WAITED)]


def _forget(stack: Stack) -> None:
    with db.engine(database_url(stack)).begin() as connection:
        connection.execute(text("truncate job_events"))


if __name__ == "__main__":
    main()
