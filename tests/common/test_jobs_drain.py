from datetime import UTC, datetime
from itertools import count

import pytest
from sqlalchemy import text

from common import jobs
from common.errors import ProviderUnavailable
from tests.common.job_steps import add, fail, job, outbox, owned, together


def put_back(db, seconds):
    """Shift all locks of promises into the past."""
    with db.begin() as session:
        session.execute(
            text(
                "update job_outbox"
                " set locked_until = locked_until - make_interval(secs => :by)"
            ),
            {"by": seconds},
        )


def refuse(_task):
    raise ProviderUnavailable("The task queue is away.")


def test_what_was_promised_is_sent_and_forgotten(committed_db, queue):
    job_id = add(committed_db)

    assert jobs.drain(committed_db, queue.send) == 1

    [task] = queue.take()
    assert (task.job_id, task.dispatch_seq, task.queue) == (job_id, 1, "media")
    assert outbox(committed_db) == []
    assert jobs.drain(committed_db, queue.send) == 0


def test_only_the_jobs_that_are_named_are_sent(committed_db, queue):
    first, second = add(committed_db), add(committed_db)

    assert jobs.drain(committed_db, queue.send, job_ids=[second]) == 1

    assert [task.job_id for task in queue.take()] == [second]
    assert [row.job_id for row in outbox(committed_db)] == [first]


def test_the_oldest_are_sent_first_and_no_more_than_the_limit(committed_db, queue):
    made = [add(committed_db) for _ in range(4)]

    assert jobs.drain(committed_db, queue.send, limit=3) == 3
    assert [task.job_id for task in queue.take()] == made[:3]


def test_a_failure_keeps_that_promise_and_the_rest_of_the_batch(committed_db, queue):
    made = [add(committed_db) for _ in range(3)]
    turn = count()

    def second_fails(task):
        return refuse(task) if next(turn) == 1 else queue.send(task)

    assert jobs.drain(committed_db, second_fails) == 1

    left = outbox(committed_db)
    assert [row.job_id for row in left] == made[1:]
    assert {row.last_error for row in left} == {"The task queue is away."}
    assert next(turn) == 2, "the third was tried although the queue is down"


def test_a_promise_that_failed_waits_longer_each_time(committed_db):
    add(committed_db)
    waits = []
    for _ in range(20):
        jobs.drain(committed_db, refuse)
        [left] = outbox(committed_db)
        waits.append(round((left.locked_until - datetime.now(UTC)).total_seconds()))
        put_back(committed_db, 60)

    assert waits[:3] == [2, 4, 6]
    assert waits[-3:] == [30, 30, 30]


def test_a_failed_promise_is_left_alone_for_a_while_and_then_kept(committed_db, queue):
    add(committed_db)
    jobs.drain(committed_db, refuse)
    assert jobs.drain(committed_db, queue.send) == 0

    put_back(committed_db, 3)
    assert jobs.drain(committed_db, queue.send) == 1


def test_what_a_crashed_sender_took_is_sent_again_after_its_lock(committed_db, queue):
    add(committed_db)

    def crash(task):
        queue.send(task)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        jobs.drain(committed_db, crash)
    assert jobs.drain(committed_db, queue.send) == 0

    put_back(committed_db, 31)
    assert jobs.drain(committed_db, queue.send) == 1
    assert len(queue.take()) == 1, "the same dispatch has the same name"


def test_of_two_senders_each_promise_is_taken_by_one(committed_db):
    made = {add(committed_db) for _ in range(40)}
    sent: list[jobs.Task] = []

    def send_all():
        while jobs.drain(committed_db, sent.append, limit=5):
            pass

    together(send_all, send_all)

    assert len(sent) == 40
    assert {task.job_id for task in sent} == made
    assert outbox(committed_db) == []


def test_no_row_is_locked_while_a_task_is_sent(committed_db):
    add(committed_db)
    seen = []

    def look(_task):
        with committed_db.begin() as session:
            rows = "select o.id from job_outbox o, jobs for update nowait"
            seen.extend(session.scalars(text(rows)))

    jobs.drain(committed_db, look)

    assert len(seen) == 1


def test_a_promise_for_later_is_sent_with_its_hour(committed_db, queue):
    lease = owned(committed_db)
    jobs.drain(committed_db, queue.send)
    queue.take()
    with committed_db.begin() as session:
        jobs.give_back(session, lease, jobs.GiveBack("later", delay_seconds=100))

    assert jobs.drain(committed_db, queue.send) == 1

    [task] = queue.take()
    assert task.not_before == job(committed_db, lease.job_id).available_at
    assert task.dispatch_seq == 2


def test_a_promise_that_is_not_due_does_not_hold_up_those_that_are(committed_db):
    """The inline queue refuses tasks before their hour; the others must go out."""
    late = owned(committed_db)
    with committed_db.begin() as session:
        session.execute(text("delete from job_outbox"))
        jobs.give_back(session, late, jobs.GiveBack("later", delay_seconds=100))
    due = add(committed_db)
    sent: list[jobs.Task] = []

    def only_due(task):
        return refuse(task) if task.job_id == late.job_id else sent.append(task)

    assert jobs.drain(committed_db, only_due) == 1
    assert [task.job_id for task in sent] == [due]


def test_what_is_due_is_in_the_first_batch(committed_db, queue):
    late = owned(committed_db)
    with committed_db.begin() as session:
        session.execute(text("delete from job_outbox"))
        jobs.give_back(session, late, jobs.GiveBack("later", delay_seconds=100))
    due = add(committed_db)

    assert jobs.drain(committed_db, queue.send, limit=1) == 1
    assert [task.job_id for task in queue.take()] == [due]


def test_a_sender_passes_by_what_another_is_taking(committed_db, queue):
    first, second = add(committed_db), add(committed_db)
    with committed_db.begin() as session:
        lock = text("select 1 from job_outbox where job_id = :id for update")
        session.execute(lock, {"id": first})
        assert jobs.drain(committed_db, queue.send) == 1

    assert [task.job_id for task in queue.take()] == [second]


def test_a_job_that_ended_meanwhile_may_still_be_rung_for(committed_db, queue):
    lease = owned(committed_db)
    fail(committed_db, lease)

    assert jobs.drain(committed_db, queue.send) == 1
