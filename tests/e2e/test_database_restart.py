"""A database that goes away, hangs, and comes back."""

import http.client
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psutil

from tests.e2e.machine import wait_for

_BACK_SECONDS = 5  # after the database is there again
_BOUND_SECONDS = 30  # a connection that hangs is found out, and another one tried
_AT_ONCE_SECONDS = 2  # for what needs no database


def crash_database(pegasus):
    """End it as an immediate shutdown does: no session is told, nothing is tidied."""
    os.kill(pegasus.stack.database.pid, signal.SIGQUIT)
    wait_for(lambda: pegasus.stack.database.ended)


@contextmanager
def database_hangs(pegasus):
    """Stop it without ending it: calls are taken, and nothing is ever said."""
    top = psutil.Process(pegasus.stack.database.pid)
    stopped = [top, *top.children(recursive=True)]
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


def ask_worker(pegasus, path, *, seconds=_AT_ONCE_SECONDS):
    """Return the worker's status and headers."""
    port = pegasus.stack.place.worker_port
    with closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    ) as connection:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.headers


def test_the_api_says_that_the_database_is_away_until_it_is_back(pegasus):
    assert pegasus.send("GET", "/lectures").status == 200
    crash_database(pegasus)

    away = pegasus.send("GET", "/lectures")
    assert away.status == 503
    assert int(away.headers["Retry-After"]) > 0
    assert away.document["error"]["code"] == "unavailable"
    pegasus.revive()
    wait_for(
        lambda: pegasus.send("GET", "/lectures").status == 200, seconds=_BACK_SECONDS
    )


def test_the_worker_says_that_it_is_not_ready_until_the_database_is_back(pegasus):
    assert ask_worker(pegasus, "/health/ready")[0] == 200
    crash_database(pegasus)

    status, headers = ask_worker(pegasus, "/health/ready")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert ask_worker(pegasus, "/health")[0] == 200
    pegasus.revive()
    wait_for(
        lambda: ask_worker(pegasus, "/health/ready")[0] == 200, seconds=_BACK_SECONDS
    )


def test_the_api_is_alive_but_not_ready_while_the_database_is_away(pegasus):
    crash_database(pegasus)

    assert pegasus.send("GET", "/health").status == 200
    assert pegasus.send("GET", "/health/ready").status == 503
    pegasus.revive()
    wait_for(
        lambda: pegasus.send("GET", "/health/ready").status == 200,
        seconds=_BACK_SECONDS,
    )


def test_a_database_that_hangs_is_an_outage_and_holds_nobody_for_ever(pegasus):
    def ask(_number):
        started = time.monotonic()
        reply = pegasus.send("GET", "/lectures", seconds=_BOUND_SECONDS + 5)
        return reply.status, time.monotonic() - started

    with database_hangs(pegasus), ThreadPoolExecutor(20) as clients:
        answers = clients.map(ask, range(20))
        time.sleep(0.2)  # all are waiting
        alive = pegasus.send("GET", "/health", seconds=_AT_ONCE_SECONDS)
        ended = list(answers)
    assert alive.status == 200
    assert {status for status, _ in ended} == {503}
    assert max(seconds for _, seconds in ended) < _BOUND_SECONDS
    assert len([1 for _, seconds in ended if seconds < 8]) >= 10, "no line was free"
    wait_for(
        lambda: pegasus.send("GET", "/lectures").status == 200, seconds=_BACK_SECONDS
    )


def test_a_job_lives_through_a_restart_of_the_database(
    pegasus, speech_server, tmp_path
):
    speech_server.hold_after(1)
    pegasus.upload(tmp_path, pieces=4)
    wait_for(lambda: len(speech_server.asked) == 3)
    crash_database(pegasus)
    pegasus.revive()
    speech_server.release()

    assert pegasus.ended("transcription") == "completed"
    assert pegasus.saved() == 4
    assert pegasus.transcripts() == 1


def test_answers_that_arrive_while_the_database_is_away_are_asked_for_again(
    pegasus, speech_server, tmp_path
):
    speech_server.hold_after(1)
    pegasus.upload(tmp_path, pieces=3)
    wait_for(lambda: pegasus.saved() == 1)
    wait_for(lambda: len(speech_server.asked) == 3)
    crash_database(pegasus)
    failures = pegasus.logged("worker").count("job.run.failed")
    speech_server.release()
    wait_for(lambda: pegasus.logged("worker").count("job.run.failed") == failures + 2)
    pegasus.revive()

    assert pegasus.ended("transcription") == "completed"
    assert sorted(speech_server.calls.values()) == [1, 2, 2]
    assert pegasus.saved() == 3
