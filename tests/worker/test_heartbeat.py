"""A real heart, with leases that last for fractions of a second."""

import threading

import pytest
from sqlalchemy.orm import Session, sessionmaker

from common import db as database
from common import jobs
from common.ids import new_id
from common.jobs import Lease, LeaseLost
from tests import invariants
from tests.common.job_steps import Bell, add, end, job, lapse, owned_again, until
from worker_service import heartbeat
from worker_service.heartbeat import Cancelled, Draining, Heart

SHORT = 0.4  # seconds; the heart beats four times as often


@pytest.fixture
def deaths():
    return []


@pytest.fixture
def heart(committed_db, deaths):
    return Heart(committed_db, lease_seconds=SHORT, die=deaths.append)


@pytest.fixture
def lease(committed_db):
    with committed_db.begin() as session:
        job_id, _ = jobs.enqueue(session, Bell())
        return jobs.claim(session, job_id, 1, owner="test", seconds=SHORT)


def expiry(db, lease):
    return job(db, lease.job_id).lease_expires_at


def test_a_held_lease_outlives_its_first_term(committed_db, heart, lease, deaths):
    first = expiry(committed_db, lease)
    with heart.hold(lease) as pulse:
        until(lambda: (expiry(committed_db, lease) - first).total_seconds() > 2 * SHORT)
        with committed_db.begin() as session:
            assert jobs.rescue(session) == []
        pulse.check()

    end(committed_db, lease)
    assert deaths == []
    invariants.check(committed_db)


def test_a_lease_that_is_let_go_is_renewed_no_more(committed_db, heart, lease):
    with heart.hold(lease):
        pass
    before = expiry(committed_db, lease)

    heart.beat()

    assert expiry(committed_db, lease) == before


def test_a_handler_learns_that_its_lease_is_lost(committed_db, heart, lease):
    with heart.hold(lease) as pulse:
        lapse(committed_db, lease.job_id)
        until(pulse.lost.is_set)
        with pytest.raises(LeaseLost):
            pulse.check()


def test_one_lost_lease_does_not_touch_the_others(committed_db, heart, lease):
    other = owned_again(committed_db, add(committed_db))
    with heart.hold(lease) as lost, heart.hold(other) as kept:
        lapse(committed_db, lease.job_id)
        heart.beat()

        assert lost.lost.is_set()
        kept.check()


def test_a_handler_learns_that_its_job_is_cancelled(committed_db, heart, lease):
    with heart.hold(lease) as pulse:
        with committed_db.begin() as session:
            jobs.cancel(session, lease.job_id)
        until(pulse.cancelled.is_set)
        with pytest.raises(Cancelled):
            pulse.check()


def test_without_a_sign_for_half_its_time_a_lease_counts_as_lost(deaths):
    nowhere = database.connect("postgresql://nobody@127.0.0.1:1/none")
    heart = Heart(nowhere, lease_seconds=SHORT, die=deaths.append)

    with heart.hold(made_up_lease()) as pulse:
        pulse.check()
        until(pulse.lost.is_set)
    assert deaths == [], "the database may come back"


def made_up_lease():
    return Lease(new_id(), new_id(), 1, "bell", {}, {}, 1, 8, 0)


class Broken(sessionmaker[Session]):
    """A session factory with a bug in it."""

    def begin(self):
        raise RecursionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_process_ends_when_its_heart_stops():
    ends = []

    def die(status):
        ends.append((status, threading.current_thread()))

    heart = Heart(Broken(), lease_seconds=SHORT, die=die)
    with heart.hold(made_up_lease()):
        until(lambda: ends)

    [(status, thread)] = ends
    thread.join()  # its traceback belongs to this test
    assert status == 70


def test_five_bugs_in_a_row_end_the_process(heart, deaths):
    for _ in range(4):
        heart.count(bug=True)
    heart.count(bug=False)
    for _ in range(4):
        heart.count(bug=True)
    assert deaths == []

    heart.count(bug=True)
    assert deaths == [70]


def test_before_the_end_handlers_are_asked_to_stop(heart, lease):
    with heart.hold(lease) as pulse:
        heart.drain()
        with pytest.raises(Draining):
            pulse.check()


def test_what_is_still_held_after_the_grace_is_given_back(
    committed_db, heart, lease, monkeypatch
):
    monkeypatch.setattr(heartbeat, "_GRACE_SECONDS", 0.05)
    ended = owned_again(committed_db, add(committed_db))
    with heart.hold(ended), heart.hold(lease) as pulse:
        end(committed_db, ended)
        heart.drain()
        until(lambda: job(committed_db, lease.job_id).state == "queued")
        with pytest.raises(LeaseLost):
            pulse.check()

    found = job(committed_db, lease.job_id)
    assert (found.attempt, found.error_code) == (0, "shutdown")
    assert owned_again(committed_db, lease.job_id).attempt == 1
    assert job(committed_db, ended.job_id).state == "succeeded"
    invariants.check(committed_db)


def test_the_process_ends_when_it_has_given_back_what_would_not_stop(
    heart, lease, deaths, monkeypatch
):
    monkeypatch.setattr(heartbeat, "_GRACE_SECONDS", 0.05)
    with heart.hold(lease):
        heart.drain()
        until(lambda: deaths)
    assert deaths == [0]


def test_an_idle_process_does_not_wait_for_its_grace(heart):
    heart.drain()

    others = set(threading.enumerate()) - {threading.main_thread()}
    assert [t for t in others if isinstance(t, threading.Timer) and not t.daemon] == []


def test_all_leases_are_renewed_by_one_statement(committed_db, heart, statements):
    leases = [owned_again(committed_db, add(committed_db)) for _ in range(3)]
    with heart.hold(leases[0]), heart.hold(leases[1]), heart.hold(leases[2]):
        statements.clear()
        heart.beat()
        renewals = [s for s in statements if "unnest" in s]
    assert len(renewals) == 1
