from datetime import timedelta

import pytest

from common import objects
from common.models import DoomedObject
from tests.common.job_steps import together

NOW = timedelta(0)
LATER = timedelta(hours=1)


def doom(db, *keys, after=NOW):
    with db.begin() as session:
        objects.doom(session, keys, after=after)


def due(db, limit=100):
    with db.begin() as session:
        return objects.due(session, limit=limit)


def test_a_doomed_object_is_due_when_its_hour_has_come(db):
    doom(db, "now")
    doom(db, "later", after=LATER)

    assert due(db) == ["now"]


def test_the_one_that_waits_longest_is_first(db):
    doom(db, "second", after=-timedelta(minutes=1))
    doom(db, "first", after=-timedelta(minutes=2))
    doom(db, "third")

    assert due(db, limit=2) == ["first", "second"]


def test_a_spared_object_is_never_due(db):
    doom(db, "kept", "gone")

    with db.begin() as session:
        objects.spare(session, ["kept", "unknown"])

    assert due(db) == ["gone"]


def test_dooming_again_sets_another_hour(db):
    doom(db, "one", after=LATER)
    doom(db, "one")
    doom(db, "two")
    doom(db, "two", after=LATER)

    assert due(db) == ["one"]


def test_dooming_nothing_is_harmless(db):
    doom(db)

    assert due(db) == []


def test_what_is_not_committed_dooms_nothing(db):
    def change_of_mind(session):
        objects.doom(session, ["precious"], after=NOW)
        raise RecursionError

    with pytest.raises(RecursionError), db.begin() as session:
        change_of_mind(session)

    assert due(db) == []


def test_two_sweeps_never_hold_the_same_object(committed_db):
    doom(committed_db, "one")
    with committed_db.begin() as session:
        assert objects.due(session, limit=10) == ["one"]
        assert due(committed_db) == []
    assert due(committed_db) == ["one"]


def test_the_same_key_may_be_doomed_by_two_at_once(committed_db):
    together(*[lambda: doom(committed_db, "one")] * 4)

    with committed_db.begin() as session:
        assert session.query(DoomedObject).count() == 1
