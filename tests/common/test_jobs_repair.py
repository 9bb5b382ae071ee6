from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from common import jobs
from common.ids import new_id
from tests import invariants
from tests.common.job_steps import (
    add,
    change,
    claim,
    end,
    fail,
    forget_promises,
    history,
    job,
    lapse,
    outbox,
    owned,
    owned_again,
    parent_of,
    together,
)

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


def rescue(db, job_id=None):
    with db.begin() as session:
        return jobs.rescue(session, job_id)


def janitor(db, lost_after_seconds=600):
    with db.begin() as session:
        return jobs.janitor(session, lost_after_seconds=lost_after_seconds)


def cancel(db, job_id):
    with db.begin() as session:
        return jobs.cancel(session, job_id)


def lapse_once(db, job_id):
    owned_again(db, job_id)
    lapse(db, job_id)
    [rescued] = rescue(db)
    return rescued


def test_a_live_lease_is_left_alone(committed_db):
    lease = owned(committed_db)

    assert rescue(committed_db) == rescue(committed_db, lease.job_id) == []


def test_the_first_lapse_sends_the_job_to_the_solo_lane(committed_db):
    job_id = add(committed_db, "l1")
    forget_promises(committed_db)

    rescued = lapse_once(committed_db, job_id)

    assert (rescued.job_id, rescued.kind, rescued.payload, rescued.state) == (
        job_id,
        "bell",
        {"name": "l1"},
        "queued",
    )
    found = job(committed_db, job_id)
    assert (found.lane, found.crash_count, found.attempt) == ("solo", 1, 1)
    assert (found.error_code, found.lease_token) == ("worker_lost", None)
    [promise] = outbox(committed_db)
    assert (promise.lane, promise.dispatch_seq) == ("solo", 2)
    invariants.check(committed_db)


def test_the_third_lapse_without_progress_is_poison(committed_db):
    job_id = add(committed_db)

    states = [lapse_once(committed_db, job_id).state for _ in range(3)]

    assert states == ["queued", "queued", "failed"]
    found = job(committed_db, job_id)
    assert (found.error_code, found.crash_count, found.attempt) == ("poison_pill", 3, 3)
    assert found.attempt < found.max_attempts
    assert found.finished_at is not None
    assert claim(committed_db, job_id) is None
    invariants.check(committed_db)


def test_a_job_that_moves_between_its_lapses_is_no_poison(committed_db):
    job_id = add(committed_db)
    for _ in range(5):
        lease = owned_again(committed_db, job_id)
        with committed_db.begin() as session:
            jobs.checkpoint(session, lease, {"step": 1})
        lapse(committed_db, job_id)
        [rescued] = rescue(committed_db)
        assert rescued.state == "queued"

    assert job(committed_db, job_id).crash_count == 1


def test_a_lapse_at_the_last_attempt_ends_the_job(committed_db):
    job_id = add(committed_db)
    change(committed_db, job_id, attempt=7)

    assert lapse_once(committed_db, job_id).state == "failed"
    assert job(committed_db, job_id).error_code == "worker_lost"
    invariants.check(committed_db)


def test_a_cancelled_job_is_not_tried_again(committed_db):
    lease = owned(committed_db)
    cancel(committed_db, lease.job_id)
    lapse(committed_db, lease.job_id)
    forget_promises(committed_db)

    assert [rescued.state for rescued in rescue(committed_db)] == ["cancelled"]
    invariants.check(committed_db, at_rest=True)


def test_one_job_can_be_rescued_alone(committed_db):
    first, second = owned(committed_db), owned(committed_db)
    lapse(committed_db, first.job_id)
    lapse(committed_db, second.job_id)

    assert [r.job_id for r in rescue(committed_db, second.job_id)] == [second.job_id]
    assert [r.job_id for r in rescue(committed_db)] == [first.job_id]


def test_of_two_rescuers_each_job_is_taken_by_one(committed_db):
    leases = [owned(committed_db) for _ in range(20)]
    for lease in leases:
        lapse(committed_db, lease.job_id)

    first, second = together(*[lambda: rescue(committed_db)] * 2)

    assert len(first) + len(second) == 20
    assert all(job(committed_db, one.job_id).crash_count == 1 for one in leases)
    invariants.check(committed_db)


def test_the_janitor_rings_again_for_a_due_job_without_a_task(committed_db):
    job_id = add(committed_db)
    forget_promises(committed_db)
    change(committed_db, job_id, available_at=LONG_AGO)

    assert janitor(committed_db) == [job_id]

    [promise] = outbox(committed_db)
    assert promise.dispatch_seq == job(committed_db, job_id).dispatch_seq == 2
    assert janitor(committed_db) == [], "it was promised again"


def test_the_janitor_is_patient(committed_db):
    job_id = add(committed_db)
    forget_promises(committed_db)

    assert janitor(committed_db) == []
    assert janitor(committed_db, lost_after_seconds=0) == [job_id]


def test_after_ringing_again_the_janitor_waits_anew(committed_db):
    job_id = add(committed_db)
    forget_promises(committed_db)
    change(committed_db, job_id, available_at=LONG_AGO)
    janitor(committed_db)
    forget_promises(committed_db)

    assert janitor(committed_db) == []


def test_the_janitor_does_not_touch_what_is_promised_or_not_due(committed_db):
    promised = add(committed_db)
    change(committed_db, promised, available_at=LONG_AGO)
    late = add(committed_db)
    change(committed_db, late, available_at=datetime.now(UTC) + timedelta(hours=1))
    with committed_db.begin() as session:
        delete = text("delete from job_outbox where job_id = :id")
        session.execute(delete, {"id": late})

    assert janitor(committed_db, lost_after_seconds=0) == []


@pytest.mark.parametrize("prepare", [None, end, fail])
def test_the_janitor_rings_only_for_queued_jobs(committed_db, prepare):
    lease = owned(committed_db)
    change(committed_db, lease.job_id, available_at=LONG_AGO)
    forget_promises(committed_db)
    if prepare:
        prepare(committed_db, lease)

    assert janitor(committed_db) == []


def test_cancelling_ends_what_is_not_running_at_once(committed_db):
    queued, running = add(committed_db), owned(committed_db)

    assert cancel(committed_db, queued) == [queued]
    assert cancel(committed_db, running.job_id) == [running.job_id]

    ended = job(committed_db, queued)
    assert (ended.state, ended.error_code) == ("cancelled", "cancelled")
    assert ended.finished_at is not None
    still = job(committed_db, running.job_id)
    assert (still.state, still.cancel_requested) == ("running", True)
    assert still.finished_at is None


@pytest.mark.parametrize("prepare", [end, fail])
def test_an_ended_job_cannot_be_cancelled(committed_db, prepare):
    lease = owned(committed_db)
    prepare(committed_db, lease)
    before = job(committed_db, lease.job_id).state

    assert cancel(committed_db, lease.job_id) == []
    assert job(committed_db, lease.job_id).state == before


def test_cancelling_leaves_other_jobs_alone(committed_db):
    other, _ = parent_of(committed_db, 1)

    assert cancel(committed_db, new_id()) == []
    assert job(committed_db, other).cancel_requested is False


def test_a_failed_job_can_be_queued_once_more(committed_db):
    job_id = add(committed_db)
    for _ in range(3):
        lapse_once(committed_db, job_id)
    forget_promises(committed_db)

    with committed_db.begin() as session:
        assert jobs.replay(session, job_id)
        assert not jobs.replay(session, job_id)

    found = job(committed_db, job_id)
    assert (found.attempt, found.crash_count, found.lane) == (0, 0, "main")
    assert (found.replay_count, found.error_code, found.finished_at) == (1, None, None)
    [promise] = outbox(committed_db)
    assert (promise.dispatch_seq, promise.lane) == (found.dispatch_seq, "main")
    assert owned_again(committed_db, job_id).epoch == 4
    assert history(committed_db, job_id)[-3:] == ["failed", "queued", "running"]
    invariants.check(committed_db)


@pytest.mark.parametrize("prepare", [lambda *_: None, end])
def test_only_a_failed_job_can_be_queued_once_more(committed_db, prepare):
    lease = owned(committed_db)
    prepare(committed_db, lease)

    with committed_db.begin() as session:
        assert not jobs.replay(session, lease.job_id)
        assert not jobs.replay(session, new_id())
