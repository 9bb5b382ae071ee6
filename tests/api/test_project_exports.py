"""Exports as a resource of their own: asked for, listed, stopped, tried again."""

import pytest

from tests import factories
from tests.factories import minute


@pytest.fixture
def clips(db):
    return [{"asset_id": str(factories.asset(db).id)}]


def job(db, state="queued", number=0, **fields):
    """Save an export in some state."""
    values = {
        "kind": "timeline_export",
        "payload": {"project_id": "demo", "timeline": {"clips": []}},
        "created_at": minute(number),
        **fields,
    }
    return factories.project_job(db, factories.asset(db), state=state, **values)


def test_an_export_is_a_job_of_its_type(api, clips):
    made = api.post("/projects/demo/exports", json={"clips": clips})

    assert made.status_code == 201, made.text
    path = f"/projects/demo/{{}}/{made.json['id']}"
    assert api.get(path.format("exports")).json == api.get(path.format("jobs")).json
    assert made.json["job_type"] == "export"
    assert made.json["payload"] == {"timeline": {"clips": clips}}


def test_a_timeline_that_makes_no_sense_is_refused(api):
    assert api.post("/projects/demo/exports", json={"clips": []}).status_code == 422


def test_a_listing_has_exports_only_newest_first(api, db, statements):
    ids = [str(job(db, number=number).id) for number in range(3)]
    factories.project_job(db, factories.asset(db))
    job(db, project_id="other")
    statements.clear()

    listed = api.get("/projects/demo/exports").json

    assert [one["id"] for one in listed] == ids[::-1]
    assert len(statements) == 2
    paged = api.get("/projects/demo/exports?limit=1&offset=1").json
    assert [one["id"] for one in paged] == [ids[1]]


@pytest.mark.parametrize("path", ["", "/cancel", "/retry"])
def test_what_is_no_export_of_the_project_is_404(api, db, path):
    send = api.post if path else api.get
    other = factories.project_job(db, factories.asset(db))
    theirs = job(db, project_id="other")

    for id_ in (other.id, theirs.id, "nonsense"):
        reply = send(f"/projects/demo/exports/{id_}{path}")
        assert (reply.status_code, reply.json["detail"]) == (404, "Export not found")


def test_an_export_can_be_cancelled(api, clips):
    made = api.post("/projects/demo/exports", json={"clips": clips}).json

    ended = api.post(f"/projects/demo/exports/{made['id']}/cancel").json

    assert (ended["status"], ended["error_code"]) == ("failed", "cancelled")
    assert api.get(f"/projects/demo/exports/{made['id']}").json == ended


def test_a_failed_or_cancelled_export_can_be_tried_again(api, clips):
    made = api.post("/projects/demo/exports", json={"clips": clips}).json
    path = f"/projects/demo/exports/{made['id']}"
    assert api.post(f"{path}/retry").status_code == 409
    api.post(f"{path}/cancel")

    again = api.post(f"{path}/retry")

    assert again.status_code == 201, again.text
    assert again.json["id"] != made["id"]
    assert again.json["payload"] == made["payload"]
    assert again.json["status"] == "queued"


def test_a_finished_export_is_not_tried_again(api, db):
    done = job(db, "succeeded", result={})

    reply = api.post(f"/projects/demo/exports/{done.id}/retry")

    assert reply.status_code == 409
