"""The Cloud Tasks that the other tests run against does what Google's documents say."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from threading import Event

import grpc
import jwt
import pytest
from google.api_core import exceptions
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import (
    CloudTasksGrpcTransport,
)

from common.local.postgres import free_port
from tests.common.job_steps import until
from tests.loopback.cloud_tasks_line import backoff
from tests.loopback.cloud_tasks_server import cloud_tasks_server, control_server
from tests.loopback.cloud_tasks_service import Limits
from tests.loopback.google_project import QUEUES, TASKS
from tests.loopback.google_signer import GoogleSigner
from tests.loopback.ringing_worker import ringing_worker

HASTE = Limits(min_backoff=0.05, max_backoff=0.2, doublings=1)
numbers = count()


@pytest.fixture(scope="module")
def signer():
    with GoogleSigner() as signer:
        yield signer


@pytest.fixture
def server(signer):
    with cloud_tasks_server(signer) as server:
        yield server


@pytest.fixture
def client(server):
    yield (made := connect(server.host))
    made.transport.close()


@pytest.fixture
def worker():
    with ringing_worker() as worker:
        yield worker


@pytest.fixture
def new_queue(server):
    def make(limits=HASTE):
        name = f"{QUEUES}-{next(numbers)}"
        server.add_queue(name, limits)
        return name

    return make


@pytest.fixture
def create(client, worker):
    """Make a task for the worker; the server's answer is returned."""

    def make(queue, name="", seconds=None, url=None, **changes):
        target = {"url": url or f"{worker.url}/tasks/1", "body": b"{}"}
        made = tasks_v2.Task(http_request=target | changes.pop("http", {}), **changes)
        made.name = f"{queue}/tasks/{name}" if name else ""
        if seconds is not None:
            made.schedule_time = datetime.now(UTC) + timedelta(seconds=seconds)
        return client.create_task(parent=queue, task=made, timeout=5)

    return make


def connect(host):
    transport = CloudTasksGrpcTransport(channel=grpc.insecure_channel(host))
    return tasks_v2.CloudTasksClient(transport=transport)


def test_a_queue_can_be_made_and_looked_at(client):
    parent, _, _ = QUEUES.partition("/queues/")
    wanted = tasks_v2.Queue(name=f"{QUEUES}-made")

    client.create_queue(parent=parent, queue=wanted)

    found = client.get_queue(name=wanted.name)
    assert found.state == tasks_v2.Queue.State.RUNNING
    assert found.retry_config.max_attempts == 100
    with pytest.raises(exceptions.AlreadyExists):
        client.create_queue(parent=parent, queue=wanted)


def test_a_task_can_be_looked_at_listed_and_deleted(client, new_queue, create):
    made = create(queue := new_queue(), seconds=60)

    assert client.get_task(name=made.name).name == made.name
    assert [task.name for task in client.list_tasks(parent=queue)] == [made.name]
    client.delete_task(name=made.name)
    with pytest.raises(exceptions.NotFound):
        client.get_task(name=made.name)


def test_a_name_is_taken_once_even_after_the_task_is_done(new_queue, create, worker):
    create(queue := new_queue(), "one")
    until(lambda: worker.rings)

    with pytest.raises(exceptions.AlreadyExists):
        create(queue, "one")


def test_a_name_is_free_again_some_day(signer, worker):
    with cloud_tasks_server(signer, name_block_seconds=0.1) as server:
        server.add_queue(QUEUES)
        client = connect(server.host)
        call = {"url": worker.url, "body": b"{}"}
        task = {"name": f"{QUEUES}/tasks/1", "http_request": call}
        client.create_task(parent=QUEUES, task=task)
        until(lambda: worker.rings)

        until(lambda: _taken(client, task))
        until(lambda: len(worker.rings) == 2)
        client.transport.close()


def _taken(client, task):
    try:
        return client.create_task(parent=QUEUES, task=task)
    except exceptions.AlreadyExists:
        return None


WRONG = {
    "too soon given up": {"dispatch_deadline": timedelta(seconds=14)},
    "too long waited for": {"dispatch_deadline": timedelta(minutes=31)},
    "too late": {"seconds": 86_400 * 30 + 60},
    "too large": {"http": {"body": b"x" * 1024 * 1024}},
    "no address": {"url": "worker.example"},
    "an endless address": {"url": "http://" + "x" * 2100},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_task_beyond_the_limits_is_refused(new_queue, create, changes):
    with pytest.raises(exceptions.InvalidArgument):
        create(new_queue(), **changes)


def test_a_task_for_no_queue_is_refused(create):
    with pytest.raises(exceptions.NotFound):
        create(f"{QUEUES}-unknown")


def test_a_delivery_says_what_it_is(new_queue, create, worker):
    answers = iter([500])
    worker.answer = lambda _ring: next(answers, 200)
    made = create(queue := new_queue(), "one")
    until(lambda: len(worker.rings) == 2)

    said = [
        {name.lower(): value for name, value in ring.headers.items()}
        for ring in worker.rings
    ]
    assert said[0]["user-agent"] == "Google-Cloud-Tasks"
    assert said[0]["x-cloudtasks-queuename"] == queue.rpartition("/")[2]
    assert said[0]["x-cloudtasks-taskname"] == "one"
    assert float(said[0]["x-cloudtasks-tasketa"]) == made.schedule_time.timestamp()
    assert [head["x-cloudtasks-taskretrycount"] for head in said] == ["0", "1"]
    assert "x-cloudtasks-taskpreviousresponse" not in said[0]
    assert said[1]["x-cloudtasks-taskpreviousresponse"] == "500"


def test_its_token_is_signed_as_google_does(new_queue, create, worker, signer):
    create(new_queue(), http={"oidc_token": {"service_account_email": TASKS}})
    until(lambda: worker.rings)

    claims = jwt.decode(
        worker.rings[0].token,
        signer.public_pem,
        algorithms=["RS256"],
        audience=f"{worker.url}/tasks/1",  # the address, unless another is named
    )
    assert (claims["email"], claims["email_verified"]) == (TASKS, True)


def test_pauses_are_doubled_and_then_grow_evenly():
    """The numbers are those of the documentation of ``max_doublings``."""
    config = tasks_v2.RetryConfig(
        min_backoff=timedelta(seconds=10),
        max_backoff=timedelta(seconds=300),
        max_doublings=3,
    )

    pauses = [backoff(config, failures) for failures in range(8)]

    assert pauses == [10, 20, 40, 80, 160, 240, 300, 300]


def test_a_pause_is_kept(new_queue, create, worker):
    answers = iter([500] * 3)
    worker.answer = lambda _ring: next(answers, 200)

    create(new_queue(Limits(min_backoff=0.05)))

    until(lambda: len(worker.rings) == 4)
    gaps = [(b.at - a.at).total_seconds() for a, b in pairwise(worker.rings)]
    assert all(gap >= least for gap, least in zip(gaps, (0.05, 0.1, 0.2), strict=True))


def test_a_task_is_given_up_after_so_many_attempts(new_queue, create, worker, client):
    worker.answer = lambda _ring: 500

    made = create(new_queue(Limits(attempts=3, min_backoff=0.01)))

    until(lambda: not _held(client, made))
    assert len(worker.rings) == 3


def test_an_overloaded_worker_slows_the_whole_queue(new_queue, create, worker):
    answers = iter([503])
    worker.answer = lambda _ring: next(answers, 200)
    queue = new_queue(Limits(min_backoff=0.3))
    create(queue, url=f"{worker.url}/first")
    until(lambda: worker.rings)

    create(queue, url=f"{worker.url}/second")

    until(lambda: "/second" in worker.paths)
    waited = worker.rings[worker.paths.index("/second")].at - worker.rings[0].at
    assert waited.total_seconds() > 0.25


def test_only_so_many_are_delivered_at_once(new_queue, create, worker):
    go = Event()
    worker.answer = lambda _ring: 200 if go.wait(10) else 500
    queue = new_queue(Limits(concurrency=2))
    for _ in range(5):
        create(queue)

    until(lambda: worker.busy == 2)
    go.set()
    until(lambda: len(worker.rings) == 5)
    assert worker.most_busy == 2


def test_a_worker_that_does_not_answer_in_time_is_asked_again(signer, worker):
    go = Event()
    worker.answer = lambda _ring: 200 if len(worker.rings) > 1 or go.wait(10) else 500
    with cloud_tasks_server(signer, deadline_seconds=0.1) as server:
        server.add_queue(QUEUES, HASTE)
        client = connect(server.host)
        client.create_task(
            parent=QUEUES, task={"http_request": {"url": worker.url, "body": b"{}"}}
        )
        until(lambda: len(worker.rings) >= 2)
        client.transport.close()
    go.set()


def test_a_paused_queue_delivers_when_it_goes_on(client, new_queue, create, worker):
    client.pause_queue(name=(queue := new_queue()))
    create(queue, url=f"{worker.url}/paused")
    create(new_queue(), url=f"{worker.url}/another")
    until(lambda: worker.rings)
    assert worker.paths == ["/another"]

    client.resume_queue(name=queue)

    until(lambda: "/paused" in worker.paths)


def test_a_purged_queue_forgets(client, new_queue, create, server):
    create(queue := new_queue(), "one", seconds=60)

    client.purge_queue(name=queue)

    assert server.state()[queue]["tasks"] == 0


def _held(client, task):
    try:
        return client.get_task(name=task.name)
    except exceptions.NotFound:
        return None


# What goes wrong on order


def test_deliveries_are_doubled(server, new_queue, create, worker):
    server.break_things({"duplicate": 1})

    create(new_queue())

    until(lambda: len(worker.rings) == 2)


def test_good_answers_get_lost(server, new_queue, create, worker):
    server.break_things({"drop_ack": 1})
    create(new_queue())
    until(lambda: len(worker.rings) >= 3)

    server.break_things({"drop_ack": 0})

    until(lambda: sum(queue["tasks"] for queue in server.state().values()) == 0)


@pytest.mark.parametrize("first", [True, False])
def test_tasks_come_early(server, new_queue, create, worker, first):
    if first:
        server.break_things({"early": 1})
    create(new_queue(), seconds=60)
    if not first:
        server.break_things({"early": 1})

    until(lambda: worker.rings)


def test_tasks_come_late(server, new_queue, create, worker):
    server.break_things({"late": 1, "late_seconds": 0.3})

    made = create(new_queue())

    until(lambda: worker.rings)
    assert worker.rings[0].at >= made.schedule_time + timedelta(seconds=0.3)


def test_half_a_share_is_about_half_and_the_same_for_a_seed(signer):
    def drawn(seed):
        with cloud_tasks_server(signer, seed=seed) as server:
            server.break_things({"duplicate": 0.5})
            return [server.faults.drawn("duplicate") for _ in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 60 < Counter(drawn(1))[True] < 140


def test_nothing_is_delivered_in_a_pause_and_nothing_held_after_a_wipe(
    server, new_queue, create, worker
):
    server.break_things({"pause": True})
    create(queue := new_queue(), url=f"{worker.url}/lost")

    server.break_things({"wipe": True, "pause": False})

    create(queue, url=f"{worker.url}/last")
    until(lambda: worker.rings)
    assert worker.paths == ["/last"]


@pytest.mark.parametrize("wanted", [{"outages": 1}, {"outage": "often"}, {"seed": 1}])
def test_a_fault_that_there_is_not_is_refused(server, wanted):
    with control_server(server) as url, pytest.raises(urllib.error.HTTPError) as caught:
        _post(url, wanted)
    caught.value.close()
    assert caught.value.code == 400


def _post(url, document):
    request = urllib.request.Request(f"{url}/faults", json.dumps(document).encode())  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310 - loopback
        return reply.status


def test_it_runs_as_a_process_that_others_can_break(worker):
    port, control, certs = free_port(), free_port(), free_port()
    code = ["-m", "tests.loopback.cloud_tasks_server", str(port), str(control)]
    command = [sys.executable, *code, str(certs), f"{QUEUES}-media:4"]
    process = subprocess.Popen(command)  # noqa: S603 - our own
    client = connect(f"127.0.0.1:{port}")
    try:
        client.get_queue(name=f"{QUEUES}-media", timeout=30, retry=_until_it_is_there())
        assert _post(f"http://127.0.0.1:{control}", {"outage": "refuse"}) == 200
        with pytest.raises(exceptions.ServiceUnavailable):
            client.get_queue(name=f"{QUEUES}-media", retry=None)
        certificates = f"http://127.0.0.1:{certs}/certs"
        with urllib.request.urlopen(certificates, timeout=5) as page:
            assert len(json.load(page)) == 1
    finally:
        client.transport.close()
        process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def _until_it_is_there():
    from google.api_core.retry import Retry  # noqa: PLC0415 - for this alone

    unavailable = exceptions.ServiceUnavailable
    return Retry(lambda exc: isinstance(exc, unavailable), initial=0.1, timeout=30)
