"""What the clock has the worker mend."""

import logging
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy import func, select, text

from common import objects
from common.models import ChatQuota, Conversation, Job, Lecture
from tests import invariants
from tests.api import talking
from tests.common.job_steps import (
    add,
    change,
    forget_promises,
    job,
    lapse,
    outbox,
    owned,
    owned_again,
)

NOTHING = {
    "rescued": 0,
    "rung_again": 0,
    "woken": 0,
    "sent": 0,
    "events_sent": 0,
    "operations_ended": 0,
    "uploads_ended": 0,
    "objects_removed": 0,
}


@pytest.fixture
def sweep(worker):
    def call(**body):
        return worker.post(
            "/schedules/sweep", body, caller="scheduler@pegasus.internal"
        ).json

    return call


def test_where_nothing_is_wrong_nothing_is_done(sweep):
    assert sweep() == NOTHING


def test_a_promise_that_was_not_kept_is_kept(sweep, db, queue):
    job_id = add(db)

    assert sweep() == NOTHING | {"sent": 1}
    assert [task.job_id for task in queue.take()] == [job_id]


def test_more_promises_than_one_batch_are_all_kept(sweep, db, queue):
    for _ in range(120):
        add(db)

    assert sweep()["sent"] == 120
    assert outbox(db) == []


def test_a_lapsed_job_is_rescued_and_rung_for(sweep, db, queue):
    lease = owned(db)
    lapse(db, lease.job_id)
    forget_promises(db)

    assert sweep() == NOTHING | {"rescued": 1, "sent": 1}

    [task] = queue.take()
    assert (task.job_id, task.lane, task.dispatch_seq) == (lease.job_id, "solo", 2)


def test_a_poisonous_job_s_lecture_is_marked(sweep, ingest, db):
    ingest()
    with db.begin() as session:
        job_id = session.query(Job.id).scalar()
    owned_again(db, job_id)
    change(db, job_id, crash_count=2)
    lapse(db, job_id)

    sweep()

    assert job(db, job_id).error_code == "poison_pill"
    with db.begin() as session:
        assert session.get_one(Lecture, "l1").status == "failed"
    invariants.check(db)


def test_a_poisonous_job_is_told_as_an_error(sweep, db, caplog):
    caplog.set_level(logging.INFO)
    lease = owned(db)
    change(db, lease.job_id, crash_count=2)
    lapse(db, lease.job_id)

    sweep()

    [poison] = [one for one in caplog.records if one.message == "job.poison"]
    assert (poison.levelname, poison.job_id) == ("ERROR", str(lease.job_id))
    [updated] = [one for one in caplog.records if one.message == "job.updated"]
    assert updated.status == "failed"


def test_a_job_out_of_attempts_is_no_poison(sweep, db, caplog):
    caplog.set_level(logging.INFO)
    lease = owned(db)
    change(db, lease.job_id, max_attempts=1)
    lapse(db, lease.job_id)

    sweep()

    told = {one.message for one in caplog.records}
    assert "job.updated" in told
    assert "job.poison" not in told


def test_each_sweep_tells_how_long_work_has_waited(sweep, db, caplog):
    caplog.set_level(logging.INFO)
    sweep()
    change(db, add(db), available_at=datetime.now(UTC) - timedelta(minutes=5))
    sweep()

    ages = [r.oldest_due_seconds for r in caplog.records if r.message == "queue"]
    assert ages[0] == 0
    assert ages[1] == pytest.approx(300, abs=60)


def test_a_lost_task_is_noticed_after_ten_minutes(sweep, db, queue):
    recent, old = add(db), add(db)
    forget_promises(db)
    change(db, recent, available_at=datetime.now(UTC) - timedelta(minutes=9))
    change(db, old, available_at=datetime.now(UTC) - timedelta(minutes=11))

    assert sweep() == NOTHING | {"rung_again": 1, "sent": 1}
    assert [task.job_id for task in queue.take()] == [old]


def test_after_a_restart_of_the_queue_all_due_jobs_are_rung_for(sweep, db, queue):
    due, late = add(db), add(db)
    forget_promises(db)
    change(db, due, available_at=datetime.now(UTC) - timedelta(seconds=1))
    change(db, late, available_at=datetime.now(UTC) + timedelta(minutes=1))

    assert sweep(lost_after_seconds=0)["rung_again"] == 1
    assert [task.job_id for task in queue.take()] == [due]


def test_a_queue_that_is_down_leaves_the_promise(sweep, db, queue):
    add(db)
    queue.down = True

    assert sweep() == NOTHING
    assert len(outbox(db)) == 1


def test_doomed_objects_are_removed_and_forgotten(sweep, db, deps):
    deps.storage.write("a/gone", BytesIO(b"x"))
    deps.storage.write("a/kept", BytesIO(b"x"))
    with db.begin() as session:
        objects.doom(session, ["a/gone", "a/never-written"], after=timedelta(0))
        objects.doom(session, ["a/kept"], after=timedelta(hours=1))

    assert sweep() == NOTHING | {"objects_removed": 2}
    assert sweep() == NOTHING

    assert deps.storage.size_bytes("a/gone") is None
    assert deps.storage.size_bytes("a/kept") == 1


def test_more_objects_than_one_batch_are_all_removed(sweep, db):
    with db.begin() as session:
        keys = [f"a/{number}" for number in range(230)]
        objects.doom(session, keys, after=timedelta(0))

    assert sweep()["objects_removed"] == 230


def test_old_counts_and_old_talks_of_guests_go(sweep, db):
    talking.talk(db, talking.video(db), guest="0" * 64)
    with db.begin() as session:
        session.execute(text("update conversations set updated_at = '2026-01-01'"))
        session.execute(text("insert into chat_quotas values ('x', '2026-01-01', 1)"))
    sweep()
    with db.begin() as session:
        assert session.scalar(select(func.count(Conversation.id))) == 0
        assert session.scalar(select(func.count(ChatQuota.owner))) == 0
