"""A worker that Cloud Run stops: SIGTERM, and ten seconds later SIGKILL."""

from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest

from common.local.processes import Service
from common.local.stack import Stack
from tests.e2e.machine import OFFLINE, clean_environment, free_place, new_home, wait_for
from tests.e2e.pegasus import Pegasus
from tests.e2e.slow_speech import SlowSpeech
from tests.loopback.openai_server import KEY

_JOBS = 20
_GIVEN_BACK = timedelta(seconds=8)  # after SIGTERM
_TAKEN_OVER_AFTER = timedelta(seconds=5)  # after that
_KILLED_SECONDS = 10  # after SIGTERM, by Cloud Run
_TAKEN_OVER = "to_state = 'running' and epoch > 1 and kind = 'transcription_chunk'"


@pytest.fixture(scope="module")
def speech():
    with SlowSpeech() as server:
        yield server


@pytest.fixture(scope="module")
def pegasus(speech, tmp_path_factory):
    """A Pegasus whose worker does many jobs at once and shares its port."""
    settings = {
        "OPENAI_BASE_URL": speech.url,
        "OPENAI_API_KEY": KEY,
        "PLC_INGEST_TRANSCRIBE_PROVIDER": "openai",
        "PEGASUS_QUEUE_CONCURRENCY": str(_JOBS),
        "PEGASUS_WORKER_THREADS": str(_JOBS + 10),
        "GUNICORN_CMD_ARGS": "--reuse-port",  # two instances behind one address
    }
    with (
        new_home() as folder,
        Stack(
            free_place(folder),
            environment=clean_environment() | OFFLINE | settings,
            log_folder=tmp_path_factory.mktemp("logs"),
        ) as stack,
    ):
        yield Pegasus(stack)


def answering(pegasus):
    """Return how many instances take connections at the worker's port."""
    address = ("127.0.0.1", pegasus.stack.place.worker_port)
    listening = [
        one.pid
        for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr == address
    ]
    return len(listening)


@contextmanager
def another_worker(pegasus):
    """Have a second instance ready to take over."""
    one = pegasus.stack.service("worker")
    second = Service("worker 2", one.command, one.environment, one.log)
    second.start()
    try:
        wait_for(lambda: answering(pegasus) == 2)
        yield
    finally:
        second.ask_to_stop()
        second.stop(_KILLED_SECONDS)


def first(pegasus, condition):
    """Return when each job first made such a step."""
    sql = f"select min(at) from job_events where {condition} group by job_id"  # noqa: S608
    return [at for (at,) in pegasus.rows(sql)]


def test_twenty_long_jobs_are_given_back_in_time_and_taken_over_at_once(
    pegasus, speech, tmp_path
):
    speech.hold_after(0)
    pegasus.upload(tmp_path, pieces=_JOBS)
    wait_for(lambda: len(speech.asked) == _JOBS)
    told = psutil.Process(pegasus.stack.service("worker").pid)
    with another_worker(pegasus):
        [[told_at]] = pegasus.rows("select clock_timestamp()")
        pegasus.stack.service("worker").ask_to_stop()
        told.wait(_KILLED_SECONDS)
        given_back = first(pegasus, "reason = 'shutdown'")
        wait_for(lambda: len(first(pegasus, _TAKEN_OVER)) == _JOBS)
        taken_over = first(pegasus, _TAKEN_OVER)
        speech.release()
        assert pegasus.ended("transcription") == "completed"

    assert len(given_back) == _JOBS
    assert max(given_back) - told_at < _GIVEN_BACK
    assert max(taken_over) - max(given_back) < _TAKEN_OVER_AFTER
    counted = "select distinct attempt from job_events where reason = 'shutdown'"
    assert pegasus.rows(counted + " and to_state = 'queued'") == [(0,)]
