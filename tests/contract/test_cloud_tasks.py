"""What Cloud Tasks in particular is asked for, and how its failures are met."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from google.cloud import tasks_v2

from common.errors import ProviderUnavailable
from common.providers.queue.cloud_tasks import CloudTasksQueue
from common.providers.queue.cloud_tasks_calls import Calls
from tests.contract.queues import cloud_tasks, task
from tests.loopback.certificates import new_key, pem_of
from tests.loopback.google_project import QUEUES, TASKS, WORKER_URL, queued_in

REFUSALS = [
    "UNAVAILABLE",
    "INTERNAL",
    "RESOURCE_EXHAUSTED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
    "NOT_FOUND",
    "INVALID_ARGUMENT",
    "FAILED_PRECONDITION",
    "ABORTED",  # a conflict over HTTP, as is what means success
]


@pytest.fixture(scope="module")
def google():
    with cloud_tasks() as (_signer, tasks):
        yield tasks


@pytest.fixture
def tasks(google):
    """The server, which delivers nothing, so that tasks can be looked at."""
    google.created.clear()
    google.break_things({"pause": True})
    yield google
    google.break_things({"outage": False, "code": "UNAVAILABLE", "wipe": True})


@pytest.fixture
def new_queue(tasks, settings):
    def make(**changes):
        ours = {"worker_url": WORKER_URL} | changes
        return CloudTasksQueue.from_settings(queued_in(tasks, settings, **ours))

    return make


@pytest.fixture
def queue(new_queue):
    return new_queue()


@pytest.fixture
def made(tasks):
    """Return the last task that was asked for."""
    return lambda: tasks.created[-1].task


def test_a_task_is_a_signed_call_of_the_worker(queue, made):
    queue.send(sent := task(seq=7))

    asked = made().http_request
    assert asked.url == f"{WORKER_URL}/tasks/{sent.job_id}"
    assert asked.http_method == tasks_v2.HttpMethod.POST
    assert asked.body == b'{"seq": 7}'
    assert dict(asked.headers) == {"Content-Type": "application/json"}
    assert asked.oidc_token.service_account_email == TASKS
    assert asked.oidc_token.audience == WORKER_URL


def test_its_token_may_be_for_an_audience_of_its_own(new_queue, made):
    new_queue(worker_audience="pegasus-worker").send(task())

    assert made().http_request.oidc_token.audience == "pegasus-worker"


def test_its_name_is_the_hash_of_the_dispatch_in_its_queue(queue, made):
    queue.send(sent := task())

    assert made().name == f"{QUEUES}-media/tasks/{sent.name}"


@pytest.mark.parametrize("provider_class", ["media", "speech", "llm"])
def test_each_class_of_provider_has_its_queue(queue, tasks, provider_class):
    queue.send(task(queue=provider_class))

    assert tasks.created[-1].parent == f"{QUEUES}-{provider_class}"


def test_the_solo_lane_has_its_own_queue_and_worker(new_queue, tasks, made):
    new_queue(solo_worker_url="https://solo.example/").send(sent := task(lane="solo"))

    assert tasks.created[-1].parent == f"{QUEUES}-solo"
    assert made().http_request.url == f"https://solo.example/tasks/{sent.job_id}"
    assert made().http_request.oidc_token.audience == WORKER_URL


def test_one_worker_may_do_both(queue, made):
    queue.send(task(lane="solo"))

    assert made().http_request.url.startswith(f"{WORKER_URL}/tasks/")


def test_the_worker_has_half_an_hour(queue, made):
    queue.send(task())

    assert made().dispatch_deadline == timedelta(minutes=30)


def test_a_task_for_later_says_when(queue, made):
    queue.send(sent := task(seconds=3600))

    assert made().schedule_time == sent.not_before


def test_a_task_that_is_due_names_no_time(queue, made):
    queue.send(task(seconds=-1))

    assert not made().schedule_time


def test_a_task_for_next_year_is_asked_for_as_late_as_possible(queue, made):
    queue.send(task(seconds=86_400 * 365))

    ahead = made().schedule_time - datetime.now(UTC)
    assert timedelta(days=29) < ahead <= timedelta(days=30)


@pytest.mark.parametrize("code", REFUSALS)
def test_whatever_is_refused_stays_a_promise(queue, tasks, code):
    tasks.break_things({"outage": "refuse", "code": code})

    with pytest.raises(ProviderUnavailable, match=r"^Cloud Tasks: \w+\.$"):
        queue.send(task())


def test_nobody_waits_longer_than_two_seconds(queue, tasks):
    tasks.break_things({"outage": "hang"})
    began = time.monotonic()

    with pytest.raises(ProviderUnavailable, match="DeadlineExceeded"):
        queue.send(task())

    assert time.monotonic() - began < 2.5


def test_a_task_whose_answer_was_lost_is_not_made_twice(queue, tasks):
    tasks.break_things({"outage": "lose_answer"})
    with pytest.raises(ProviderUnavailable):
        queue.send(sent := task())
    tasks.break_things({"outage": False})

    queue.send(sent)

    held = tasks.state()[f"{QUEUES}-media"]["tasks"]
    assert (len(tasks.created), held) == (2, 1)


def test_it_is_tried_once_because_the_outbox_tries_again(queue, tasks):
    tasks.break_things({"outage": "refuse"})
    tasks.refused = 0

    for use in (queue.check, lambda: queue.send(task())):
        with pytest.raises(ProviderUnavailable):
            use()

    assert tasks.refused == 2


def test_a_server_that_is_not_there_is_said_to_be_unavailable(new_queue):
    nowhere = new_queue(tasks_endpoint="127.0.0.1:1")

    for use in (nowhere.check, lambda: nowhere.send(task())):
        with pytest.raises(ProviderUnavailable, match="Cloud Tasks: Service"):
            use()


def test_a_queue_that_nobody_made_is_noticed_by_the_check(new_queue):
    with pytest.raises(ProviderUnavailable, match="NotFound"):
        new_queue(tasks_queue_prefix="another").check()


def test_so_is_an_account_that_is_not_there(new_queue, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")

    with pytest.raises(ProviderUnavailable, match="DefaultCredentialsError"):
        new_queue(tasks_endpoint=None).check()


def test_an_account_leads_to_google_s_own_address(monkeypatch, tmp_path):
    key = {
        "type": "service_account",
        "client_email": TASKS,
        "private_key": pem_of(new_key()),
        "token_uri": "http://127.0.0.1:1/token",
    }
    (file := tmp_path / "key.json").write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    calls = Calls(None, caller=TASKS, audience=WORKER_URL)

    host = calls._client.transport.host  # noqa: SLF001 - a call would leave us
    assert host == "cloudtasks.googleapis.com:443"


def test_the_library_is_not_loaded_before_it_is_needed():
    """A process may still fork when all is built: gRPC must not have begun."""
    code = (
        "import sys, common.deps\n"
        "from common.providers.queue.cloud_tasks import CloudTasksQueue, Worker\n"
        "CloudTasksQueue('p', Worker('u', 'u', 'a', 'c'), endpoint=None)\n"
        "assert not {'grpc', 'google.cloud.tasks_v2'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own
