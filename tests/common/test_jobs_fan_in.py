import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from common import jobs
from tests import invariants
from tests.common.job_steps import (
    Bell,
    change,
    children,
    claim,
    end,
    fail,
    forget_promises,
    history,
    is_blocked,
    job,
    lapse,
    outbox,
    owned,
    owned_again,
    parent_of,
    together,
    until,
)


def cancel(db, job_id):
    with db.begin() as session:
        return jobs.cancel(session, job_id)


def test_the_last_child_wakes_its_parent_with_one_promise(committed_db):
    parent, ids = parent_of(committed_db, 2)
    forget_promises(committed_db)

    end(committed_db, owned_again(committed_db, ids[0]))
    assert job(committed_db, parent).state == "waiting"
    assert outbox(committed_db, parent) == []

    end(committed_db, owned_again(committed_db, ids[1]))
    assert job(committed_db, parent).state == "queued"
    [promise] = outbox(committed_db, parent)
    assert promise.dispatch_seq == job(committed_db, parent).dispatch_seq
    assert owned_again(committed_db, parent).attempt == 1


def test_a_child_that_is_tried_again_has_not_ended(committed_db):
    parent, [child] = parent_of(committed_db, 1)
    with committed_db.begin() as session:
        lease = jobs.claim(session, child, 1, owner="test", seconds=60)
        assert lease is not None
        jobs.give_back(session, lease, jobs.GiveBack("flaky", delay_seconds=0))

    assert job(committed_db, parent).state == "waiting"


@pytest.mark.parametrize("count", [2, 5, 12])
def test_children_that_end_at_once_wake_the_parent_exactly_once(committed_db, count):
    parent, ids = parent_of(committed_db, count)
    leases = [owned_again(committed_db, child) for child in ids]

    together(*[lambda lease=lease: end(committed_db, lease) for lease in leases])

    assert history(committed_db, parent) == ["queued", "running", "waiting", "queued"]
    assert len(outbox(committed_db, parent)) == 2  # its first run, and the waking
    invariants.check(committed_db)


def test_failed_cancelled_and_lost_children_count_as_ended(committed_db):
    parent, ids = parent_of(committed_db, 4)
    one, two, lost = [owned_again(committed_db, child) for child in ids[:3]]
    change(committed_db, lost.job_id, crash_count=2)
    lapse(committed_db, lost.job_id)

    def rescue():
        with committed_db.begin() as session:
            jobs.rescue(session, lost.job_id)

    together(
        lambda: end(committed_db, one),
        lambda: fail(committed_db, two),
        rescue,
        lambda: cancel(committed_db, ids[3]),
    )

    assert job(committed_db, parent).state == "queued"
    states = {child.state for child in children(committed_db, parent)}
    assert states == {"succeeded", "failed", "cancelled"}
    invariants.check(committed_db)


def test_several_children_that_end_in_one_statement_are_all_counted(committed_db):
    parent, ids = parent_of(committed_db, 3)
    for child in ids:
        owned_again(committed_db, child)
        change(committed_db, child, crash_count=2)
        lapse(committed_db, child)

    with committed_db.begin() as session:
        assert len(jobs.rescue(session)) == 3

    assert job(committed_db, parent).state == "queued"
    assert job(committed_db, parent).pending_children == 0


def test_many_families_in_many_threads_come_to_rest(committed_db):
    """Workers, a canceller and a rescuer at once: no deadlock, nobody sleeps on."""
    families = [parent_of(committed_db, 4) for _ in range(6)]
    chance = random.Random(5)  # noqa: S311 - the same each time
    turns = [child for _, ids in families for child in ids]
    chance.shuffle(turns)

    def work(ids):
        for child in ids:
            if lease := claim(committed_db, child, 1):
                (end if chance.random() < 0.7 else fail)(committed_db, lease)

    def cancel_some():
        for parent, _ in families[:3]:
            cancel(committed_db, parent)

    together(*[lambda i=i: work(turns[i::4]) for i in range(4)], cancel_some)

    states = [job(committed_db, parent).state for parent, _ in families]
    assert set(states[3:]) == {"queued"}
    assert set(states) <= {"queued", "cancelled"}
    invariants.check(committed_db)


def test_cancelling_a_parent_cancels_its_children(committed_db):
    parent, ids = parent_of(committed_db, 2)
    running = owned_again(committed_db, ids[0])

    assert set(cancel(committed_db, parent)) == {parent, *ids}

    assert job(committed_db, parent).state == "cancelled"
    assert job(committed_db, ids[1]).state == "cancelled"
    with committed_db.begin() as session:
        assert jobs.beat(session, [running], seconds=60) == {ids[0]: True}
    invariants.check(committed_db)


def test_a_child_that_ends_after_its_parent_was_cancelled_wakes_nobody(committed_db):
    parent, [child] = parent_of(committed_db, 1)
    lease = owned_again(committed_db, child)
    cancel(committed_db, parent)
    forget_promises(committed_db)

    end(committed_db, lease)

    assert job(committed_db, parent).state == "cancelled"
    invariants.check(committed_db, at_rest=True)


def test_cancelling_waits_for_a_child_that_is_ending(committed_db):
    """Each holds what the other wants, unless both lock the child first."""
    parent, [child] = parent_of(committed_db, 1)
    lease = owned_again(committed_db, child)
    with ThreadPoolExecutor() as pool:
        with committed_db.begin() as session:
            lock = text("select 1 from jobs where id = :id for update")
            session.execute(lock, {"id": child})
            asked = pool.submit(cancel, committed_db, parent)
            until(lambda: is_blocked(committed_db))
            jobs.succeed(session, lease, {})
        assert asked.result(10) == [parent]

    assert history(committed_db, parent)[-2:] == ["queued", "cancelled"]


def test_children_that_are_made_at_that_moment_are_cancelled_too(committed_db):
    lease = owned(committed_db)
    with ThreadPoolExecutor() as pool:
        with committed_db.begin() as session:
            child, _ = jobs.enqueue(session, Bell(), parent_id=lease.job_id)
            jobs.wait_for_children(session, lease, 1)
            asked = pool.submit(cancel, committed_db, lease.job_id)
            until(lambda: is_blocked(committed_db))
        assert set(asked.result(10)) == {lease.job_id, child}

    invariants.check(committed_db)


def test_sleeping_parents_whose_children_have_ended_are_found(committed_db):
    """The trigger leaves none behind; this is what the sweep would do if it did."""
    parent, [child] = parent_of(committed_db, 1)
    with committed_db.begin() as session:
        session.execute(text("alter table jobs disable trigger job_fanin"))
    try:
        end(committed_db, owned_again(committed_db, child))
    finally:
        with committed_db.begin() as session:
            session.execute(text("alter table jobs enable trigger job_fanin"))
    forget_promises(committed_db)

    with committed_db.begin() as session:
        assert jobs.wake_parents(session) == [parent]
        assert jobs.wake_parents(session) == []

    assert claim(committed_db, parent).attempt == 1
    [promise] = outbox(committed_db, parent)
    assert promise.dispatch_seq == 2


def test_a_parent_with_a_live_child_sleeps_on(committed_db):
    parent, _ = parent_of(committed_db, 1)

    with committed_db.begin() as session:
        assert jobs.wake_parents(session) == []
    assert job(committed_db, parent).state == "waiting"
