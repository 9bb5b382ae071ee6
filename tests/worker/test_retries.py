"""What an error means for the job that met it: the one retry policy there is."""

from datetime import UTC, datetime

import pytest

from common.errors import (
    Conflict,
    ProviderAuthError,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    UnreadableMedia,
)
from common.models import Job, Lecture
from tests import invariants
from tests.common.job_steps import change


def deliver(worker, job_id, seq=1):
    return worker.post(f"/tasks/{job_id}", {"seq": seq}).status_code


def only_job(db):
    with db.begin() as session:
        return session.query(Job).one()


def delay_of(found):
    return (found.available_at - datetime.now(UTC)).total_seconds()


def status_of_lecture(db):
    with db.begin() as session:
        return session.get_one(Lecture, "l1").status


@pytest.fixture
def asked(ingest, queue, db):
    """A lecture whose recording waits to be transcribed; its task was taken."""
    assert ingest().status_code == 200
    queue.take()
    return only_job(db)


RETRIED = {
    "busy": (ProviderBusy(), "provider_busy", 0, (9, 10)),
    "busy until": (
        ProviderBusy(retry_after_seconds=77),
        "provider_busy",
        0,
        (76, 77),
    ),
    "down": (ProviderUnavailable(), "provider_unavailable", 1, (2, 5)),
    "bug": (RuntimeError("the key is sk-1234"), "internal_error", 1, (2, 5)),
    "database": (KeyError("sk-1234"), "internal_error", 1, (2, 5)),
}


@pytest.mark.parametrize(
    ("error", "code", "attempt", "wait"), RETRIED.values(), ids=RETRIED
)
def test_what_may_pass_is_tried_again(
    worker, asked, db, speech, error, code, attempt, wait
):
    speech.errors = [error]

    assert deliver(worker, asked.id) == 200

    found = only_job(db)
    assert (found.state, found.error_code, found.attempt) == ("queued", code, attempt)
    assert wait[0] <= delay_of(found) <= wait[1]
    assert status_of_lecture(db) == "transcribing"


FATAL = {
    "key": (ProviderAuthError("The key was refused."), "provider_auth"),
    "refused": (ProviderError("The provider refused."), "provider_rejected"),
    "media": (UnreadableMedia("Not a recording."), "media_unreadable"),
    "state": (Conflict("Not now.", code="odd"), "odd"),
}


@pytest.mark.parametrize(("error", "code"), FATAL.values(), ids=FATAL)
def test_what_will_not_pass_ends_the_job_and_marks_the_lecture(
    worker, asked, db, speech, error, code
):
    speech.errors = [error]

    assert deliver(worker, asked.id) == 200

    found = only_job(db)
    assert (found.state, found.error_code) == ("failed", code)
    assert found.error_detail == str(error)
    assert status_of_lecture(db) == "failed"
    invariants.check(db, at_rest=True)


def test_the_last_attempt_marks_the_lecture_too(worker, asked, db, speech, queue):
    change(db, asked.id, attempt=7)
    speech.errors = [ProviderUnavailable()]

    deliver(worker, asked.id)

    assert only_job(db).state == "failed"
    assert status_of_lecture(db) == "failed"
    assert queue.take() == []


def test_the_text_of_a_bug_is_told_to_nobody(worker, asked, db, speech, api, caplog):
    speech.errors = [RuntimeError("the key is sk-1234")]
    change(db, asked.id, attempt=7)

    deliver(worker, asked.id)

    assert only_job(db).error_detail == "Internal error (RuntimeError)."
    told = api.get(f"/jobs/{asked.id}").json["error"]
    assert told == "Internal error (RuntimeError)."
    assert "sk-1234" in caplog.text, "the log is where it can be found"


def test_a_key_that_is_refused_is_an_alarm(worker, asked, speech, caplog):
    speech.errors = [ProviderAuthError()]

    deliver(worker, asked.id)

    assert [r.levelname for r in caplog.records if r.error == "provider_auth"] == [
        "ERROR"
    ]
