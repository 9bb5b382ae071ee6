"""Projects at a glance."""

import pytest

from tests import factories


def test_a_project_shows_its_newest_file_and_job(api, db):
    factories.asset(db, created_at=factories.minute(0), size_bytes=10)
    asset = factories.asset(db, created_at=factories.minute(1), size_bytes=20)
    factories.thumbnail(db, asset)
    factories.asset(db, category="proxy", created_at=factories.minute(2), size_bytes=5)
    factories.project_job(db, asset, created_at=factories.minute(1), state="failed")
    job = factories.project_job(
        db, asset, created_at=factories.minute(3), state="running", progress=35
    )
    told = api.get("/projects/demo").json
    assert told["asset_count"] == 2
    assert told["total_size_bytes"] == 35
    assert told["status"] == "processing"
    assert told["display_name"] == "demo"
    assert told["job_progress"] == 35.0
    picture = f"/projects/demo/videos/{asset.id}/thumbnail"
    assert told["thumbnail_url"] == picture
    assert told["latest_asset"]["asset_id"] == str(asset.id)
    assert told["latest_asset"]["size_bytes"] == 20
    assert told["latest_job"] == {
        "id": str(job.id),
        "job_type": "ingest",
        "status": "running",
        "progress": 35.0,
        "updated_at": told["latest_job"]["updated_at"],
        "error_message": None,
    }


@pytest.mark.parametrize(
    ("asset", "job", "status"),
    [
        ("ready", None, "ready"),
        ("failed", None, "failed"),
        ("ready", "queued", "processing"),
        ("ready", "waiting", "processing"),
        ("ready", "succeeded", "ready"),
        ("ready", "failed", "failed"),
        ("ready", "cancelled", "ready"),
    ],
)
def test_the_status_is_that_of_what_happened_last(api, db, asset, job, status):
    found = factories.asset(db, status=asset)
    if job:
        factories.project_job(db, found, state=job, error_detail="Why.")
    told = api.get("/projects/demo").json
    assert told["status"] == status
    if job == "failed":
        assert told["latest_job"]["error_message"] == "Why."


def test_projects_are_listed_what_changed_last_first(api, db):
    for number, project in enumerate(("a", "b", "ö/x".replace("/", "-"))):
        at = factories.minute(number)
        factories.asset(db, project, created_at=at, updated_at=at)
    listed = api.get("/projects").json
    assert [one["project_id"] for one in listed] == ["ö-x", "b", "a"]
    assert [one["latest_job"] for one in listed] == [None] * 3
    assert [one["thumbnail_url"] for one in listed] == [None] * 3
    page = api.get("/projects?limit=1&offset=1").json
    assert [one["project_id"] for one in page] == ["b"]
    assert api.get("/projects?limit=1000").status_code == 422


def test_there_is_no_project_without_files(api):
    assert api.get("/projects").json == []
    reply = api.get("/projects/none")
    assert reply.status_code == 404
    assert reply.json["detail"] == "Project not found"


def test_a_picture_s_address_can_be_called(api, db):
    asset = factories.asset(db, "mein Projekt?")
    factories.thumbnail(db, asset)
    [told] = api.get("/projects").json
    assert told["thumbnail_url"].startswith("/projects/mein%20Projekt%3F/videos/")
    assert api.get(told["thumbnail_url"]).json["detail"] == "Asset not found"


@pytest.mark.parametrize("path", ["/projects", "/projects/p3"])
def test_it_is_one_statement(api, db, statements, path):
    for number in range(5):
        asset = factories.asset(db, f"p{number}")
        factories.project_job(db, asset)
    statements.clear()
    assert api.get(path).status_code == 200
    assert len(statements) == 1
