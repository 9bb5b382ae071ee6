"""What monitoring and operators cost when there is a long history.

python -m tests.bench.bench_metrics [--jobs N]

Upstream's dead-letter listing and queue depth took 360 to 410 ms at 100,000 jobs.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import NullPool, text

from api_service.app import create_app
from common import db as database
from common import migrations
from common.deps import build
from common.local.postgres import EmbeddedPostgres, erase
from common.settings import Settings
from tests.bench.machine import describe

_TIMES = 9
_PATHS = (
    "/ops/metrics/prometheus",
    "/jobs/dead-letter?limit=50",
    "/jobs/dead-letter?limit=50&job_type=export",
    "/jobs/dead-letter?limit=50&lecture_id=l77",
    "/lectures/l77/jobs?limit=50",
    "/courses/c0/progress",
)
_COURSES = """
insert into courses (id, title)
select 'c' || n, 'Course' from generate_series(0, 9) n;
insert into recordings (id, kind, metadata_key, original_filename, size_bytes, sha256)
select gen_random_uuid(), 'audio', 'm' || n, 'a.wav', 1, 'x'
  from generate_series(0, 1999) n;
insert into lectures (id, course_id, preset_id, title, status, recording_id)
select 'l' || (row_number() over ()), 'c' || mod(row_number() over (), 10), 'exam-mode',
       'Lecture', 'generated', id from recordings
"""
# One in a hundred failed, fifty wait, as many run; each keeps a draft.
_JOBS = """
insert into jobs (id, kind, subject, queue, state, created_at, finished_at, payload,
                  lease_token, lease_expires_at, checkpoint)
select gen_random_uuid(),
       (array['transcription', 'generation', 'export'])[1 + mod(n, 3)],
       'lecture:l' || mod(n, 2000), 'media', state, now() - n * interval '1 second',
       case when state in ('succeeded', 'failed') then now() end,
       jsonb_build_object('lecture_id', 'l' || mod(n, 2000)),
       case when state = 'running' then gen_random_uuid() end,
       case when state = 'running' then now() end,
       jsonb_build_object('draft', repeat(md5(n::text), 30))
  from (select n, case when n <= 50 then 'queued' when n <= 100 then 'running'
                       when mod(n, 100) = 0 then 'failed' else 'succeeded' end as state
          from generate_series(1, :jobs) n) made
"""
_EVENTS = """
insert into job_events (job_id, kind, from_state, to_state, epoch, attempt, crash_count,
                        latency_ms)
select id, kind, before, after, 1, 1, 0, case when before = 'running' then
       extract(epoch from finished_at - created_at) * 1000 end
  from jobs, lateral (values (null, 'queued'), ('queued', 'running'),
                             ('running', state)) step (before, after)
"""


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=100_000)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory(prefix="pegasus-bench-") as folder:
        home = Path(folder)
        try:
            with EmbeddedPostgres().start(home, durable=False) as server:
                _measure(server.url, home, jobs)
        finally:
            erase(home)


def _measure(url: str, home: Path, jobs: int) -> None:
    migrations.upgrade(url)
    _fill(url, jobs)
    print(describe(url))
    print(f"{jobs} jobs, {3 * jobs} events\n")
    settings = Settings(
        DATABASE_URL=url,
        PEGASUS_INTERNAL_SECRET="s" * 32,
        PLC_STORAGE_DIR=home / "storage",
    )
    client = create_app(build(settings)).test_client()
    print(f"{'GET':<46}{'median ms':>10}{'worst':>8}{'KiB':>8}")
    for path in _PATHS:
        found = [_call(client, path) for _ in range(_TIMES)]
        middle = statistics.median(ms for ms, _ in found[1:])
        worst = max(ms for ms, _ in found[1:])  # the first one connects
        print(f"{path:<46}{middle:>10.1f}{worst:>8.1f}{found[0][1] / 1024:>8.1f}")


def _call(client, path: str) -> tuple[float, int]:
    started = time.perf_counter()
    reply = client.get(path)
    assert reply.status_code == 200, reply.text
    return 1000 * (time.perf_counter() - started), len(reply.data)


def _fill(url: str, jobs: int) -> None:
    engine = database.engine(url, poolclass=NullPool, timeout_seconds=None)
    with engine.begin() as connection:
        connection.execute(text("alter table jobs disable trigger user"))
        for statement in (*_COURSES.split(";"), _EVENTS):
            if statement is _EVENTS:
                connection.execute(text(_JOBS), {"jobs": jobs})
            connection.execute(text(statement))
        connection.execute(text("alter table jobs enable trigger user"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))


if __name__ == "__main__":
    main()
