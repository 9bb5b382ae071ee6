from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import DBAPIError

from common import jobs
from common.jobs import GiveBack, LeaseLost
from tests import invariants
from tests.common.job_steps import (
    Bell,
    add,
    change,
    children,
    claim,
    end,
    forget_promises,
    history,
    job,
    lapse,
    outbox,
    owned,
    owned_again,
)


def checkpoint(db, lease, patch, **options):
    with db.begin() as session:
        jobs.checkpoint(session, lease, patch, **options)


def give_back(db, lease, code="again", **reason):
    with db.begin() as session:
        return jobs.give_back(session, lease, GiveBack(code, **reason))


def wait(db, lease):
    with db.begin() as session:
        jobs.enqueue(session, Bell(), parent_id=lease.job_id)
        jobs.wait_for_children(session, lease, 1)


FENCED = {
    "checkpoint": lambda db, lease: checkpoint(db, lease, {"step": "stale"}),
    "succeed": end,
    "wait": wait,
    "give back": give_back,
}


@pytest.mark.parametrize("write", FENCED.values(), ids=FENCED)
def test_a_stale_token_writes_nothing(committed_db, write):
    stale = owned(committed_db)
    lapse(committed_db, stale.job_id)
    with committed_db.begin() as session:
        jobs.rescue(session)
    owned_again(committed_db, stale.job_id)
    before = vars(job(committed_db, stale.job_id))

    with pytest.raises(LeaseLost):
        write(committed_db, stale)

    after = vars(job(committed_db, stale.job_id))
    assert {k: v for k, v in after.items() if k[0] != "_"} == {
        k: v for k, v in before.items() if k[0] != "_"
    }


@pytest.mark.parametrize("write", FENCED.values(), ids=FENCED)
def test_the_owner_of_an_ended_job_writes_nothing(committed_db, write):
    lease = owned(committed_db)
    end(committed_db, lease)

    with pytest.raises(LeaseLost):
        write(committed_db, lease)

    assert history(committed_db, lease.job_id) == ["queued", "running", "succeeded"]


def test_an_owner_who_is_late_may_end_what_nobody_else_has_taken(committed_db):
    """The token decides, not the hour: nothing was done by anybody else."""
    lease = owned(committed_db)
    lapse(committed_db, lease.job_id)

    end(committed_db, lease)

    assert job(committed_db, lease.job_id).state == "succeeded"


def test_checkpoints_are_merged_and_progress_never_falls(committed_db):
    lease = owned(committed_db)

    checkpoint(committed_db, lease, {"plan": [1], "step": 1}, progress=40)
    checkpoint(committed_db, lease, {"step": 2}, progress=30)

    found = job(committed_db, lease.job_id)
    assert found.checkpoint == {"plan": [1], "step": 2}
    assert found.progress == 40


def test_a_checkpoint_is_given_to_the_next_owner(committed_db):
    lease = owned(committed_db)
    checkpoint(committed_db, lease, {"plan": [1]})
    give_back(committed_db, lease, delay_seconds=0)

    assert owned_again(committed_db, lease.job_id).checkpoint == {"plan": [1]}


def test_a_job_that_moves_forward_is_no_poison(committed_db):
    lease = owned(committed_db)
    change(committed_db, lease.job_id, crash_count=2, lane="solo")

    checkpoint(committed_db, lease, {"step": 1})

    found = job(committed_db, lease.job_id)
    assert (found.crash_count, found.lane) == (0, "main")


def test_success_keeps_the_result_and_clears_earlier_errors(committed_db):
    lease = owned(committed_db)
    give_back(committed_db, lease, "flaky", detail="Not now.", delay_seconds=0)
    lease = owned_again(committed_db, lease.job_id)

    with committed_db.begin() as session:
        jobs.succeed(session, lease, {"lectureId": "l1"})

    found = job(committed_db, lease.job_id)
    assert (found.state, found.progress) == ("succeeded", 100)
    assert found.result == {"lectureId": "l1"}
    assert (found.error_code, found.error_detail) == (None, None)
    assert found.finished_at is not None
    assert (found.lease_token, found.lease_expires_at) == (None, None)


def test_a_counted_give_back_promises_the_next_try(committed_db):
    lease = owned(committed_db)
    forget_promises(committed_db)

    assert give_back(committed_db, lease, "flaky", detail="Not now.") == "queued"

    found = job(committed_db, lease.job_id)
    assert (found.attempt, found.dispatch_seq, found.finished_at) == (1, 2, None)
    assert (found.error_code, found.error_detail) == ("flaky", "Not now.")
    [promise] = outbox(committed_db)
    assert (promise.dispatch_seq, promise.not_before) == (2, found.available_at)


def test_an_uncounted_give_back_is_no_attempt(committed_db):
    job_id = add(committed_db)
    for _ in range(20):
        lease = owned_again(committed_db, job_id)
        assert lease.attempt == 1
        give_back(committed_db, lease, counted=False, delay_seconds=0)

    assert job(committed_db, job_id).attempt == 0
    invariants.check(committed_db)


def test_a_permanent_failure_ends_the_job_at_once(committed_db):
    lease = owned(committed_db)
    forget_promises(committed_db)

    assert give_back(committed_db, lease, "no_good", permanent=True) == "failed"

    found = job(committed_db, lease.job_id)
    assert (found.attempt, found.error_code) == (1, "no_good")
    assert found.finished_at is not None
    invariants.check(committed_db, at_rest=True)


def test_the_last_counted_attempt_ends_the_job(committed_db):
    job_id = add(committed_db)
    states = []
    while lease := claim(committed_db, job_id):
        states.append(give_back(committed_db, lease, delay_seconds=0))

    assert states == ["queued"] * 7 + ["failed"]
    invariants.check(committed_db)


def test_waiting_politely_at_the_last_attempt_ends_nothing(committed_db):
    job_id = add(committed_db)
    change(committed_db, job_id, attempt=7)
    lease = owned_again(committed_db, job_id)

    assert give_back(committed_db, lease, counted=False) == "queued"
    assert owned_again(committed_db, job_id).attempt == 8


def test_a_cancelled_job_is_cancelled_when_it_is_given_back(committed_db):
    lease = owned(committed_db)
    change(committed_db, lease.job_id, cancel_requested=True)
    forget_promises(committed_db)

    assert give_back(committed_db, lease) == "cancelled"

    assert job(committed_db, lease.job_id).finished_at is not None
    invariants.check(committed_db, at_rest=True)


def test_a_cancelled_job_that_failed_for_good_has_failed(committed_db):
    lease = owned(committed_db)
    change(committed_db, lease.job_id, cancel_requested=True)

    assert give_back(committed_db, lease, "no_good", permanent=True) == "failed"
    assert job(committed_db, lease.job_id).finished_at is not None


DAY_OLD = datetime.now(UTC) - timedelta(days=1, minutes=1)


def test_waiting_politely_ends_after_a_day(committed_db):
    lease = owned(committed_db)
    change(committed_db, lease.job_id, started_at=DAY_OLD)

    assert give_back(committed_db, lease, "busy", counted=False) == "failed"

    found = job(committed_db, lease.job_id)
    assert found.error_code == "deadline"
    assert found.finished_at is not None
    assert outbox(committed_db, lease.job_id)[1:] == []


def test_counted_attempts_are_not_ended_by_age(committed_db):
    lease = owned(committed_db)
    change(committed_db, lease.job_id, started_at=DAY_OLD)

    assert give_back(committed_db, lease) == "queued"


def test_an_old_job_can_be_cancelled_like_any_other(committed_db):
    lease = owned(committed_db)
    change(committed_db, lease.job_id, started_at=DAY_OLD, cancel_requested=True)

    assert give_back(committed_db, lease, "cancelled", counted=False) == "cancelled"


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (7, 320), (8, 600)]
)
def test_the_wait_doubles_and_is_spread_over_its_upper_half(
    committed_db, attempt, seconds
):
    waits = []
    for _ in range(12):
        job_id = add(committed_db)
        change(committed_db, job_id, attempt=attempt - 1, max_attempts=20)
        before = datetime.now(UTC)
        give_back(committed_db, owned_again(committed_db, job_id))
        wait = (job(committed_db, job_id).available_at - before).total_seconds()
        waits.append(wait / seconds)

    assert min(waits) >= 0.5
    assert max(waits) <= 1 + 1 / seconds  # the statements themselves take a moment
    assert max(waits) - min(waits) > 0.05, "all would come back at once"


def test_a_delay_that_was_asked_for_is_kept_to(committed_db):
    lease = owned(committed_db)
    before = datetime.now(UTC)

    give_back(committed_db, lease, delay_seconds=42)

    available = job(committed_db, lease.job_id).available_at
    assert 42 <= (available - before).total_seconds() < 45


def test_a_long_explanation_is_shortened_to_what_the_table_takes(committed_db):
    lease = owned(committed_db)

    give_back(committed_db, lease, detail="ä" * 5000)

    assert job(committed_db, lease.job_id).error_detail == "ä" * 4000


def test_waiting_for_children_costs_no_attempt(committed_db):
    lease = owned(committed_db)

    wait(committed_db, lease)

    found = job(committed_db, lease.job_id)
    assert (found.state, found.attempt, found.pending_children) == ("waiting", 0, 1)
    assert found.lease_token is None


def test_nobody_can_wait_for_no_children(committed_db):
    lease = owned(committed_db)

    with (
        pytest.raises(DBAPIError, match="waiting_has_children"),
        committed_db.begin() as session,
    ):
        jobs.wait_for_children(session, lease, 0)


def test_a_job_that_was_cancelled_does_not_begin_to_wait(committed_db):
    """The request came after the last heartbeat; nobody would hear it while waiting."""
    lease = owned(committed_db)
    with committed_db.begin() as session:
        jobs.cancel(session, lease.job_id)

    wait(committed_db, lease)

    assert job(committed_db, lease.job_id).state == "cancelled"
    [child] = children(committed_db, lease.job_id)
    assert child.state == "cancelled"
    invariants.check(committed_db)
