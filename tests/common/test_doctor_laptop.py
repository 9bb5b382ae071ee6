"""The doctor's checks of a machine, and what it sees of a database's home."""

import os
import shutil
import socket
import sys
from collections import namedtuple

import pytest

from common.doctor import laptop
from common.doctor.__main__ import main
from common.doctor.bounded import run
from common.local.postgres import EmbeddedPostgres, free_port
from common.local.postgres.look import Seen, look
from common.local.stack import Place
from tests.folders import open_folder


@pytest.fixture
def examine(tmp_path):
    """Examine one thing of a machine; return its findings as (level, text)."""

    def report(check, *, home=tmp_path, port=None, **seen):
        values = {
            "running": False,
            "lost": False,
            "version": None,
            "password": tmp_path / "password",
            "url": None,
        }
        place = Place(home, port or free_port(), free_port(), free_port())
        machine = laptop.Laptop(place, Seen(**{**values, **seen}), "")
        found = run({check: machine.tasks()[check]})
        return [(finding.level, finding.text) for _, finding in found]

    return report


def test_a_home_that_is_a_file_is_a_problem(examine, tmp_path):
    (tmp_path / "home").write_text("in its place")
    [(level, said)] = examine("home", home=tmp_path / "home")
    assert (level, "takes no file (Not a directory)" in said) == ("problem", True)
    assert "set PEGASUS_HOME" in said


def test_a_full_disk_is_a_problem(examine, monkeypatch):
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as the library's
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 2**40, 2**20))
    [(level, said)] = examine("disk")
    assert (level, "Only 0.0 GiB are free" in said) == ("problem", True)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"lost": True}, "is gone from where its note says"),
        ({"version": "12"}, "The data are PostgreSQL 12's"),
    ],
)
def test_data_that_cannot_be_used_are_a_problem(examine, seen, said):
    [(level, text)] = examine("data", **seen)
    assert (level, said in text) == ("problem", True)


@pytest.mark.parametrize(("mode", "count"), [(0o600, 0), (0o640, 1)])
def test_a_password_that_others_can_read_is_a_problem(examine, tmp_path, mode, count):
    (tmp_path / "password").touch(mode=mode)
    os.chmod(tmp_path / "password", mode)  # noqa: PTH101 - whatever the umask
    found = examine("data", version="18")
    assert len([text for level, text in found if "Others can read" in text]) == count


def test_a_port_that_another_program_has_is_a_problem(examine):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        taken = holder.getsockname()[1]
        (level, said), _ = examine("ports", port=taken)
    assert level == "problem"
    assert f"Port {taken} is taken by another program" in said


def test_a_database_that_neither_runs_nor_rests_is_a_problem(examine):
    [(level, said)] = examine("stack", running=True)
    assert (level, "Its database starts or ends" in said) == ("problem", True)


def test_a_server_is_seen_from_outside_while_it_runs_and_after():
    home = open_folder()
    assert look(home) == Seen(
        running=False,
        lost=False,
        version=None,
        password=home / "postgres" / "password",
        url=None,
    )
    with EmbeddedPostgres().start(home, durable=False) as server:
        seen = look(home)
        assert (seen.running, seen.url) == (True, server.url)
        assert server.url not in repr(seen)
    assert (look(home).running, look(home).url) == (False, None)
    assert look(home).version == "18"
    shutil.rmtree(home)


def test_the_report_is_for_people_unless_programs_ask(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PEGASUS_HOME", str(tmp_path))
    monkeypatch.setenv("PORT", "not-a-port")
    assert main(["--laptop"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("problem home        The home cannot be examined: PORT")
    assert main(["--laptop", "--json"]) == 1
    assert '"status": "problem"' in capsys.readouterr().out


def test_a_library_that_is_not_installed_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PEGASUS_HOME", str(tmp_path))
    for name, value in {
        "STORAGE_MODE": "gcs",
        "GCS_BUCKET": "bucket",
        "PORT": str(free_port()),
        "WORKER_PORT": str(free_port()),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)
    monkeypatch.delitem(sys.modules, "common.providers.storage.gcs", raising=False)
    assert main(["--laptop"]) == 1
    assert "which is not installed here" in capsys.readouterr().out
