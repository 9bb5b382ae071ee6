"""How far a lecture comes, told while it goes."""

import json

import pytest

from tests import factories
from tests.api.people import person, signed_in
from tests.conftest import make_api


def events(reply):
    """Return id and data of each event."""
    frames = [one for one in reply.text.split("\n\n") if not one.startswith(":")]
    found = [dict(line.split(": ", 1) for line in one.splitlines()) for one in frames]
    return [(one["id"], json.loads(one["data"])) for one in found if one]


@pytest.fixture
def db(committed_db):
    """Commits that are real: the watcher looks over a connection of its own."""
    return committed_db


@pytest.fixture
def api(committed_deps):
    return make_api(committed_deps)


@pytest.fixture
def done(db):
    """A lecture of which everything is made."""
    lecture = factories.lecture(db, status="generated")
    for kind in ("transcription", "generation", "export"):
        factories.job(db, kind=kind, state="succeeded", progress=100)
    return lecture


def test_a_lecture_that_is_done_is_one_event_and_the_end(api, done):
    reply = api.get("/lectures/l1/events")
    assert reply.content_type == "text/event-stream; charset=utf-8"
    [(_, told)] = events(reply)
    assert told == api.get("/lectures/l1/progress").json
    assert told["overallStatus"] == "completed"


def test_who_has_seen_the_end_is_told_not_to_ask_again(api, done):
    [(seen, _)] = events(api.get("/lectures/l1/events"))
    reply = api.get("/lectures/l1/events", headers={"Last-Event-ID": seen})
    assert reply.status_code == 204


def test_a_failure_is_an_end(api, db):
    factories.lecture(db, status="failed")
    factories.job(db, state="failed", error_code="broken")
    [(_, told)] = events(api.get("/lectures/l1/events"))
    assert told["overallStatus"] == "failed"


def test_another_person_s_lecture_is_not_found(api, db, settings):
    ann, ben = person(db), person(db, email="ben@example.com")
    factories.lecture(db, status="failed", owner_id=ann.id)
    factories.job(db, state="failed")
    for headers, status in ((signed_in(settings, ben), 404), ({}, 404)):
        assert api.get("/lectures/l1/events", headers=headers).status_code == status
    assert api.get("/lectures/l1/events", headers=signed_in(settings, ann)).text


def test_what_is_not_there_is_not_found(api):
    assert api.get("/lectures/none/events").status_code == 404


def test_each_look_is_two_statements(api, done, statements):
    statements.clear()
    api.get("/lectures/l1/events")
    assert len(statements) == 1 + 2 + 2  # may it be seen; its present state; one look
