from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import select

from common import jobs
from common.jobs import Task
from common.models import Job, JobEvent, JobOutbox
from tests import invariants
from tests.common.job_steps import (
    Bell,
    add,
    end,
    is_blocked,
    job,
    outbox,
    owned,
    parent_of,
    together,
    until,
)


def test_a_job_and_its_promise_are_written_together(committed_db):
    found = job(committed_db, add(committed_db, "lecture:l1"))

    [promise] = outbox(committed_db)
    assert (promise.job_id, promise.dispatch_seq) == (found.id, 1)
    assert (promise.queue, promise.lane) == ("media", "main")
    assert (found.kind, found.subject, found.payload) == (
        "bell",
        "lecture:l1",
        {"name": "lecture:l1"},
    )
    assert (found.state, found.attempt, found.max_attempts) == ("queued", 0, 8)


def test_neither_survives_when_its_cause_is_rolled_back(committed_db):
    def cause(session):
        jobs.enqueue(session, Bell())
        raise RecursionError

    with pytest.raises(RecursionError), committed_db.begin() as session:
        cause(session)

    with committed_db.begin() as session:
        assert session.query(Job).count() == session.query(JobOutbox).count() == 0


def test_a_live_job_with_the_same_key_is_returned_instead(committed_db):
    first = add(committed_db, "l1")
    with committed_db.begin() as session:
        assert jobs.enqueue(session, Bell(name="l1")) == (first, False)

    assert len(outbox(committed_db)) == 1
    assert add(committed_db, "l2") != first


def test_a_job_that_was_not_made_leaves_no_history(committed_db):
    first = add(committed_db, "l1")
    add(committed_db, "l1")

    with committed_db.begin() as session:
        assert session.scalars(select(JobEvent.job_id)).all() == [first]


def test_a_key_may_be_given_in_the_place_of_the_payload_s_own(committed_db):
    first = add(committed_db, "l1", dedupe_key="mine")

    assert add(committed_db, "l2", dedupe_key="mine") == first
    assert add(committed_db, "l1") != first


def test_jobs_without_a_key_are_never_taken_for_each_other(committed_db):
    assert add(committed_db) != add(committed_db)


def test_a_running_job_is_live_and_an_ended_one_is_not(committed_db):
    lease = owned(committed_db, "l1")
    assert add(committed_db, "l1") == lease.job_id

    end(committed_db, lease)
    assert add(committed_db, "l1") != lease.job_id


def test_a_job_that_waits_for_its_children_is_live(committed_db):
    parent, _ = parent_of(committed_db, 1, "l1")

    assert add(committed_db, "l1") == parent


def test_of_many_that_ask_at_once_one_makes_the_job(committed_db):
    def ask():
        with committed_db.begin() as session:
            return jobs.enqueue(session, Bell(name="l1"))

    answers = together(*[ask] * 8)

    assert len({job_id for job_id, _ in answers}) == 1
    assert [new for _, new in answers].count(True) == 1
    assert len(outbox(committed_db)) == 1
    invariants.check(committed_db)


def test_a_job_that_ends_while_one_asks_is_not_returned(committed_db):
    lease = owned(committed_db, "l1")
    with ThreadPoolExecutor() as pool:
        with committed_db.begin() as session:
            jobs.succeed(session, lease, {})
            asked = pool.submit(add, committed_db, "l1")
            until(lambda: is_blocked(committed_db))
        assert asked.result(10) != lease.job_id


def test_a_replay_names_the_job_that_it_repeats(committed_db):
    first = add(committed_db)

    assert job(committed_db, add(committed_db, replayed_from=first)).replayed_from == (
        first
    )


def test_a_task_s_name_is_its_own_for_each_dispatch():
    def name(job_id, seq):
        return Task(UUID(int=job_id), seq, "media", "main", datetime.now(UTC)).name

    assert name(1, 1) == name(1, 1)
    assert len({name(1, 1), name(1, 2), name(2, 1)}) == 3
    assert len(name(1, 1)) == 40
