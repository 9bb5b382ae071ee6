"""What scripts/doctor says of a laptop on which something is broken, each for real."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import NullPool, make_url, text

from common import db as database
from common.local.postgres import free_port
from tests.e2e.machine import clean_environment

ROOT = Path(__file__).parents[2]
KEYS = {"OPENAI_API_KEY": "", "GEMINI_API_KEY": "", "GOOGLE_API_KEY": ""}


@dataclass(frozen=True)
class Report:
    status: int
    findings: list[dict[str, str]]

    @property
    def problems(self):
        """Return the texts by check; a check with two problems has both in one."""
        found: dict[str, str] = {}
        for one in self.findings:
            if one["level"] == "problem":
                found[one["check"]] = found.get(one["check"], "") + one["text"]
        return found

    def text(self, check):
        return " ".join(one["text"] for one in self.findings if one["check"] == check)


def doctor(environment, *arguments):
    """Return what it says; it never shows a secret, and never falls over."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "common.doctor", "--json", *arguments],
        cwd=ROOT,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    for name in ("PEGASUS_INTERNAL_SECRET", "OPENAI_API_KEY", "GEMINI_API_KEY"):
        assert not environment.get(name) or environment[name] not in done.stdout
    password = make_url(environment.get("DATABASE_URL") or "postgresql://").password
    assert not password or password not in done.stdout
    return Report(done.returncode, json.loads(done.stdout)["findings"])


@pytest.fixture
def examine(pegasus):
    """Examine the stack as one of its services, with some settings changed."""
    return lambda **changed: doctor({**pegasus.stack.environment, **changed})


@pytest.fixture
def examine_laptop(pegasus):
    """Examine the stack as the owner of the machine, who knows none of its secrets."""
    place = pegasus.stack.place
    here = {
        "PEGASUS_HOME": str(place.home),
        "PORT": str(place.port),
        "WORKER_PORT": str(place.worker_port),
    }
    return lambda *arguments, **changed: doctor({**here, **changed}, *arguments)


def test_a_healthy_pegasus_has_no_problem(examine):
    report = examine()
    assert (report.status, report.problems) == (0, {})
    assert {one["check"] for one in report.findings} >= {
        *("settings", "database", "rights", "storage", "queue", "worker", "secret"),
        *("api", "clock", "api clock", "sweep", "keys", "retirement"),
    }


def test_a_database_that_is_stopped(examine, pegasus):
    pegasus.stack.database.stop()
    report = examine()
    pegasus.revive()
    assert (report.status, set(report.problems)) == (1, {"database", "worker", "api"})
    assert "does not answer: start it" in report.problems["database"]
    assert "does not reach its database" in report.problems["worker"]
    assert "The API says of its database" in report.problems["api"]


@pytest.fixture
def empty_database(pegasus):
    url = pegasus.stack.environment["DATABASE_URL"]
    name = f"empty_{uuid4().hex[:8]}"
    engine = database.engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"create database {name}"))
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"drop database {name} with (force)"))


def test_a_database_that_was_never_migrated(examine, empty_database):
    report = examine(DATABASE_URL=empty_database)
    assert (report.status, set(report.problems)) == (1, {"database"})
    assert "not migrated: run python -m common.migrations" in report.text("database")


def test_a_storage_folder_that_takes_nothing(examine, tmp_path):
    (tmp_path / "storage").write_text("a file where the folder should be")
    report = examine(PLC_STORAGE_DIR=str(tmp_path / "storage"))
    assert (report.status, set(report.problems)) == (1, {"storage"})
    assert "cannot be written" in report.problems["storage"]
    assert "Make PLC_STORAGE_DIR a folder" in report.problems["storage"]


def test_a_queue_that_does_not_run(examine, pegasus):
    pegasus.kill("queue")
    report = examine()
    assert (report.status, set(report.problems)) == (1, {"queue", "api"})
    assert "Tasks cannot be sent." in report.problems["queue"]
    assert "Start it, or correct PEGASUS_QUEUE_URL" in report.problems["queue"]


def test_a_worker_that_does_not_run(examine, pegasus):
    pegasus.kill("worker")
    report = examine()
    assert (report.status, set(report.problems)) == (1, {"worker"})
    assert "does not answer: nobody listens there" in report.problems["worker"]


def test_a_worker_with_another_secret(examine):
    report = examine(PEGASUS_INTERNAL_SECRET="another-" + "0" * 32)
    assert (report.status, set(report.problems)) == (1, {"queue", "secret"})
    assert "PEGASUS_INTERNAL_SECRET" in report.problems["secret"]
    assert "PEGASUS_INTERNAL_SECRET" in report.problems["queue"]


@pytest.mark.parametrize(
    ("settings", "check", "said"),
    [
        (
            {
                "PLC_LLM_PROVIDER": "gemini",
                "PLC_LLM_MODEL": "gemini-2.5-flash",
                "GEMINI_API_KEY": "key-of-gemini",
            },
            "retirement",
            "gemini/gemini-2.5-flash end",
        ),
        (
            KEYS | {"PLC_INGEST_TRANSCRIBE_PROVIDER": "openai"},
            "keys",
            "speech: Provider 'openai' is",
        ),
    ],
    ids=["retired-model", "missing-key"],
)
def test_settings_that_cannot_work(examine, settings, check, said):
    report = examine(**settings)
    assert (report.status, set(report.problems)) == (1, {check})
    assert said in report.problems[check]


def test_invalid_settings_are_all_named_and_the_api_is_still_asked(examine):
    report = examine(PLC_MAX_AUDIO_UPLOAD_MB="many", PEGASUS_INTERNAL_SECRET="short")
    assert (report.status, set(report.problems)) == (1, {"settings"})
    told = report.problems["settings"]
    assert "PLC_MAX_AUDIO_UPLOAD_MB must be an integer." in told
    assert "PEGASUS_INTERNAL_SECRET must have at least 32 characters." in told
    assert "answers, and can work" in report.text("api")


def test_the_owner_of_a_laptop_needs_no_settings(examine_laptop):
    report = examine_laptop()
    assert (report.status, report.problems) == (0, {})
    assert report.text("stack") == "Pegasus runs here."
    assert "Its tables are at" in report.text("database")


def test_the_owner_of_a_laptop_learns_what_is_down(examine_laptop, pegasus):
    pegasus.kill("worker")
    report = examine_laptop()
    assert (report.status, set(report.problems)) == (1, {"worker"})


def test_a_laptop_whose_ports_belong_to_another_pegasus(examine_laptop, tmp_path):
    report = examine_laptop(PEGASUS_HOME=str(tmp_path))
    assert (report.status, set(report.problems)) == (1, {"ports"})
    assert "is taken by another Pegasus: stop it, or set PORT" in report.text("ports")


def test_a_laptop_on_which_nothing_runs_yet_has_no_problem(tmp_path):
    ports = {"PORT": str(free_port()), "WORKER_PORT": str(free_port())}
    report = doctor({"PEGASUS_HOME": str(tmp_path / "new"), **ports})
    assert (report.status, report.problems) == (0, {})
    assert "scripts/dev starts it" in report.text("stack")
    assert not (tmp_path / "new").exists()


def test_a_guest_examines_an_api_by_its_address(pegasus):
    pegasus.kill("queue")
    report = doctor({}, "--url", pegasus.stack.place.url)
    assert (report.status, set(report.problems)) == (1, {"api"})
    assert "The API says of its queue" in report.problems["api"]
    assert "agrees with the API's" in report.text("api clock")


def test_an_examination_leaves_nothing_behind(examine, pegasus, tmp_path):
    counted = "select (select count(*) from jobs), (select count(*) from job_outbox)"
    before = pegasus.rows(counted)
    examine(PLC_STORAGE_DIR=str(tmp_path / "a" / "storage"))
    assert pegasus.rows(counted) == before
    assert list(tmp_path.iterdir()) == []
