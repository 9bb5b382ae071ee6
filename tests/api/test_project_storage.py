"""Files of projects: fetched, counted, wiped with all that hangs on them."""

import io
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from common.models import (
    Asset,
    DeletionEvent,
    DoomedObject,
    Job,
    Recording,
    SceneRun,
    Thumbnail,
    TranscriptRecord,
)
from tests import factories

PARTS = ["uploads", "processed", "thumbnails", "exports", "music"]


def rows_of(db, *models):
    with db.begin() as session:
        return [session.scalar(select(func.count()).select_from(m)) for m in models]


def doomed(db):
    with db.begin() as session:
        return set(session.scalars(select(DoomedObject.object_key)))


def key_of(db, asset):
    with db.begin() as session:
        return session.get_one(Recording, asset.recording_id).object_key


def bytes_of(db, deps, asset, content):
    deps.storage.write(key_of(db, asset), io.BytesIO(content))


def full(db, project="demo", **fields):
    """Save a file with everything that can hang on one; return it."""
    asset = factories.asset(db, project, **fields)
    factories.thumbnail(db, asset)
    factories.project_job(db, asset)
    factories.project_job(db, asset, state="succeeded")
    transcript = TranscriptRecord(
        recording_id=asset.recording_id,
        object_key=f"projects/{asset.id}.json",
        language="en-US",
        provider="fake",
        model="fake-1",
        total_ms=1000,
        heard_ms=1000,
        gaps=[],
    )
    run = SceneRun(
        id=uuid4(),
        asset_id=asset.id,
        parameters_hash="h",
        parameters={},
        usage={},
        scenes=[],
        about={},
    )
    factories.save(db, transcript, run)
    return asset


ALL = (Asset, Recording, Thumbnail, TranscriptRecord, SceneRun, Job)


def test_statistics_have_five_parts_in_their_order(api, db):
    told = api.get("/storage/stats").json
    nothing = {"bytes": 0, "megabytes": 0.0, "file_count": 0}
    assert told["categories"] == dict.fromkeys(PARTS, nothing)
    assert list(told["categories"]) == PARTS
    assert told["project_id"] is None
    assert told["root"] == "storage"  # and no folder of the server's


def test_statistics_count_by_category(api, db):
    for category, size in (
        *(("source", 1_048_576), ("source", 524_288), ("processed", 10)),
        *(("proxy", 20), ("export", 30), ("music", 40), ("thumbnail", 50)),
    ):
        asset = factories.asset(db, category=category, size_bytes=size)
    factories.thumbnail(db, asset, size_bytes=5)
    factories.thumbnail(db, factories.asset(db, "other", size_bytes=1), size_bytes=6)
    told = api.get("/projects/demo/storage/stats").json
    assert (told["root"], told["project_id"]) == (None, "demo")
    assert told["categories"] == {
        "uploads": {"bytes": 1_572_864, "megabytes": 1.5, "file_count": 2},
        "processed": {"bytes": 30, "megabytes": 0.0, "file_count": 2},
        "thumbnails": {"bytes": 55, "megabytes": 0.0, "file_count": 2},
        "exports": {"bytes": 30, "megabytes": 0.0, "file_count": 1},
        "music": {"bytes": 40, "megabytes": 0.0, "file_count": 1},
    }
    everywhere = api.get("/storage/stats").json["categories"]
    assert everywhere["thumbnails"] == {"bytes": 61, "megabytes": 0.0, "file_count": 3}


@pytest.mark.parametrize("path", ["/storage/stats", "/projects/demo/storage/stats"])
def test_statistics_are_one_statement(api, db, statements, path):
    factories.thumbnail(db, factories.asset(db))
    statements.clear()
    assert api.get(path).status_code == 200
    assert len(statements) == 1


def test_a_file_goes_with_all_that_hangs_on_it(api, db):
    kept = full(db, "other")
    asset = full(db)
    mine = factories.asset(db, category="proxy", source_asset_ids=[asset.id])
    reply = api.delete(f"/projects/demo/videos/{asset.id}")
    assert (reply.status_code, reply.data) == (204, b"")
    assert rows_of(db, *ALL) == [1, 1, 1, 1, 1, 2]
    assert {key_of(db, kept)} & doomed(db) == set()
    assert len(doomed(db)) == 4  # film, picture, transcript, and what was made of it
    assert api.get(f"/projects/demo/videos/{mine.id}").status_code == 404
    assert api.delete(f"/projects/demo/videos/{asset.id}").status_code == 404


def test_what_was_made_of_several_files_stays_until_the_last_goes(api, db):
    one, two = factories.asset(db), factories.asset(db)
    joined = factories.asset(db, category="export", source_asset_ids=[one.id, two.id])
    small = factories.asset(db, category="proxy", source_asset_ids=[joined.id])
    assert api.delete(f"/projects/demo/videos/{one.id}").status_code == 204
    assert api.get(f"/projects/demo/videos/{joined.id}").status_code == 200
    assert api.delete(f"/projects/demo/videos/{two.id}").status_code == 204
    for gone in (joined, small):
        assert api.get(f"/projects/demo/videos/{gone.id}").status_code == 404


def test_a_deletion_leaves_evidence(api, db):
    asset = full(db)
    api.delete(f"/projects/demo/videos/{asset.id}", headers={"x-actor-id": "ann"})
    [event] = api.get("/ops/deletion-audit?entity_type=asset").json["events"]
    assert (event["entity_id"], event["actor"]) == (str(asset.id), "ann")
    assert event["result"] == {"assets": 1, "jobs": 2, "objects": 3}


def test_a_project_is_wiped_and_no_other(api, db):
    for project in ("demo", "demo", "Demo", "demo2"):
        full(db, project)
    assert api.delete("/projects/demo/storage").status_code == 204
    assert rows_of(db, *ALL) == [2, 2, 2, 2, 2, 4]
    assert len(doomed(db)) == 6
    assert api.get("/projects/demo/videos").json == []
    assert api.get("/projects/demo/jobs").json == []
    assert len(api.get("/projects/Demo/videos").json) == 1


def test_wiping_what_is_not_there_is_fine_and_no_event(api, db):
    assert api.delete("/projects/none/storage").status_code == 204
    assert rows_of(db, DeletionEvent) == [0]


def test_wiping_takes_as_many_statements_for_more_files(api, db, statements):
    def wiped(files):
        for _ in range(files):
            factories.thumbnail(db, factories.asset(db))
        statements.clear()
        assert api.delete("/projects/demo/storage").status_code == 204
        return len(statements)

    assert wiped(2) == wiped(12)


def test_a_film_is_played_in_ranges(api, db, deps):
    asset = factories.asset(db, size_bytes=10)
    bytes_of(db, deps, asset, b"0123456789")
    path = f"/projects/demo/videos/{asset.id}/media"
    whole = api.get(path)
    assert (whole.status_code, whole.data) == (200, b"0123456789")
    assert whole.content_type == "video/mp4"
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = api.get(path, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.data) == (206, b"234")
    assert part.headers["Content-Range"] == "bytes 2-4/10"
    assert api.get(path, headers={"Range": "bytes=20-"}).status_code == 416
    tag = {"If-None-Match": whole.headers["ETag"]}
    assert api.get(path, headers=tag).status_code == 304
    assert api.head(path).headers["Content-Length"] == "10"


def test_a_film_has_an_address_that_is_looked_up(api, db, deps):
    asset = factories.asset(db, size_bytes=3)
    bytes_of(db, deps, asset, b"abc")
    for prefix in ("", "/api"):
        reply = api.get(f"{prefix}/storage/{asset.relative_path}")
        assert (reply.status_code, reply.data) == (200, b"abc")
    part = api.get(f"/storage/{asset.relative_path}", headers={"Range": "bytes=1-1"})
    assert part.data == b"b"


def test_a_picture_is_fetched_either_way(api, db, deps):
    asset = factories.asset(db)
    picture = factories.thumbnail(db, asset)
    deps.storage.write(picture.object_key, io.BytesIO(b"\xff\xd8"))
    by_file = api.get(f"/projects/demo/videos/{asset.id}/thumbnail")
    by_address = api.get(f"/storage/{picture.relative_path}")
    for reply in (by_file, by_address):
        assert (reply.data, reply.content_type) == (b"\xff\xd8", "image/jpeg")


@pytest.mark.parametrize("what", ["media", "thumbnail"])
def test_what_is_not_there_cannot_be_fetched(api, db, what):
    asset = factories.asset(db)
    for project, id_ in (("demo", uuid4()), ("other", asset.id), ("demo", "x")):
        reply = api.get(f"/projects/{project}/videos/{id_}/{what}")
        assert reply.status_code == 404
    assert api.get(f"/projects/demo/videos/{asset.id}/{what}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        *("uploads/demo", "uploads/demo/", "none", "../secret", "/etc/passwd"),
        *("uploads/demo/../demo/x.mp4", "%2e%2e/%2e%2e/etc/passwd", "uploads//x"),
        *("a%00b", "uploads/demo/%00"),
    ],
)
def test_no_other_address_leads_anywhere(api, storage_dir, path):
    storage_dir.mkdir()
    (storage_dir.parent / "secret").write_text("secret")
    reply = api.get(f"/storage/{path}")
    assert reply.status_code in (404, 308, 307)
    assert "secret" not in reply.text


def test_an_object_of_ours_is_no_address(api, db, deps):
    asset = factories.asset(db)
    bytes_of(db, deps, asset, b"abc")
    assert api.get(f"/storage/{key_of(db, asset)}").status_code == 404


def test_what_is_sent_is_a_film_whatever_its_client_called_it(api, db, deps):
    asset = factories.asset(db, mime_type="text/html", size_bytes=3)
    bytes_of(db, deps, asset, b"<b>")
    reply = api.get(f"/projects/demo/videos/{asset.id}/media")
    assert reply.content_type == "video/mp4"


@pytest.mark.parametrize("path", ["/projects/demo/videos/{id}/media", "/storage/{at}"])
def test_fetching_is_one_statement(api, db, deps, statements, path):
    asset = factories.asset(db, size_bytes=3)
    bytes_of(db, deps, asset, b"abc")
    statements.clear()
    at = path.format(id=asset.id, at=asset.relative_path)
    assert api.get(at).status_code == 200
    assert len(statements) == 1
