"""Promised events are sent: at least once, and in order per subject."""

from datetime import UTC, datetime, timedelta
from threading import Event as Signal

import pytest
from sqlalchemy import text

from common import events
from common.errors import ProviderAuthError, ProviderUnavailable
from common.events import Event
from tests.common.event_steps import (
    emit,
    fact,
    let_locks_lapse,
    outbox,
    refuse,
    told,
)
from tests.common.job_steps import is_blocked, together, until


@pytest.fixture
def sent() -> list[Event]:
    return []


def refusing(sent, *names):
    """Return a receiver that takes all but the events of these courses."""

    def publish(event):
        if event.data["course_id"] in names:
            raise ProviderUnavailable("not this one")
        sent.append(event)

    return publish


def crashing(sent, number):
    """Return a receiver that takes this event, and then we die."""

    def publish(event):
        sent.append(event)
        if event.data["lectures"] == number:
            raise KeyboardInterrupt

    return publish


def test_what_was_emitted_is_sent_and_forgotten(committed_db, sent):
    emit(committed_db, "c1", 3)

    assert events.drain(committed_db, sent.append) == 1

    [event] = sent
    assert (event.type, event.version) == ("course.deleted", 1)
    assert event.subject == "course:c1"
    assert event.data == {"course_id": "c1", "lectures": 3, "purge_storage": False}
    assert datetime.now(UTC) - event.occurred_at < timedelta(minutes=1)
    assert outbox(committed_db) == []
    assert events.drain(committed_db, sent.append) == 0


def test_what_is_rolled_back_did_not_happen(committed_db, sent):
    with committed_db.begin() as session:
        events.emit(session, fact())
        session.rollback()

    assert events.drain(committed_db, sent.append) == 0


def test_events_of_one_transaction_are_sent_in_the_order_given(committed_db, sent):
    with committed_db.begin() as session:
        events.emit(session, *(fact(f"c{n % 3}", n) for n in range(9)))
        events.emit(session)

    events.drain(committed_db, sent.append)

    assert told(sent) == [(f"c{n % 3}", n) for n in range(9)]
    assert len({event.id for event in sent}) == 9


def test_no_more_than_the_limit_is_sent_and_the_oldest_first(committed_db, sent):
    emit(committed_db, "c1", 1, 2)
    emit(committed_db, "c2", 3)

    assert events.drain(committed_db, sent.append, limit=2) == 2
    assert told(sent) == [("c1", 1), ("c1", 2)]


def test_after_a_failure_the_subject_waits_and_others_go_on(committed_db, sent):
    emit(committed_db, "c1", 1, 2)
    emit(committed_db, "c2", 3, 4)
    publish = refusing(sent, "c1")

    assert events.drain(committed_db, publish) == 2
    emit(committed_db, "c1", 5)
    emit(committed_db, "c2", 6)
    assert events.drain(committed_db, sent.append) == 1

    assert told(sent) == [("c2", 3), ("c2", 4), ("c2", 6)]
    failed, *later = outbox(committed_db)
    assert (failed.tries, failed.last_error) == (1, "not this one")
    assert [row.tries for row in later] == [0, 0]


def test_after_its_wait_the_subject_goes_on_where_it_stopped(committed_db, sent):
    emit(committed_db, "c1", 1, 2)
    events.drain(committed_db, refuse)
    assert events.drain(committed_db, sent.append) == 0

    let_locks_lapse(committed_db, 2)

    assert events.drain(committed_db, sent.append) == 2
    assert told(sent) == [("c1", 1), ("c1", 2)]


def test_a_failing_event_waits_longer_each_time(committed_db):
    emit(committed_db)
    waits = []
    for _ in range(9):
        events.drain(committed_db, refuse)
        [left] = outbox(committed_db)
        waits.append(round((left.locked_until - datetime.now(UTC)).total_seconds()))
        let_locks_lapse(committed_db)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_an_event_that_is_refused_for_good_is_kept_as_well(committed_db):
    emit(committed_db)

    def forbid(_event):
        raise ProviderAuthError("no permission")

    assert events.drain(committed_db, forbid) == 0
    assert outbox(committed_db)[0].last_error == "no permission"


def test_when_several_fail_the_rest_is_left_for_later(committed_db, sent):
    for n in range(5):
        emit(committed_db, f"c{n}", n)
    tried = []

    def fail(event):
        tried.append(event)
        refuse(event)

    events.drain(committed_db, fail)

    assert len(tried) == 3
    assert events.drain(committed_db, sent.append) == 2, "the others are free"


def test_what_could_outlast_the_lock_is_left_for_later(committed_db, sent, monkeypatch):
    emit(committed_db)
    monkeypatch.setattr("common.events.outbox._SENDING_SECONDS", -1)
    assert events.drain(committed_db, sent.append) == 0
    monkeypatch.undo()

    assert events.drain(committed_db, sent.append) == 1


def test_a_crash_after_sending_sends_again_the_same_in_order(committed_db, sent):
    emit(committed_db, "c1", 1, 2, 3)
    with pytest.raises(KeyboardInterrupt):
        events.drain(committed_db, crashing(sent, 2))
    assert events.drain(committed_db, sent.append) == 0, "still locked"

    let_locks_lapse(committed_db)
    events.drain(committed_db, sent.append)

    assert [number for _, number in told(sent)] == [1, 2, 1, 2, 3]
    assert [event.id for event in sent[:2]] == [event.id for event in sent[2:4]]


def test_a_dead_drainer_holds_up_its_own_subjects_only(committed_db, sent):
    emit(committed_db, "c1", 1)
    with pytest.raises(KeyboardInterrupt):
        events.drain(committed_db, crashing([], 1))
    emit(committed_db, "c1", 2)
    emit(committed_db, "c2", 3)

    events.drain(committed_db, sent.append)

    assert told(sent) == [("c2", 3)]


def test_while_one_sends_a_subject_another_leaves_it_alone(committed_db, sent):
    emit(committed_db, "c1", 1, 2)

    def meanwhile(event):
        sent.append(event)
        emit(committed_db, "c1", event.data["lectures"] + 10)
        emit(committed_db, "c2", event.data["lectures"] + 20)
        events.drain(committed_db, sent.append)

    events.drain(committed_db, meanwhile)
    assert told(sent) == [("c1", 1), ("c2", 21), ("c1", 2), ("c2", 22)]

    events.drain(committed_db, sent.append)
    assert told(sent)[4:] == [("c1", 11), ("c1", 12)]


def test_one_who_comes_to_late_takes_no_lock_away(committed_db, sent):
    """Its own has lapsed, and another sends the same events now."""
    emit(committed_db, "c1", 1, 2)

    def overtaken(event):
        let_locks_lapse(committed_db)
        with pytest.raises(KeyboardInterrupt):
            events.drain(committed_db, crashing(sent, 1))
        refuse(event)

    events.drain(committed_db, overtaken)

    for row in outbox(committed_db):
        assert row.last_error is None
        assert row.locked_until > datetime.now(UTC) + timedelta(seconds=50)


def test_no_row_is_locked_while_an_event_is_sent(committed_db):
    emit(committed_db)
    seen = []

    def look(_event):
        with committed_db.begin() as session:
            rows = "select id from event_outbox for update nowait"
            seen.extend(session.scalars(text(rows)))

    events.drain(committed_db, look)

    assert len(seen) == 1


def test_of_one_subject_who_emits_first_commits_first(committed_db, sent):
    emitted, go_on = Signal(), Signal()

    def first():
        with committed_db.begin() as session:
            events.emit(session, fact("c1", 1))
            emitted.set()
            go_on.wait(10)

    def second():
        emitted.wait(10)
        emit(committed_db, "c1", 2)

    def watch():
        emitted.wait(10)
        until(lambda: is_blocked(committed_db))
        emit(committed_db, "another", 3)
        assert events.drain(committed_db, sent.append) == 1
        go_on.set()

    together(first, second, watch)
    events.drain(committed_db, sent.append)

    assert told(sent) == [("another", 3), ("c1", 1), ("c1", 2)]


def test_two_who_emit_for_the_same_subjects_do_not_block_each_other(committed_db):
    names = [f"c{n}" for n in range(40)]

    def emit_all(order):
        for _ in range(5):
            with committed_db.begin() as session:
                events.emit(session, *(fact(name) for name in order))

    together(lambda: emit_all(names), lambda: emit_all(names[::-1]))

    assert len(outbox(committed_db)) == 400
