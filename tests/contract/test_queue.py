"""What the services may expect of any queue, and of each of the small ones."""

import pytest

from common.errors import ProviderUnavailable
from common.providers import identity, internal_calls, queue
from common.providers.queue.cloud_tasks import CloudTasksQueue
from common.providers.queue.inline import InlineQueue
from common.providers.queue.local import LocalQueue
from tests.common.job_steps import until
from tests.contract.queues import (
    KEY,
    call,
    cloud_tasks,
    cloud_tasks_line,
    inline_line,
    local_line,
    task,
)
from tests.fakes import FakeQueue

NOWHERE = "http://127.0.0.1:1"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LOCAL = pytest.param("local", marks=pytest.mark.e2e)


@pytest.fixture(scope="module")
def local_process():
    with local_line() as line:
        yield line


@pytest.fixture
def local(local_process):
    yield local_process
    local_process.break_it(False)
    local_process.worker.answer = lambda _ring: 200


@pytest.fixture
def queue_url(local):
    """Of the local task queue."""
    return local.address


@pytest.fixture
def inline():
    with inline_line() as line:
        yield line


@pytest.fixture(scope="module")
def google():
    with cloud_tasks() as (signer, tasks):
        yield signer, tasks


@pytest.fixture
def cloud(google, settings):
    signer, tasks = google
    with cloud_tasks_line(settings, signer, tasks) as line:
        yield line
    tasks.break_things({"outage": False, "wipe": True})


@pytest.fixture(params=["inline", LOCAL, "cloud"])
def line(request):
    """Every queue."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=[LOCAL, "cloud"])
def own_time(request):
    """Those that keep tasks and deliver them in their own time."""
    return request.getfixturevalue(request.param)


def test_a_task_rings_at_the_worker(line):
    line.queue.send(sent := task(seq=3))

    assert line.ring_for(sent.job_id).body == {"seq": 3}


def test_it_rings_as_the_queue_and_as_nobody_else(line):
    line.queue.send(sent := task())

    assert line.identity.caller(line.ring_for(sent.job_id).token) == identity.QUEUE


def test_it_brings_the_trace_of_who_asked_for_the_job(line):
    line.queue.send(sent := task(traceparent=TRACE))

    assert line.ring_for(sent.job_id).headers["traceparent"] == TRACE


def test_a_queue_that_is_there_says_so(line):
    line.queue.check()


def test_a_queue_that_takes_no_tasks_says_so(line):
    line.break_it(True)

    with pytest.raises(ProviderUnavailable):
        line.queue.send(task())


def test_it_takes_them_again_at_once_when_it_is_back(line):
    line.break_it(True)
    with pytest.raises(ProviderUnavailable):
        line.queue.send(sent := task())
    line.break_it(False)

    line.queue.send(sent)

    assert line.ring_for(sent.job_id)


def test_the_check_notices_an_outage(own_time):
    own_time.break_it(True)

    with pytest.raises(ProviderUnavailable):
        own_time.queue.check()


def test_a_task_that_is_sent_twice_rings_once(own_time):
    own_time.queue.send(sent := task())
    own_time.queue.send(sent)

    own_time.queue.send(last := task())
    own_time.ring_for(last.job_id)
    assert len(own_time.rings_for(sent.job_id)) == 1


def test_it_stays_once_after_it_was_done(own_time):
    own_time.queue.send(sent := task())
    own_time.ring_for(sent.job_id)

    own_time.queue.send(sent)

    own_time.queue.send(last := task())
    own_time.ring_for(last.job_id)
    assert len(own_time.rings_for(sent.job_id)) == 1


def test_the_next_dispatch_of_a_job_rings_again(own_time):
    own_time.queue.send(first := task())
    own_time.ring_for(first.job_id)

    own_time.queue.send(task(job_id=first.job_id, seq=2))

    until(lambda: len(own_time.rings_for(first.job_id)) == 2)
    assert own_time.rings_for(first.job_id)[1].body == {"seq": 2}


def test_a_task_waits_for_its_time(own_time):
    own_time.queue.send(sent := task(seconds=0.3))

    assert own_time.ring_for(sent.job_id).at >= sent.not_before


def test_a_task_whose_time_is_past_rings_now(own_time):
    own_time.queue.send(sent := task(seconds=-3600))

    assert own_time.ring_for(sent.job_id)


def test_a_worker_that_cannot_work_is_asked_again(own_time):
    answers = iter([503])
    own_time.worker.answer = lambda _ring: next(answers, 200)

    own_time.queue.send(sent := task())

    until(lambda: len(own_time.rings_for(sent.job_id)) == 2)
    assert own_time.rings_for(sent.job_id)[1].body == {"seq": 1}


def test_the_solo_lane_is_a_queue_of_its_own(own_time):
    own_time.queue.send(sent := task(lane="solo"))

    headers = own_time.ring_for(sent.job_id).headers
    assert headers["X-CloudTasks-QueueName"] == own_time.solo


def test_a_task_is_known_by_the_hash_of_its_dispatch(own_time):
    own_time.queue.send(sent := task(seq=4))

    headers = own_time.ring_for(sent.job_id).headers
    assert headers["X-CloudTasks-TaskName"] == sent.name
    assert str(sent.job_id) not in sent.name


def test_the_stand_in_for_other_tests_is_no_different():
    stand_in = FakeQueue()
    stand_in.send(sent := task())
    stand_in.send(sent)
    assert stand_in.take() == [sent]

    stand_in.down = True
    with pytest.raises(ProviderUnavailable):
        stand_in.send(task())


@pytest.mark.parametrize("kind", [InlineQueue, LocalQueue])
def test_a_queue_that_cannot_be_reached_says_so(kind):
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        kind(NOWHERE, KEY).send(task())


def test_so_does_the_check_of_the_local_one():
    with pytest.raises(ProviderUnavailable, match="cannot be reached"):
        LocalQueue(NOWHERE, KEY).check()


def test_inline_work_is_done_when_send_returns(inline):
    inline.queue.send(sent := task())

    assert len(inline.rings_for(sent.job_id)) == 1


def test_inline_work_is_not_done_before_its_hour(inline):
    with pytest.raises(ProviderUnavailable, match="not due"):
        inline.queue.send(task(seconds=5))

    assert inline.worker.rings == []


def test_clocks_may_differ_a_little_for_inline_work(inline):
    inline.queue.send(task(seconds=0.5))

    assert len(inline.worker.rings) == 1


@pytest.mark.parametrize("status", [503, 500, 401, 302])
def test_inline_work_that_was_refused_is_kept_as_a_promise(inline, status):
    inline.worker.answer = lambda _ring: status

    with pytest.raises(ProviderUnavailable, match=f"answered {status}"):
        inline.queue.send(task())


def test_the_settings_choose_the_queue(settings):
    cloud = settings.model_copy(update={"queue": "cloud_tasks"})
    inline = cloud.model_copy(update={"inline_jobs": True})

    assert isinstance(queue.from_settings(settings), LocalQueue)
    assert isinstance(queue.from_settings(cloud), CloudTasksQueue)
    assert isinstance(queue.from_settings(inline), InlineQueue)


@pytest.mark.e2e
def test_its_first_act_is_to_have_all_due_jobs_rung_for(local):
    """It remembers nothing of what it held before it was started."""
    first = local.worker.rings[0]

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
def test_its_faults_can_be_switched(local, queue_url):
    call(queue_url, "/faults", {"pause": True})
    local.queue.send(lost := task())
    call(queue_url, "/faults", {"wipe": True, "pause": False})

    local.queue.send(last := task())

    local.ring_for(last.job_id)
    assert local.rings_for(lost.job_id) == []
