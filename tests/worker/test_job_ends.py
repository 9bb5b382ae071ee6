"""Each job that ends says so once in the logs; the promises are counted from that."""

import logging
from datetime import UTC, datetime, timedelta

import pytest

from common.errors import ProviderUnavailable
from tests import factories
from tests.common.job_steps import change


@pytest.fixture
def ends(caplog):
    """The ends that were logged: type, status, and how long each job took."""
    caplog.set_level(logging.INFO)

    def read():
        said = [one for one in caplog.records if one.message == "job.updated"]
        return sorted(
            (one.job_type, str(one.status), hasattr(one, "seconds"))
            for one in said
            if one.status in ("succeeded", "failed")
        )

    return read


def test_a_recording_in_pieces_ends_once(worker, queue, speech, ingest, ends):
    """It runs twice: to hand out its pieces, and to put them together."""
    speech.max_chunk_ms = 2000
    ingest()
    worker.run_all(queue)
    told = ends()
    pieces = [one for one in told if one[0] == "transcription_chunk"]
    assert len(pieces) > 1
    assert set(pieces) == {("transcription_chunk", "succeeded", True)}
    assert [one for one in told if one not in pieces] == [
        ("transcription", "succeeded", True)
    ]


def test_a_job_that_is_tried_again_has_not_ended(worker, queue, speech, ingest, ends):
    ingest()
    speech.errors = [ProviderUnavailable("away")]
    [task] = queue.take()
    worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
    assert ends() == []


def test_a_job_that_fails_for_good_has(api, worker, queue, db, ends):
    factories.lecture(db)
    api.post("/lectures/l1/generate", json={})
    worker.run_all(queue)
    assert ends() == [("generation", "failed", False)]


def test_the_time_is_that_since_somebody_asked(worker, queue, db, ingest, caplog):
    caplog.set_level(logging.INFO)
    ingest()
    [task] = queue.take()
    asked = datetime.now(UTC) - timedelta(minutes=20)
    change(db, task.job_id, created_at=asked)
    worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
    [end] = [one for one in caplog.records if one.message == "job.updated"]
    assert 1190 < end.seconds < 1260
