from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from common import jobs
from common.ids import new_id
from common.jobs import Busy, LeaseLost
from tests import invariants
from tests.common.job_steps import (
    add,
    change,
    claim,
    end,
    fail,
    forget_promises,
    job,
    lapse,
    outbox,
    owned,
    owned_again,
    parent_of,
    together,
)


def seconds_left(db, job_id):
    expires = job(db, job_id).lease_expires_at
    assert expires is not None
    return (expires - datetime.now(UTC)).total_seconds()


def watch(db, job_id, seq):
    with db.begin() as session:
        jobs.watch(session, job_id, seq)


def beat(db, *leases, seconds=60):
    with db.begin() as session:
        return jobs.beat(session, leases, seconds=seconds)


def give_back(db, lease, **reason):
    with db.begin() as session:
        jobs.give_back(session, lease, jobs.GiveBack("again", **reason))


def test_a_claim_gives_a_lease_with_all_that_the_owner_needs(committed_db):
    job_id = add(committed_db, "l1")

    lease = claim(committed_db, job_id)

    assert (lease.job_id, lease.kind, lease.payload) == (job_id, "bell", {"name": "l1"})
    assert (lease.epoch, lease.attempt, lease.max_attempts) == (1, 1, 8)
    assert (lease.checkpoint, lease.crash_count) == ({}, 0)
    found = job(committed_db, job_id)
    assert (found.state, found.lease_token) == ("running", lease.token)
    assert found.lease_owner == "test"
    assert 55 < seconds_left(committed_db, job_id) <= 60


def test_of_many_that_claim_at_once_one_wins(committed_db):
    job_id = add(committed_db)

    def try_it():
        try:
            return claim(committed_db, job_id, 1)
        except Busy:
            return "busy"

    answers = together(*[try_it] * 8)

    assert answers.count("busy") == 7
    assert job(committed_db, job_id).attempt == 1
    invariants.check(committed_db)


def test_each_run_has_its_own_epoch_token_and_name(committed_db):
    first = owned(committed_db)
    started = job(committed_db, first.job_id).started_at
    give_back(committed_db, first, delay_seconds=0)

    second = owned_again(committed_db, first.job_id)

    assert (second.epoch, second.attempt) == (2, 2)
    assert first.token != second.token
    assert first.run != second.run
    assert job(committed_db, first.job_id).started_at == started


def test_the_present_task_may_come_early_an_old_one_may_not(committed_db):
    """The queue's clock may be a little ahead of the database's."""
    lease = owned(committed_db)
    give_back(committed_db, lease, delay_seconds=100)

    assert claim(committed_db, lease.job_id, seq=1) is None
    assert claim(committed_db, lease.job_id, seq=2).attempt == 2


def test_any_task_will_do_once_the_job_is_due(committed_db):
    lease = owned(committed_db)
    give_back(committed_db, lease, delay_seconds=0)

    assert claim(committed_db, lease.job_id, seq=1) is not None


def test_an_old_task_does_not_bring_a_job_back_to_the_lane_it_was_taken_from(
    committed_db,
):
    lease = owned(committed_db)
    lapse(committed_db, lease.job_id)
    with committed_db.begin() as session:
        jobs.rescue(session, lease.job_id)

    assert job(committed_db, lease.job_id).lane == "solo"
    assert claim(committed_db, lease.job_id, seq=1) is None
    assert claim(committed_db, lease.job_id, seq=2) is not None


def test_there_is_nothing_to_claim_of_an_unknown_job(committed_db):
    assert claim(committed_db, new_id(), seq=1) is None


@pytest.mark.parametrize(
    "columns", [{"cancel_requested": True}, {"attempt": 8}], ids=["cancelled", "used"]
)
def test_a_queued_job_that_must_not_run_is_not_claimed(committed_db, columns):
    job_id = add(committed_db)
    change(committed_db, job_id, **columns)

    assert claim(committed_db, job_id) is None


def test_an_ended_job_is_not_claimed(committed_db):
    succeeded, failed = owned(committed_db), owned(committed_db)
    end(committed_db, succeeded)
    fail(committed_db, failed)

    assert claim(committed_db, succeeded.job_id) is None
    assert claim(committed_db, failed.job_id) is None


def test_a_job_that_waits_for_children_is_not_claimed(committed_db):
    parent, _ = parent_of(committed_db, 1)

    assert claim(committed_db, parent) is None


def test_a_lapsed_lease_is_told_from_a_live_one(committed_db):
    lease = owned(committed_db)
    with pytest.raises(Busy):
        claim(committed_db, lease.job_id)

    lapse(committed_db, lease.job_id)
    with pytest.raises(LeaseLost):
        claim(committed_db, lease.job_id)


def test_a_watched_lease_gets_one_task_for_just_after_its_end(committed_db):
    lease = owned(committed_db)
    forget_promises(committed_db)

    watch(committed_db, lease.job_id, 1)
    watch(committed_db, lease.job_id, 1)

    [promise] = outbox(committed_db)
    expires = job(committed_db, lease.job_id).lease_expires_at
    assert expires is not None
    assert promise.dispatch_seq == 2
    assert promise.not_before == expires + timedelta(seconds=2)


def test_an_old_task_leaves_no_watch(committed_db):
    lease = owned(committed_db)
    give_back(committed_db, lease, delay_seconds=0)
    owned_again(committed_db, lease.job_id)
    forget_promises(committed_db)

    watch(committed_db, lease.job_id, 1)

    assert outbox(committed_db) == []


@pytest.mark.parametrize(
    "prepare", [end, fail, lambda db, lease: lapse(db, lease.job_id)]
)
def test_there_is_nothing_to_watch_without_a_live_lease(committed_db, prepare):
    lease = owned(committed_db)
    prepare(committed_db, lease)
    forget_promises(committed_db)

    watch(committed_db, lease.job_id, 1)

    assert outbox(committed_db) == []


def test_a_beat_renews_many_leases_at_once(committed_db, statements):
    leases = [owned(committed_db) for _ in range(3)]
    statements.clear()

    ours = beat(committed_db, *leases, seconds=500)

    assert len(statements) == 1
    assert ours == {lease.job_id: False for lease in leases}
    assert all(seconds_left(committed_db, one.job_id) > 490 for one in leases)


def test_a_beat_for_nothing_renews_nothing(committed_db):
    owned(committed_db)

    assert beat(committed_db) == {}


def test_a_beat_tells_what_is_lost_and_what_is_cancelled(committed_db):
    kept, cancelled, ended = [owned(committed_db) for _ in range(3)]
    with committed_db.begin() as session:
        jobs.cancel(session, cancelled.job_id)
    end(committed_db, ended)

    assert beat(committed_db, kept, cancelled, ended) == {
        kept.job_id: False,
        cancelled.job_id: True,
    }


def test_a_lapsed_lease_is_not_renewed(committed_db):
    lease = owned(committed_db)
    lapse(committed_db, lease.job_id)

    assert beat(committed_db, lease) == {}
    assert seconds_left(committed_db, lease.job_id) < 0


def test_an_old_token_renews_nothing(committed_db):
    old = owned(committed_db)
    give_back(committed_db, old, delay_seconds=0)
    owned_again(committed_db, old.job_id)

    assert beat(committed_db, old, seconds=500) == {}
    assert seconds_left(committed_db, old.job_id) <= 60


def test_the_statements_find_their_rows_by_index(committed_db):
    """Both are run often, and nearly all rows are of jobs that ended."""
    plans = {
        "ix_jobs_lease": "state = 'running' and lease_expires_at < now()",
        "ix_jobs_ready": "state = 'queued' and available_at < now()",
    }
    with committed_db.begin() as session:
        session.execute(text("set local enable_seqscan = off"))
        for index, condition in plans.items():
            query = f"explain select id from jobs where {condition}"  # noqa: S608
            plan = "\n".join(session.scalars(text(query)))
            assert index in plan
