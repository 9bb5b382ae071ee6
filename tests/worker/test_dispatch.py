"""From a delivered task to a status for the queue, and to the job's next state."""

import pytest
from sqlalchemy import text

import worker_service.app
from common import db as database
from common import jobs
from common.errors import (
    ProviderError,
    ProviderUnavailable,
)
from common.ids import new_id
from common.jobs import TranscriptionChunk
from common.models import Job, Lecture
from tests import invariants
from tests.common.job_steps import (
    add,
    change,
    end,
    fail,
    job,
    lapse,
    outbox,
    owned,
    owned_again,
    parent_of,
)
from tests.conftest import Worker, make_api, make_deps, make_heart, make_ingest


def deliver(worker, job_id, seq=1):
    return worker.post(f"/tasks/{job_id}", {"seq": seq}).status_code


def only_job(db):
    with db.begin() as session:
        return session.query(Job).one()


@pytest.fixture
def asked(ingest, queue, db):
    """A lecture whose recording waits to be transcribed; its task was taken."""
    assert ingest().status_code == 200
    queue.take()
    return only_job(db)


def test_a_process_that_is_about_to_stop_takes_nothing(worker, heart, asked, db):
    heart.draining.set()

    assert deliver(worker, asked.id) == 503
    assert only_job(db).state == "queued"


def test_without_the_database_the_whole_queue_may_slow_down(
    settings, queue, speech, llm
):
    nowhere = database.connect("postgresql://nobody@127.0.0.1:1/none")
    deps = make_deps(nowhere, settings, queue, speech, llm)
    app = worker_service.app.create_app(deps, make_heart(deps))
    worker = Worker(deps, app.test_client())

    assert deliver(worker, new_id()) == 503


def test_a_task_for_an_unknown_job_ends_here(worker):
    assert deliver(worker, new_id()) == 200


@pytest.mark.parametrize("prepare", [end, fail])
def test_a_task_for_a_job_that_ended_ends_here(worker, db, prepare):
    lease = owned(db)
    prepare(db, lease)
    before = job(db, lease.job_id).state

    assert deliver(worker, lease.job_id) == 200
    assert job(db, lease.job_id).state == before


def test_a_task_for_a_job_that_waits_ends_here(worker, db):
    parent, _ = parent_of(db, 1)

    assert deliver(worker, parent) == 200
    assert job(db, parent).state == "waiting"


def test_a_job_that_is_there_is_done(worker, asked, db, speech):
    assert deliver(worker, asked.id) == 200

    assert only_job(db).state == "succeeded"
    assert speech.calls == 1
    invariants.check(db, at_rest=True)


def test_a_second_delivery_does_nothing(worker, asked, db, speech):
    deliver(worker, asked.id)

    assert deliver(worker, asked.id) == 200
    assert speech.calls == 1
    assert only_job(db).attempt == 1


def test_a_delivery_during_the_run_leaves_one_task_for_its_end(worker, db, queue):
    lease = owned(db)
    queue.take()

    assert deliver(worker, lease.job_id) == 200
    assert deliver(worker, lease.job_id) == 200

    watch = [task for task in queue.take() if task.dispatch_seq == 2]
    assert len(watch) == 1
    assert watch[0].not_before > job(db, lease.job_id).lease_expires_at


def test_a_job_whose_owner_died_is_rescued_at_once(worker, db, asked, queue):
    owned_again(db, asked.id)
    lapse(db, asked.id)

    assert deliver(worker, asked.id) == 200
    assert only_job(db).error_code == "worker_lost"

    [task] = queue.take()
    assert task.lane == "solo"
    deliver(worker, asked.id, task.dispatch_seq)
    assert only_job(db).state == "succeeded"
    invariants.check(db, at_rest=True)


def test_a_rescue_that_ends_the_job_marks_its_lecture(worker, db, asked):
    owned_again(db, asked.id)
    change(db, asked.id, crash_count=2)
    lapse(db, asked.id)

    assert deliver(worker, asked.id) == 200

    assert (only_job(db).state, only_job(db).error_code) == ("failed", "poison_pill")
    assert status_of_lecture(db) == "failed"


def status_of_lecture(db):
    with db.begin() as session:
        return session.get_one(Lecture, "l1").status


def test_the_owner_that_lost_its_lease_writes_nothing(worker, asked, db, speech):
    def lose_it(_flac):
        lapse(db, asked.id)
        with db.begin() as session:
            jobs.rescue(session)
        return ()

    speech.answer = lose_it

    assert deliver(worker, asked.id) == 200

    found = only_job(db)
    assert (found.state, found.attempt, found.crash_count) == ("queued", 1, 1)
    assert status_of_lecture(db) == "transcribing"


def test_an_error_after_the_lease_was_lost_writes_nothing(worker, asked, db, speech):
    def lose_it(_flac):
        lapse(db, asked.id)
        with db.begin() as session:
            jobs.rescue(session)
        raise ProviderError

    speech.answer = lose_it

    assert deliver(worker, asked.id) == 200
    assert only_job(db).error_code == "worker_lost"


def test_a_cancelled_job_ends_at_its_next_step(worker, asked, db, speech):
    def cancel_it(_flac):
        with db.begin() as session:
            jobs.cancel(session, asked.id)
        raise ProviderUnavailable

    speech.answer = cancel_it

    deliver(worker, asked.id)

    assert only_job(db).state == "cancelled"
    invariants.check(db, at_rest=True)


def unreadable(db, **columns):
    """A job that this version of the worker cannot read."""
    with db.begin() as session:
        piece = TranscriptionChunk(
            number=0, object_key="k", sha256="0", provider="fake", language="en"
        )
        job_id, _ = jobs.enqueue(session, piece)
    change(db, job_id, **columns)
    return job_id


UNREADABLE = [
    {"kind": "of_a_newer_version"},
    {"payload": {"of": "a newer version"}},
    {"kind": "transcription", "payload": {"lecture_id": 1}},
]


@pytest.mark.parametrize("columns", UNREADABLE)
def test_a_job_that_cannot_be_read_is_left_for_a_newer_version(worker, db, columns):
    job_id = unreadable(db, **columns)

    assert deliver(worker, job_id) == 200

    found = job(db, job_id)
    assert (found.state, found.error_code) == ("queued", "internal_error")


@pytest.mark.parametrize("columns", UNREADABLE)
def test_a_job_that_can_never_be_read_fails_in_the_end(worker, db, columns):
    job_id = unreadable(db, **columns, attempt=7)

    assert deliver(worker, job_id) == 200
    assert job(db, job_id).state == "failed"


@pytest.mark.parametrize("columns", UNREADABLE)
def test_a_job_that_cannot_be_read_does_not_stop_the_rescue_of_others(
    worker, db, columns
):
    odd, other = unreadable(db), owned(db)
    owned_again(db, odd)
    change(db, odd, crash_count=2, **columns)
    lapse(db, odd)
    lapse(db, other.job_id)

    reply = worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")

    assert reply.json["rescued"] == 2
    assert job(db, odd).state == "failed"
    assert job(db, other.job_id).state == "queued"


def test_each_run_also_sends_what_others_left_behind(worker, db, asked, queue):
    other = add(db)

    deliver(worker, asked.id)

    assert [task.job_id for task in queue.take()] == [other]


def test_a_queue_that_is_down_does_not_undo_the_work(worker, db, asked, queue):
    queue.down = True
    add(db)

    assert deliver(worker, asked.id) == 200
    assert job(db, asked.id).state == "succeeded"
    assert len(outbox(db)) == 1


def test_nothing_is_locked_while_a_provider_listens(
    committed_worker, committed_deps, committed_db, speech, queue
):
    make_ingest(make_api(committed_deps))()
    seen = []

    def look(_flac):
        query = "select j.id from jobs j, lectures for update nowait"
        with committed_db.begin() as session:
            seen.extend(session.scalars(text(query)))
        return ()

    speech.answer = look
    committed_worker.run_all(queue)

    assert seen == [only_job(committed_db).id]
    assert only_job(committed_db).state == "succeeded"
    invariants.check(committed_db, at_rest=True)
