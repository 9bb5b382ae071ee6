"""Jobs that helpers come for: one each, in order, and nobody stands in the way."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, update

from common import jobs, metrics
from common.jobs import GiveBack, VideoMetadata, VideoTranscript
from common.models import Job, JobOutbox


def want(db, *ids):
    for id_ in ids:
        with db.begin() as session:
            jobs.enqueue(session, VideoMetadata(video_id=id_))


def pull(session, kind="metadata"):
    return jobs.pull(session, kind, owner="a helper", seconds=120)


def taken(db, kind="metadata"):
    """Claim the next job; return the video that it is about, None if there is none."""
    with db.begin() as session:
        lease = pull(session, kind)
    return None if lease is None else lease.payload["video_id"]


def test_they_are_handed_out_oldest_first_and_once(db):
    want(db, "a", "b", "c")
    assert [taken(db) for _ in range(4)] == ["a", "b", "c", None]


def test_who_comes_while_another_takes_one_gets_the_next_at_once(committed_db):
    """W19: neither waits for the other, however slow that one is."""
    want(committed_db, "a", "b")
    with committed_db.begin() as slow:
        assert pull(slow).payload["video_id"] == "a"
        with committed_db.begin() as other:
            other.execute(func.set_config("lock_timeout", "200ms", True).select())
            assert pull(other).payload["video_id"] == "b"
            assert pull(other) is None


def test_that_no_helper_comes_does_not_look_like_a_late_worker(db):
    want(db, "a")
    with db.begin() as session:
        session.execute(update(Job).values(available_at=func.now() - timedelta(days=1)))
        assert metrics.oldest_due_seconds(session) == 0


def test_each_kind_has_its_own_line(db):
    want(db, "a")
    assert taken(db, "transcript") is None
    with db.begin() as session:
        jobs.enqueue(session, VideoTranscript(video_id="b"))
    assert taken(db, "transcript") == "b"


def test_nobody_is_told_of_them(db):
    want(db, "a")
    with db.begin() as session:
        lease = pull(session)
        jobs.give_back(session, lease, GiveBack("fetch_failed"))
        assert session.scalars(select(JobOutbox)).all() == []


@pytest.mark.parametrize(
    "values",
    [
        {"available_at": func.now() + timedelta(seconds=1)},
        {"cancel_requested": True},
        {"attempt": 3},
        {"queue": "llm"},
    ],
)
def test_what_is_not_to_be_done_now_is_left(db, values):
    want(db, "a")
    with db.begin() as session:
        session.execute(update(Job).values(**values))
    assert taken(db) is None


def test_a_claim_is_held_by_its_number_as_long_as_it_lasts(db):
    want(db, "a")
    with db.begin() as session:
        lease = pull(session)
        assert jobs.held(session, lease.job_id, lease.epoch) == lease
        assert jobs.held(session, lease.job_id, lease.epoch - 1) is None
        assert jobs.held(session, uuid4(), lease.epoch) is None
        lapsed = func.now() - timedelta(seconds=1)
        session.execute(update(Job).values(lease_expires_at=lapsed))
        assert jobs.held(session, lease.job_id, lease.epoch) is None
