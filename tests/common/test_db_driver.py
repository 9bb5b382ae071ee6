"""Reading without a transaction, and the shortcuts of our pg8000 dialect."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from common import db as database
from common.db import driver, reading
from common.models import Course

MOMENT = datetime(2026, 11, 20, 20, 57, 39, 676113, UTC)
PID = text("select pg_backend_pid()")
NOW = text("select now()")


@pytest.fixture
def pool(database_url):
    factory = database.connect(database_url, pool_size=3)
    yield factory
    factory.kw["bind"].dispose()


@pytest.fixture
def connection(pool):
    """A connection of the driver, which has just answered."""
    borrowed = pool.kw["bind"].raw_connection()
    borrowed.cursor().execute("select 1")
    yield borrowed.driver_connection
    borrowed.invalidate()


def end(pool, pid):
    with pool.begin() as session:
        assert session.scalar(text("select pg_terminate_backend(:p, 5000)"), {"p": pid})


def test_reading_opens_no_transaction(pool):
    with reading(pool) as session:
        assert session.scalar(NOW) < session.scalar(NOW)


def test_a_unit_of_work_after_reading_has_its_transaction_again(pool):
    with reading(pool) as session:
        session.scalar(NOW)
    with pool.begin() as session:
        assert session.scalar(NOW) == session.scalar(NOW)


def test_reading_in_a_transaction_of_ones_own_sees_what_that_wrote(db):
    with db.begin() as session:
        session.add(Course(id="c1", title="Biology"))
    with reading(db) as session:
        assert session.get_one(Course, "c1").title == "Biology"


def test_what_was_read_can_be_used_after_the_block(db):
    with db.begin() as session:
        session.add(Course(id="c1", title="Biology"))
    with reading(db) as session:
        course = session.get_one(Course, "c1")
    assert course.title == "Biology"


def test_connections_are_kept_for_the_next_burst(pool):
    def burst():
        with ExitStack() as stack:
            sessions = [stack.enter_context(reading(pool)) for _ in range(3)]
            return {session.scalar(PID) for session in sessions}

    assert burst() == burst()


def test_a_server_that_has_just_answered_is_not_asked_whether_it_lives(connection):
    assert connection.seems_alive()


def test_a_server_that_has_been_quiet_is_asked(connection, monkeypatch):
    monkeypatch.setattr(driver, "_TRUSTED_SECONDS", 0)
    assert not connection.seems_alive()


def test_a_server_that_has_hung_up_is_found_out_at_once(pool, connection):
    [[pid]] = connection.run("select pg_backend_pid()")
    end(pool, pid)
    assert not connection.seems_alive()


@pytest.mark.parametrize(
    "refused", ["select 1 / :n", "selec :n", "select cast(:n as uuid)"]
)
def test_a_refused_statement_leaves_the_connection_as_good_as_before(pool, refused):
    with reading(pool) as session:
        pid = session.scalar(PID)
        with pytest.raises(DBAPIError):
            session.scalar(text(refused), {"n": 0})
        assert session.scalar(text("select :n + 1"), {"n": 1}) == 2
        assert session.scalar(PID) == pid


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("2026-11-20 20:57:39.676113+00", MOMENT),
        ("2026-11-20 20:57:39+00", MOMENT.replace(microsecond=0)),
        ("2026-11-21 02:27:39.676113+05:30", MOMENT),
        ("-infinity", "-infinity"),
        ("12026-01-01 00:00:00+00", "12026-01-01 00:00:00+00"),
    ],
)
def test_times_are_understood(pool, written, found):
    moment = text("select cast(cast(:written as text) as timestamptz)")
    with reading(pool) as session:
        assert session.scalar(moment, {"written": written}) == found
