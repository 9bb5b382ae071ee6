"""python -m common.local.dev, as scripts/dev calls it."""

import os
import signal
import socket
import sys
import time
from contextlib import contextmanager
from functools import partial

import pytest

from common.local.client import Client, RequestFailed
from common.local.postgres import free_port
from tests.e2e.machine import OFFLINE, wait_for
from tests.e2e.program import Program

_DEV = "common.local.dev"
_STOP_SECONDS = 15
_LOOK_SECONDS = 0.3  # between two looks at how long a process has computed


@contextmanager
def dev(home, **settings):
    """Yield scripts/dev when it is ready, and a client for it."""
    ports = {"PORT": str(free_port()), "WORKER_PORT": str(free_port())}
    with Program(_DEV, home=home, **OFFLINE, **ports, **settings) as program:
        url = f"http://127.0.0.1:{ports['PORT']}"
        program.shows(f"ready: {url}\n")
        yield program, Client(url), ports


def healthy(client):
    try:
        return client.get("/health/ready")["status"] == "ok"
    except RequestFailed:
        return False


def test_it_keeps_to_its_ports_and_its_home_until_it_is_told_to_stop(home):
    with dev(home) as (program, client, ports):
        assert healthy(client)
        worker = Client(f"http://127.0.0.1:{ports['WORKER_PORT']}")
        assert worker.get("/health")["status"] == "ok"
        assert (home / "postgres").is_dir()
        program.send(signal.SIGTERM)
        assert program.exit_status(_STOP_SECONDS) == 0
        program.leaves_nothing()


def test_what_is_killed_is_started_anew(home):
    with dev(home) as (program, client, _ports):
        [worker] = program.children("worker_service.wsgi")
        [api] = program.children("api_service.wsgi")
        [postgres] = program.children("watch.py")[0].children()
        for name, victim in {
            "worker": worker,
            "api": api,
            "database": postgres,
        }.items():
            victim.kill()
            wait_for(lambda: f"The {name} ended; starting it again." in program.errors)  # noqa: B023
            wait_for(partial(healthy, client))
        [again] = program.children("worker_service.wsgi")
        assert again.pid != worker.pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the children")
def test_nothing_outlives_it_when_it_is_killed(home):
    with dev(home) as (program, _client, _ports):
        program.send(signal.SIGKILL)
        program.leaves_nothing()


@pytest.mark.parametrize("name", ["PORT", "WORKER_PORT"])
def test_a_port_that_is_taken_is_named_with_what_to_do(home, name):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = {"PORT": str(free_port()), "WORKER_PORT": str(free_port())}
        with Program(_DEV, home=home, **others | {name: str(port)}) as program:
            assert program.exit_status() == 1
            assert program.errors == (
                f"Port {port} cannot be used (Address already in use)."
                f" Stop what uses it, or set {name} to another.\n"
            )


def test_a_port_that_is_none_is_refused(home):
    with Program(_DEV, home=home, PORT="http") as program:
        assert program.exit_status() == 1
        assert program.errors == "PORT must be a port (1 to 65535), not 'http'.\n"


def test_a_database_that_cannot_be_reached_is_said_in_words(home):
    url = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none"
    ports = {"PORT": str(free_port()), "WORKER_PORT": str(free_port())}
    with Program(_DEV, home=home, DATABASE_URL=url, **ports) as program:
        assert program.exit_status() == 1
        assert program.errors.startswith("The database cannot be used: ")
        assert "Traceback" not in program.errors
        assert "secret" not in program.errors


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core can do one thing at a time")
def test_two_pieces_are_recognised_at_once(home, spoken):
    with dev(home) as (program, client, _ports):
        client.ingest(
            spoken("long.mp3", 60),
            {
                "course_id": "c1",
                "lecture_id": "l1",
                "preset_id": "exam-mode",
                "title": "A lecture",
            },
        )
        ended = {"transcribed", "failed"}
        most = 0
        while most < 2 and client.get("/lectures/l1")["status"] not in ended:
            most = max(most, busy(program.below("pocketsphinx_decoder")))
        assert most == 2


def busy(processes):
    """Return how many of these compute."""
    before = [one.cpu_times().user for one in processes]
    time.sleep(_LOOK_SECONDS)
    after = [one.cpu_times().user for one in processes]
    return sum(new > old for new, old in zip(after, before, strict=True))
