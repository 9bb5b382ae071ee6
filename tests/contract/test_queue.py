"""What the services may expect of any queue, and of each one in particular."""

import http.client
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from common.errors import ProviderUnavailable
from common.ids import new_id
from common.jobs import Task
from common.local.postgres import free_port
from common.providers import internal_calls, queue
from common.providers.queue.inline import InlineQueue
from common.providers.queue.local import LocalQueue
from tests.common.job_steps import until
from tests.conftest import SECRET
from tests.fakes import FakeQueue
from tests.loopback.ringing_worker import ringing_worker

KEY = SecretStr(SECRET)
NOWHERE = "http://127.0.0.1:1"


def task(seconds=0.0, job_id=None, seq=1, lane="main"):
    not_before = datetime.now(UTC) + timedelta(seconds=seconds)
    return Task(job_id or new_id(), seq, "media", lane, not_before)


@pytest.fixture
def worker_side():
    with ringing_worker() as worker:
        yield worker


@pytest.fixture(scope="module")
def queue_s_worker():
    """The worker of the task queue that is a process."""
    with ringing_worker() as worker:
        yield worker


@pytest.fixture(scope="module")
def queue_url(queue_s_worker):
    """The task queue as a process of its own, with the fault switches."""
    url = f"http://127.0.0.1:{free_port()}"
    env = os.environ | {
        "PEGASUS_WORKER_URL": queue_s_worker.url,
        "PEGASUS_QUEUE_URL": url,
        "PEGASUS_INTERNAL_SECRET": SECRET,
        "PEGASUS_QUEUE_FAULTS": "1",
        "PEGASUS_SWEEP_SECONDS": "3600",
    }
    command = [sys.executable, "-m", "common.local.task_queue_server"]
    port = url.rpartition(":")[2]
    process = subprocess.Popen([*command, port], env=env)  # noqa: S603 - our own
    try:
        until(lambda: queue_s_worker.rings, 30)
        until(lambda: call(url, "/check") == 200)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def call(url, path, document=None, caller=internal_calls.SERVICES, body=None):
    """POST to the task queue as one of our services does."""
    address = urlsplit(url)
    token = internal_calls.sign(KEY, audience=url, caller=caller)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    try:
        content = body if body is not None else json.dumps(document or {})
        headers = {"Authorization": f"Bearer {token}"} if caller else {}
        connection.request("POST", path, content, headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.fixture(params=["fake", "inline", pytest.param("local", marks=pytest.mark.e2e)])
def any_queue(request, worker_side):
    if request.param == "fake":
        return FakeQueue()
    if request.param == "inline":
        return InlineQueue(worker_side.url, KEY)
    return LocalQueue(request.getfixturevalue("queue_url"), KEY)


def test_a_due_task_is_taken(any_queue):
    any_queue.send(task())
    any_queue.check()


def test_sending_the_same_task_twice_is_harmless(any_queue):
    sent = task()

    any_queue.send(sent)
    any_queue.send(sent)


@pytest.mark.parametrize("kind", [InlineQueue, LocalQueue])
def test_a_queue_that_cannot_be_reached_says_so(kind):
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        kind(NOWHERE, KEY).send(task())


def test_so_does_the_check_of_the_local_one():
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        LocalQueue(NOWHERE, KEY).check()


def test_inline_work_is_done_when_send_returns(worker_side):
    sent = task(seq=3)

    InlineQueue(worker_side.url, KEY).send(sent)

    [ring] = worker_side.rings
    assert (ring.path, ring.body) == (f"/tasks/{sent.job_id}", {"seq": 3})
    found = internal_calls.caller(KEY, ring.token, audience=worker_side.url)
    assert found == internal_calls.QUEUE


def test_inline_work_is_not_done_before_its_hour(worker_side):
    with pytest.raises(ProviderUnavailable, match="not due"):
        InlineQueue(worker_side.url, KEY).send(task(seconds=5))

    assert worker_side.rings == []


def test_clocks_may_differ_a_little_for_inline_work(worker_side):
    InlineQueue(worker_side.url, KEY).send(task(seconds=0.5))

    assert len(worker_side.rings) == 1


@pytest.mark.parametrize("status", [503, 500, 401, 302])
def test_inline_work_that_was_refused_is_kept_as_a_promise(worker_side, status):
    worker_side.answer = lambda _ring: status

    with pytest.raises(ProviderUnavailable, match=f"answered {status}"):
        InlineQueue(worker_side.url, KEY).send(task())


def test_the_settings_choose_the_queue(settings):
    inline = settings.model_copy(update={"inline_jobs": True})

    assert isinstance(queue.from_settings(settings), LocalQueue)
    assert isinstance(queue.from_settings(inline), InlineQueue)


@pytest.mark.e2e
def test_the_local_queue_delivers_to_the_worker(queue_url, queue_s_worker):
    sent = task(seq=4)

    LocalQueue(queue_url, KEY).send(sent)
    until(lambda: f"/tasks/{sent.job_id}" in queue_s_worker.paths)

    [ring] = [r for r in queue_s_worker.rings if str(sent.job_id) in r.path]
    assert ring.body == {"seq": 4}
    assert ring.headers["X-CloudTasks-TaskName"] == sent.name


@pytest.mark.e2e
def test_its_first_act_is_to_have_all_due_jobs_rung_for(queue_url, queue_s_worker):
    """It remembers nothing of what it held before it was started."""
    first = queue_s_worker.rings[0]

    assert (first.path, first.body) == ("/schedules/sweep", {"lost_after_seconds": 0})


@pytest.mark.e2e
@pytest.mark.parametrize("path", ["/tasks", "/check", "/faults"])
@pytest.mark.parametrize("caller", [None, internal_calls.QUEUE, "x@example.org"])
def test_only_our_services_may_use_it(queue_url, path, caller):
    assert call(queue_url, path, caller=caller) == 403


@pytest.mark.e2e
@pytest.mark.parametrize("body", ["", "{", "[]", '{"name": "x"}', '{"name": 1}'])
def test_a_task_that_makes_no_sense_is_refused(queue_url, body):
    assert call(queue_url, "/tasks", body=body) == 400


@pytest.mark.e2e
def test_nothing_else_is_there(queue_url):
    assert call(queue_url, "/elsewhere") == 404


@pytest.mark.e2e
def test_its_faults_can_be_switched(queue_url, queue_s_worker):
    client = LocalQueue(queue_url, KEY)
    assert call(queue_url, "/faults", {"outage": True}) == 200
    with pytest.raises(ProviderUnavailable, match="answered 503"):
        client.send(task())
    with pytest.raises(ProviderUnavailable, match="answered 503"):
        client.check()

    call(queue_url, "/faults", {"outage": False, "pause": True})
    client.send(lost := task())
    call(queue_url, "/faults", {"wipe": True, "pause": False})
    client.send(last := task())
    until(lambda: f"/tasks/{last.job_id}" in queue_s_worker.paths)

    assert f"/tasks/{lost.job_id}" not in queue_s_worker.paths
