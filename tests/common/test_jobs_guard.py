"""What the database itself refuses, whoever asks: code, script or console."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common import jobs
from tests import invariants
from tests.common.job_steps import (
    add,
    change,
    end,
    fail,
    history,
    job,
    owned,
    parent_of,
)

STATES = ("queued", "running", "waiting", "succeeded", "failed", "cancelled")
LEGAL = {
    ("queued", "running"),
    ("queued", "cancelled"),
    ("running", "queued"),
    ("running", "waiting"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "cancelled"),
    ("waiting", "queued"),
    ("waiting", "failed"),
    ("waiting", "cancelled"),
}
ENDED = ("succeeded", "failed", "cancelled")


def job_in(db, state):
    """Bring a job into a state by legal steps; return its id."""
    if state == "queued":
        return add(db)
    if state == "waiting":
        return parent_of(db, 1)[0]
    lease = owned(db)
    if state == "succeeded":
        end(db, lease)
    elif state == "failed":
        fail(db, lease)
    elif state == "cancelled":
        with db.begin() as session:
            jobs.cancel(session, lease.job_id)
            jobs.give_back(session, lease, jobs.GiveBack("cancelled"))
    return lease.job_id


def columns_of(db, job_id, state):
    """Return columns that satisfy all of the table's checks in ``state``."""
    now, running = datetime.now(UTC), state == "running"
    return {
        "state": state,
        "lease_token": uuid4() if running else None,
        "lease_expires_at": now if running else None,
        "lease_epoch": job(db, job_id).lease_epoch + running,
        "finished_at": now if state in ENDED else None,
        "pending_children": 1 if state == "waiting" else 0,
    }


MOVES = [(before, after) for before in STATES for after in STATES if before != after]


@pytest.mark.parametrize(("before", "after"), MOVES)
def test_only_the_moves_of_the_protocol_are_possible(committed_db, before, after):
    job_id = job_in(committed_db, before)
    columns = columns_of(committed_db, job_id, after)
    seen = history(committed_db, job_id)

    if (before, after) in LEGAL:
        change(committed_db, job_id, **columns)
        assert history(committed_db, job_id) == [*seen, after]
        return
    with pytest.raises(DBAPIError, match=f"illegal job transition {before} -> {after}"):
        change(committed_db, job_id, **columns)
    assert history(committed_db, job_id) == seen
    invariants.check(committed_db)


def test_a_failed_job_leaves_only_by_a_replay_that_is_counted(committed_db):
    job_id = job_in(committed_db, "failed")
    columns = columns_of(committed_db, job_id, "queued")

    with pytest.raises(DBAPIError, match="illegal job transition"):
        change(committed_db, job_id, **columns, replay_count=2)
    change(committed_db, job_id, **columns, replay_count=1)

    assert job(committed_db, job_id).state == "queued"


def test_the_epoch_never_goes_back(committed_db):
    lease = owned(committed_db)

    with pytest.raises(DBAPIError, match="lease epoch went back"):
        change(committed_db, lease.job_id, lease_epoch=0)


@pytest.mark.parametrize("epoch", [1, 3])
def test_a_new_lease_needs_the_next_epoch(committed_db, epoch):
    lease = owned(committed_db)

    with pytest.raises(DBAPIError, match="a new lease needs a new epoch"):
        change(committed_db, lease.job_id, lease_token=uuid4(), lease_epoch=epoch)


@pytest.mark.parametrize(
    ("state", "columns", "rule"),
    [
        ("queued", {"lease_token": uuid4(), "lease_epoch": 1}, "lease_iff_running"),
        ("running", {"lease_expires_at": None}, "lease_iff_running"),
        ("running", {"lease_token": None}, "lease_iff_running"),
        ("queued", {"finished_at": datetime.now(UTC)}, "finished_iff_terminal"),
        ("failed", {"finished_at": None}, "finished_iff_terminal"),
        ("queued", {"attempt": -1}, "attempts_bounded"),
        ("queued", {"attempt": 9}, "attempts_bounded"),
        ("queued", {"crash_count": 4}, "crashes_bounded"),
        ("waiting", {"pending_children": 0}, "waiting_has_children"),
        ("queued", {"pending_children": -1}, "waiting_has_children"),
        ("queued", {"progress": 101}, "progress_in_percent"),
        ("queued", {"lane": "fast"}, "lane_is_known"),
        ("queued", {"error_detail": "x" * 4001}, "error_short"),
        ("queued", {"payload": {"text": "x" * 65536}}, "payload_small"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(committed_db, state, columns, rule):
    job_id = job_in(committed_db, state)

    with pytest.raises(DBAPIError, match=rule):
        change(committed_db, job_id, **columns)


def test_an_unknown_state_is_refused(committed_db):
    job_id = add(committed_db)

    with pytest.raises(DBAPIError, match="illegal job transition queued -> asleep"):
        change(committed_db, job_id, state="asleep")


def test_two_promises_for_one_dispatch_are_refused(committed_db):
    job_id = add(committed_db)
    again = text(
        "insert into job_outbox (job_id, dispatch_seq, queue) values (:id, 1, 'media')"
    )

    with (
        pytest.raises(DBAPIError, match="uq_job_outbox"),
        committed_db.begin() as session,
    ):
        session.execute(again, {"id": job_id})


def test_each_change_says_when_it_was(committed_db):
    job_id = add(committed_db)
    before = job(committed_db, job_id).updated_at

    change(committed_db, job_id, progress=1)

    assert job(committed_db, job_id).updated_at > before
