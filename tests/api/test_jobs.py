"""GET /jobs/{id} and /lectures/{id}/jobs."""

from uuid import uuid4

import pytest

from common.models import JobState
from tests import factories
from tests.factories import minute

SHOWN = {
    "queued": "queued",
    "running": "running",
    "waiting": "running",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "failed",
}


@pytest.fixture(autouse=True)
def lecture(db):
    factories.lecture(db)


def test_a_job_has_these_keys_and_no_others(api, db):
    job = factories.job(db, state="succeeded", result={"lectureId": "l1"})
    assert list(api.get(f"/jobs/{job.id}").json.items()) == [
        ("id", str(job.id)),
        ("status", "completed"),
        ("jobType", "transcription"),
        ("result", {"lectureId": "l1"}),
        ("error", None),
    ]


@pytest.mark.parametrize("state", JobState)
def test_every_state_has_a_word_that_clients_know(api, db, state):
    job = factories.job(db, state=state)
    assert api.get(f"/jobs/{job.id}").json["status"] == SHOWN[state]
    [listed] = api.get("/lectures/l1/jobs").json["jobs"]
    assert listed["status"] == SHOWN[state]


@pytest.mark.parametrize(
    ("state", "fields", "shown"),
    [
        ("failed", {"error_code": "media_empty", "error_detail": "No."}, "No."),
        ("failed", {"error_code": "media_empty"}, "media_empty"),
        ("cancelled", {"error_code": "cancelled"}, "cancelled"),
        ("queued", {"error_code": "provider_busy", "error_detail": "Later."}, None),
        ("running", {"error_code": "worker_lost", "error_detail": "Gone."}, None),
        ("succeeded", {}, None),
    ],
)
def test_an_error_is_shown_once_it_is_final(api, db, state, fields, shown):
    job = factories.job(db, state=state, **fields)
    assert api.get(f"/jobs/{job.id}").json["error"] == shown
    assert api.get("/lectures/l1/jobs").json["jobs"][0]["error"] == shown


@pytest.mark.parametrize("job_id", [uuid4(), "nothing", "%00", "1", "{}"])
def test_an_unknown_job_is_not_found(api, job_id):
    reply = api.get(f"/jobs/{job_id}")
    assert reply.status_code == 404
    if job_id != "%00":
        assert reply.json["detail"] == "Job not found."


def test_a_lectures_jobs_are_listed_newest_first(api, db):
    old = factories.job(db, state="failed", created_at=minute(1))
    new = factories.job(db, kind="export", created_at=minute(2))
    reply = api.get("/lectures/l1/jobs").json
    assert list(reply) == ["lectureId", "jobs", "pagination"]
    assert reply["lectureId"] == "l1"
    assert [job["id"] for job in reply["jobs"]] == [str(new.id), str(old.id)]


def test_a_listed_job_has_these_keys_and_no_others(api, db):
    job = factories.job(db, state="failed", created_at=minute(1), error_detail="No.")
    [listed] = api.get("/lectures/l1/jobs").json["jobs"]
    assert list(listed.items()) == [
        ("id", str(job.id)),
        ("status", "failed"),
        ("jobType", "transcription"),
        ("lectureId", "l1"),
        ("result", None),
        ("error", "No."),
        ("createdAt", "2026-11-20T20:01:00.000000Z"),
        ("updatedAt", listed["updatedAt"]),
    ]
    assert listed["updatedAt"].endswith("Z")


def test_another_lectures_jobs_are_not_listed(api, db):
    factories.lecture(db, "l2")
    factories.job(db, "l2")
    assert api.get("/lectures/l1/jobs").json["jobs"] == []


def test_the_pieces_of_a_job_are_not_listed(api, db):
    parent = factories.job(db, state="waiting")
    factories.job(db, subject=None, parent_id=parent.id, payload={"number": 0})
    listed = api.get("/lectures/l1/jobs").json
    assert [job["id"] for job in listed["jobs"]] == [str(parent.id)]
    assert listed["pagination"]["total"] == 1
