"""A project with 20,000 files: how long its statistics, listing and overview take.

``python -m tests.bench.bench_assets`` prints medians over HTTP routes (test client, no
network), the plans of the statements, and which indexes they used.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import event, text

from common import db as database
from common import migrations
from common.local.postgres import EmbeddedPostgres
from common.settings import Settings
from tests.bench.machine import describe
from tests.conftest import SECRET, make_api, make_deps
from tests.fakes import FakeLanguageModel, FakeQueue, FakeSpeech
from tests.folders import open_folder

_FILES = 20_000
_OTHERS = 20_000  # of a hundred other projects
_ROUNDS = 30
_PATHS = (
    "/projects/big/storage/stats",
    "/storage/stats",
    "/projects/big/videos?limit=100",
    "/projects/big/videos?limit=100&offset=19900",
    "/projects/big/videos",
    "/projects/big",
    "/projects?limit=50",
)
_FILL = """
with n as (select n, gen_random_uuid() as r, gen_random_uuid() as a,
                  case when n <= {files} then 'big' else 'p' || n % 100 end as p
             from generate_series(1, {total}) n),
r as (insert into recordings (id, kind, object_key, original_filename, size_bytes,
                              sha256)
      select r, 'video', 'projects/x/' || r, 'lesson.mp4', 1000 + n, repeat('0', 64)
        from n),
a as (insert into assets (id, project_id, recording_id, filename, original_filename,
                          relative_path, mime_type, size_bytes, status, about,
                          created_at)
      select a, p, r, 'lesson-' || n || '.mp4', 'lesson.mp4',
             'uploads/' || p || '/lesson-' || n || '.mp4', 'video/mp4', 1000 + n,
             'ready', '{{"duration": 6.0, "width": 640, "height": 360}}',
             now() + make_interval(secs => n) from n)
insert into thumbnails (asset_id, object_key, relative_path, size_bytes)
select a, 'projects/t/' || a, 'thumbnails/' || p || '/' || n || '.jpg', 9000 from n
"""


def main() -> None:
    """Measure, and print."""
    home = open_folder()
    with EmbeddedPostgres().start(home, durable=False) as server:
        migrations.upgrade(server.url)
        engine = database.engine(server.url)
        with engine.begin() as connection:
            fill = _FILL.format(files=_FILES, total=_FILES + _OTHERS)
            connection.execute(text(fill))
        with engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.execute(text("vacuum analyze"))
        _measure(server.url, engine)
        engine.dispose()


def _measure(url: str, engine: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            DATABASE_URL=url,
            PEGASUS_INTERNAL_SECRET=SECRET,
            PLC_STORAGE_DIR=Path(folder),
        )
        sessions = database.connect(url)
        fakes = FakeQueue(), FakeSpeech(), FakeLanguageModel()
        api = make_api(make_deps(sessions, settings, *fakes))
        _say(f"{describe(url)}; {_FILES} files of one project, {_OTHERS} of others")
        for path in _PATHS:
            _say(f"{_milliseconds(api, path):8.1f} ms  GET {path}")
        seen: list[tuple[str, Any]] = []
        event.listen(
            sessions.kw["bind"],
            "before_cursor_execute",
            lambda _c, _u, sql, values, *_r: seen.append((sql, values)),
        )
        for path in _PATHS[:3]:
            seen.clear()
            api.get(path)
            _say(f"\n{path}")
            for sql, values in [one for one in seen if "assets" in one[0]]:
                _explain(engine, sql, values)


def _milliseconds(api: Any, path: str) -> float:
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        reply = api.get(path)
        times.append(time.perf_counter() - start)
        assert reply.status_code == 200, reply.text
    return median(times) * 1000


def _explain(engine: Any, sql: str, values: Any) -> None:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            f"explain (analyze, costs off, timing off, buffers off) {sql}", values
        )
        for row in rows:
            _say(f"    {row[0]}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
