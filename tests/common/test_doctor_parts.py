"""The doctor's checks of what runs: each is shown something that is wrong."""

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from time import time

import pytest
from sqlalchemy import Engine, func, make_url, text
from sqlalchemy.orm import sessionmaker

from common import db as database
from common import doctor, migrations
from common.doctor import bounded, clocks, services
from common.doctor.finding import Finding
from common.models import RateWindow
from common.providers import queue as queues
from tests import factories

TODAY = date(2026, 11, 21)


@pytest.fixture
def examine(deps):
    """Have one part examined; return its findings as (level, text)."""

    def report(check, **parts):
        examined = replace(deps, **parts)
        found = doctor.examine(examined, TODAY, {check: doctor.CHECKS[check]})
        return [(finding.level, finding.text) for _, finding in found]

    return report


@pytest.fixture
def at(examine, settings, database_url):
    """Have the database examined at another address."""

    def report(**changed):
        url = make_url(database_url).set(**changed)
        address = url.render_as_string(hide_password=False)
        given = settings.model_copy(
            update={"database_url": type(settings.database_url)(address)}
        )
        engines.append(database.engine(address))
        there = sessionmaker(engines[-1])
        return examine("database", db=there, settings=given)

    engines: list[Engine] = []
    yield report
    for engine in engines:
        engine.dispose()


def run_sql(db, statement, **values):
    with db.begin() as session:
        session.execute(text(statement), values)


# The database


def test_a_database_at_our_revision_is_well(examine):
    steps = Path(migrations.__file__).parent.glob("versions/*.py")
    newest = max(step.stem for step in steps)
    assert examine("database")[1] == (
        "ok",
        f"Its tables are at {newest}, as this code wants.",
    )


@pytest.mark.parametrize(
    ("revision", "level", "said"),
    [
        ("0002_expand_job_guard", "problem", "older than this code"),
        ("9999_expand_tomorrow", "note", "newer than this code"),
    ],
)
def test_older_and_newer_databases_are_told_apart(examine, db, revision, level, said):
    run_sql(db, "update alembic_version set version_num = :it", it=revision)
    found, text_ = examine("database")[1]
    assert (found, said in text_, revision in text_) == (level, True, True)


def test_a_database_without_tables_is_to_be_migrated(at, new_database):
    name = make_url(new_database()).database
    level, said = at(database=name)[1]
    assert (level, said) == (
        "problem",
        "The database is not migrated: run python -m common.migrations.",
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"password": "not-the-password"}, "refuses our password"),
        ({"database": "elsewhere"}, "has no database of this name"),
        ({"port": 1}, "does not answer: start it"),
    ],
)
def test_why_a_database_is_out_of_reach(at, database_url, changed, said):
    [(level, text_)] = at(**changed)
    assert (level, said in text_) == ("problem", True)
    assert make_url(database_url).password not in text_


def test_a_role_with_too_few_rights_is_told_which(examine, db):
    assert examine("rights")[0][0] == "ok"
    run_sql(db, "revoke insert, delete on lectures from current_user")
    [(level, said)] = examine("rights")
    assert level == "problem"
    assert "may not delete, insert in lectures: set PEGASUS_DATABASE_APP_ROLES" in said


# Storage


def test_a_probe_of_storage_leaves_nothing(examine, storage_dir):
    assert examine("storage")[0][0] == "ok"
    assert not storage_dir.exists()


def test_a_storage_that_is_in_use_keeps_what_it_has(examine, deps, storage_dir):
    (storage_dir / "audio").mkdir(parents=True)
    assert examine("storage")[0][0] == "ok"
    assert (storage_dir / "audio").exists()
    assert [path for path in storage_dir.rglob("*") if path.is_file()] == []


def test_a_storage_folder_that_is_a_file_is_a_problem(examine, storage_dir):
    storage_dir.write_text("in its place")
    [(level, said)] = examine("storage")
    assert (level, "an object cannot be written" in said) == ("problem", True)
    assert "Make PLC_STORAGE_DIR a folder" in said


class Forgetful:
    """A storage that takes everything, keeps nothing and removes nothing."""

    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def read(self, key):
        self.inner.delete(key)
        return self.inner.read(key)


def test_a_storage_that_loses_objects_is_a_problem(examine, deps):
    found = examine("storage", storage=Forgetful(deps.storage))
    assert [level for level, _ in found] == ["problem", "problem"]
    assert "an object cannot be read. No object" in found[0][1]
    assert "an object cannot be removed" in found[1][1]


class Garbling(Forgetful):
    """A storage that gives other bytes than it took."""

    def read(self, key):
        return BytesIO(b"other bytes")


def test_a_storage_that_gives_other_bytes_is_a_problem(examine, deps):
    [(level, said)] = examine("storage", storage=Garbling(deps.storage))
    assert (level, "it is not there, or it holds other bytes" in said) == (
        "problem",
        True,
    )


# The queue and the API


def test_no_queue_is_needed_when_requests_do_the_work(examine, settings):
    inline = settings.model_copy(update={"inline_jobs": True})
    [(level, said)] = examine("queue", settings=inline)
    assert (level, "PLC_INLINE_JOBS" in said) == ("note", True)


@contextmanager
def answering(status, *, headers=(), body=b""):
    """Serve one answer to everything; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_args):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_queue_with_another_secret_is_told(examine, settings):
    with answering(403) as url:
        given = settings.model_copy(update={"queue_url": url})
        sends = queues.from_settings(given)
        [(level, said)] = examine("queue", settings=given, queue=sends)
    assert (level, "another PEGASUS_INTERNAL_SECRET" in said) == ("problem", True)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, "The worker takes tasks that are signed with our secret."),
        (401, "its PEGASUS_INTERNAL_SECRET or PEGASUS_WORKER_URL is not ours"),
        (503, "believes what we sign, but cannot work for now"),
        (500, "The worker answered 500 to a task: see its log."),
    ],
)
def test_what_the_worker_answers_to_our_signature(examine, settings, status, said):
    with answering(status) as url:
        given = settings.model_copy(update={"worker_url": url})
        [(level, text_)] = examine("secret", settings=given)
    assert said in text_
    assert level == {200: "ok", 503: "note"}.get(status, "problem")


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (404, (), "this is not Pegasus, or it fails"),
        (403, (), "it is private. Ask through gcloud run services proxy"),
        (301, [("Location", "https://else")], "it sends us to another address"),
    ],
)
def test_an_address_that_is_not_an_api(status, headers, said):
    with answering(status, headers=headers, body=b"<html>") as url:
        [finding] = services.outside(url)
    assert (finding.level, said in finding.text) == ("problem", True)


def test_a_proxy_that_drops_our_header_is_noted():
    body = b'{"status": "ok", "checks": {"queue": {"status": "skipped"}}}'
    with answering(200, body=body) as url:
        levels = [(one.level, one.text) for one in services.outside(url)]
    assert [level for level, _ in levels] == ["ok", "note"]
    assert "x-request-id" in levels[1][1]


def test_an_api_is_missed_only_where_somebody_said_it_is(examine, settings):
    with answering(404) as url:
        guessed = settings.model_copy()
        object.__setattr__(guessed, "public_url", url)  # as its default would be
        [(level, said)] = examine("api", settings=guessed)
        assert (level, "give --url" in said) == ("note", True)
        given = settings.model_copy(update={"public_url": url})
        assert examine("api", settings=given)[0][0] == "problem"


# Clocks


@pytest.mark.parametrize(
    ("off", "level", "said"),
    [
        (0, "ok", "agrees with the database's"),
        (20, "ok", "agrees"),
        (300, "problem", "Our clock is 300 s ahead of the database's"),
        (-300, "problem", "Our clock is 300 s behind the database's"),
    ],
)
def test_our_clock_is_compared_with_the_databases(committed_deps, off, level, said):
    [finding] = clocks.database_clock(committed_deps, TODAY, lambda: time() + off)
    assert (finding.level, said in finding.text) == (level, True)
    assert level == "ok" or "turn time synchronisation on" in finding.text


@pytest.mark.parametrize(
    ("off", "level"), [(0, "ok"), (25, "ok"), (40, "problem"), (-40, "problem")]
)
def test_our_clock_is_compared_with_the_apis(off, level):
    dated = [("Date", formatdate(time() + off, usegmt=True))]
    with answering(200, headers=dated) as url:
        [finding] = clocks.outside_clock(url)
    assert finding.level == level


def test_an_api_that_dates_nothing_has_no_clock():
    with answering(200) as url:
        assert list(clocks.outside_clock(url)) == []


# The clockwork


def window(db, seconds):
    with db.begin() as session:
        expires = func.clock_timestamp() + timedelta(seconds=seconds)
        session.add(RateWindow(key="client", events=[], expires_at=expires))


@pytest.mark.parametrize(("late", "level"), [(500, "ok"), (700, "problem")])
def test_a_sweep_that_does_not_come_is_noticed(examine, db, late, level):
    window(db, -late)
    [(found, said)] = examine("sweep")
    assert found == level
    assert level == "ok" or "POST /schedules/sweep" in said


def test_what_is_kept_too_long_is_noticed(examine, db):
    factories.lecture(db)
    assert examine("retention")[0][0] == "ok"
    run_sql(db, "update lectures set created_at = now() - interval '33 days'")
    [(level, said)] = examine("retention")
    assert (level, "1 lectures hold files" in said) == ("note", True)


# Running the checks


def test_a_check_that_hangs_holds_up_nobody():
    forever = threading.Event()

    def hangs():
        yield Finding("ok", "so far")
        forever.wait()

    found = list(
        bounded.run(
            {"slow": hangs, "next": lambda: [Finding("ok", "done")]}, seconds=0.2
        )
    )
    forever.set()
    assert [(name, one.level) for name, one in found] == [
        ("slow", "ok"),
        ("slow", "problem"),
        ("next", "ok"),
    ]


def test_a_check_that_fails_is_a_problem_and_shows_no_text():
    def fails():
        raise OSError("with a secret")
        yield

    [(_, finding)] = bounded.run({"broken": fails})
    assert finding.level == "problem"
    assert finding.text == "This check could not be finished (OSError)."
