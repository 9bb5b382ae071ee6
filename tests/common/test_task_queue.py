"""The local task queue rings as Cloud Tasks does, in its good and its bad hours."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from threading import Event

import pytest
from pydantic import SecretStr

import worker_service.app
from common.local import task_queue
from common.local.task_queue import TaskIn, TaskQueue
from common.providers import identity, internal_calls
from tests.common.job_steps import until
from tests.conftest import SECRET
from tests.loopback.ringing_worker import ringing_worker

BACKOFF = (0.05, 0.1, 0.2)
names = count()


@pytest.fixture
def worker_side():
    with ringing_worker() as worker:
        yield worker


@pytest.fixture
def new_queue(worker_side, monkeypatch):
    monkeypatch.setattr(task_queue, "_BACKOFF_SECONDS", BACKOFF)
    made = []

    def make(concurrency=2):
        made.append(
            TaskQueue(worker_side.url, SecretStr(SECRET), concurrency=concurrency)
        )
        return made[-1]

    yield make
    for ringer in made:  # its threads live as long as the process
        ringer.faults = task_queue.Faults()
        ringer.wipe()


@pytest.fixture
def ringer(new_queue):
    return new_queue()


def task(name=None, path=None, seconds=0.0, **changes):
    name = name or f"task-{next(names)}"
    fields = {
        "name": name,
        "queue": "media",
        "lane": "main",
        "path": path or f"/tasks/{name}",
        "body": {"seq": 1},
        "not_before": datetime.now(UTC) + timedelta(seconds=seconds),
    }
    return TaskIn(**(fields | changes))


def test_a_task_is_delivered_as_cloud_tasks_would(ringer, worker_side):
    sent = task("first", "/tasks/abc", body={"seq": 7})

    assert ringer.create(sent) == 200
    until(lambda: worker_side.rings)

    [ring] = worker_side.rings
    assert (ring.path, ring.body) == ("/tasks/abc", {"seq": 7})
    assert ring.headers["X-CloudTasks-QueueName"] == "media"
    assert ring.headers["X-CloudTasks-TaskName"] == "first"
    assert ring.headers["X-CloudTasks-TaskRetryCount"] == "0"
    assert ring.headers["X-CloudTasks-TaskETA"] == str(sent.not_before.timestamp())


def test_the_worker_knows_who_rings(ringer, worker_side):
    ringer.create(task())
    until(lambda: worker_side.rings)

    found = internal_calls.caller(
        SecretStr(SECRET), worker_side.rings[0].token, audience=worker_side.url
    )
    assert found == internal_calls.QUEUE


def test_the_real_worker_lets_it_in(ringer, worker_side, deps, heart, settings):
    ringer.create(task())
    until(lambda: worker_side.rings)
    own = settings.model_copy(update={"worker_url": worker_side.url})
    own_deps = replace(deps, settings=own, identity=identity.from_settings(own))
    app = worker_service.app.create_app(own_deps, heart)
    headers = {"Authorization": worker_side.rings[0].headers["Authorization"]}

    path = "/tasks/00000000-0000-0000-0000-000000000001"
    reply = app.test_client().post(path, json={"seq": 1}, headers=headers)

    assert reply.status_code == 200


def test_no_task_comes_before_its_hour(ringer, worker_side):
    late, soon = task(seconds=0.3), task()
    ringer.create(late)
    ringer.create(soon)
    until(lambda: len(worker_side.rings) == 2)

    assert worker_side.paths == [soon.path, late.path]
    assert worker_side.rings[1].at >= late.not_before


def test_a_name_is_used_once(ringer, worker_side):
    assert ringer.create(task("same")) == 200
    assert ringer.create(task("same")) == 409
    until(lambda: worker_side.rings)
    assert ringer.create(task("same")) == 409

    ringer.create(task("other"))
    until(lambda: "/tasks/other" in worker_side.paths)
    assert worker_side.paths.count("/tasks/same") == 1


def test_a_name_is_free_again_after_a_day(ringer, worker_side, monkeypatch):
    ringer.create(task("same"))
    monkeypatch.setattr(task_queue, "NAME_BLOCK_SECONDS", -1)

    assert ringer.create(task("same")) == 200
    until(lambda: len(worker_side.rings) == 2)


def test_what_fails_is_rung_again_after_longer_and_longer_waits(ringer, worker_side):
    answers = iter([500, 500, 500, 500, 200])
    worker_side.answer = lambda _ring: next(answers)

    ringer.create(task())
    until(lambda: len(worker_side.rings) == 5)

    counts = [r.headers["X-CloudTasks-TaskRetryCount"] for r in worker_side.rings]
    assert counts == ["0", "1", "2", "3", "4"]
    waits = [
        (after.at - before.at).total_seconds()
        for before, after in pairwise(worker_side.rings)
    ]
    for wait, least in zip(waits, (*BACKOFF, BACKOFF[-1]), strict=True):
        assert wait >= least


@pytest.mark.parametrize("status", [400, 404, 302])
def test_every_answer_but_success_is_rung_again(ringer, worker_side, status):
    answers = iter([status, 204])
    worker_side.answer = lambda _ring: next(answers)

    ringer.create(task())

    until(lambda: len(worker_side.rings) == 2)


def test_a_worker_that_is_not_there_is_no_answer(ringer):
    away = TaskQueue("http://127.0.0.1:1", SecretStr(SECRET), concurrency=1)

    assert away.call_worker("media", task(), 0) == 0
    assert away.sweep() == 0


@pytest.mark.parametrize("status", [429, 503])
def test_an_overloaded_worker_slows_the_whole_queue(new_queue, worker_side, status):
    ringer = new_queue(concurrency=1)
    answers = iter([status])
    worker_side.answer = lambda ring: (
        next(answers, 200) if ring.path == "/first" else 200
    )
    ringer.create(task(path="/first"))
    until(lambda: worker_side.rings and not worker_side.busy)
    ringer.create(task(path="/neighbour"))
    ringer.create(task(path="/elsewhere", queue="llm"))
    until(lambda: len(worker_side.rings) == 4)

    first, neighbour = worker_side.rings[0], ring_to(worker_side, "/neighbour")
    assert (neighbour.at - first.at).total_seconds() >= BACKOFF[0]
    assert worker_side.paths.index("/elsewhere") < worker_side.paths.index("/neighbour")


def ring_to(worker_side, path):
    return next(ring for ring in worker_side.rings if ring.path == path)


def test_another_failure_slows_nobody_else(new_queue, worker_side, monkeypatch):
    monkeypatch.setattr(task_queue, "_BACKOFF_SECONDS", (0.5,))
    ringer = new_queue(concurrency=1)
    answers = iter([500])
    worker_side.answer = lambda ring: (
        next(answers, 200) if ring.path == "/first" else 200
    )
    ringer.create(task(path="/first"))
    ringer.create(task(path="/neighbour"))
    ringer.create(task(path="/half-way", queue="llm", seconds=0.25))
    until(lambda: len(worker_side.rings) == 4)

    assert worker_side.paths == ["/first", "/neighbour", "/half-way", "/first"]


@pytest.mark.parametrize(("lane", "at_once"), [("main", 3), ("solo", 1)])
def test_no_more_run_at_once_than_the_lane_allows(
    new_queue, worker_side, lane, at_once
):
    ringer = new_queue(concurrency=3)
    gate = Event()
    worker_side.answer = lambda _ring: 200 if gate.wait(10) else 500
    for _ in range(8):
        ringer.create(task(lane=lane))
    until(lambda: worker_side.busy == at_once)
    time.sleep(0.05)  # a fourth would come now
    gate.set()
    until(lambda: len(worker_side.rings) == 8)

    assert worker_side.most_busy == at_once


def test_the_solo_lane_does_not_wait_for_the_main_one(new_queue, worker_side):
    ringer = new_queue(concurrency=1)
    gate = Event()
    worker_side.answer = lambda ring: (
        200 if ring.path != "/slow" or gate.wait(10) else 500
    )
    ringer.create(task(path="/slow"))
    ringer.create(task(path="/alone", lane="solo"))

    until(lambda: "/alone" in worker_side.paths)
    gate.set()
    assert ring_to(worker_side, "/alone").headers["X-CloudTasks-QueueName"] == (
        "media-solo"
    )


def test_the_sweep_is_rung_for_by_the_scheduler(ringer, worker_side):
    assert ringer.sweep() == 200
    assert ringer.sweep(lost_after_seconds=5) == 200

    assert worker_side.paths == ["/schedules/sweep"] * 2
    assert [ring.body for ring in worker_side.rings] == [{}, {"lost_after_seconds": 5}]
    found = internal_calls.caller(
        SecretStr(SECRET), worker_side.rings[0].token, audience=worker_side.url
    )
    assert found == internal_calls.SCHEDULER


def test_a_task_may_be_delivered_twice(ringer, worker_side):
    ringer.faults.duplicate = 1.0
    ringer.create(task("one"))

    until(lambda: worker_side.paths == ["/tasks/one"] * 2)


def test_an_answer_may_get_lost(ringer, worker_side):
    ringer.faults.drop_ack = 1.0
    ringer.create(task("one"))
    until(lambda: len(worker_side.rings) >= 2)
    ringer.faults.drop_ack = 0.0

    assert set(worker_side.paths) == {"/tasks/one"}


def test_the_queue_may_take_nothing(ringer, worker_side):
    ringer.faults.outage = True
    assert ringer.create(task("one")) == 503

    ringer.faults.outage = False
    assert ringer.create(task("one")) == 200, "its name was not used"


def test_the_queue_may_stand_still(ringer, worker_side):
    ringer.faults.pause = True
    ringer.create(task())
    time.sleep(0.1)
    assert worker_side.rings == []

    ringer.faults.pause = False
    until(lambda: worker_side.rings)


def test_the_queue_may_lose_everything(ringer, worker_side):
    for _ in range(3):
        ringer.create(task(seconds=60))
    lost = task("lost", seconds=0.1)
    ringer.create(lost)

    assert ringer.wipe() == 4

    ringer.create(task("after", seconds=0.2))
    until(lambda: worker_side.rings)
    assert worker_side.paths == ["/tasks/after"]
    assert ringer.create(lost) == 409, "names stay used"
