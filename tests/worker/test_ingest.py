"""The job that looks into a project's file: facts, a picture, a small copy."""

import io

import pytest
from sqlalchemy import func, select

from common.assets import films
from common.models import Asset, DoomedObject, Job, Recording, Thumbnail
from common.providers.storage.local import LocalStorage
from tests import factories
from tests.films import film


@pytest.fixture
def upload(api):
    def send(content=None, name="talk.mp4"):
        data = {"file": (io.BytesIO(content or film()), name)}
        reply = api.post("/projects/demo/videos", data=data)
        assert reply.status_code == 201
        return reply.json["asset_id"]

    return send


@pytest.fixture
def ingested(api, worker, queue):
    """Have a file ingested by the worker; return the job as its client sees it."""

    def run(asset_id, **fields):
        payload = {"asset_id": asset_id, "checksum": "abc"}
        document = {"job_type": "ingest", "payload": payload, **fields}
        job = api.post("/projects/demo/jobs", json=document).json
        worker.run_all(queue)
        return api.get(f"/projects/demo/jobs/{job['id']}").json

    return run


def rows_of(db, *models):
    with db.begin() as session:
        return [session.scalar(select(func.count()).select_from(m)) for m in models]


def large():
    """Return a film whose copy is smaller; the test client leaves larger ones open."""
    made = film(".mov", seconds=0.4, codec="mpeg4", size=(240, 180), noisy=True)
    assert 100_000 < len(made) < 490_000
    return made


def test_an_ingest_tells_what_it_did(api, upload, ingested):
    id_ = upload()
    job = ingested(id_)
    assert (job["status"], job["progress"], job["attempts"]) == ("completed", 100.0, 1)
    assert [line["message"] for line in job["logs"]] == [
        *("Job queued", "Job started", "Validating ingest request"),
        *("Validating source media", "Extracting technical metadata"),
        *("Registering asset in catalog", "Ingest processing complete"),
        "Job completed successfully",
    ]
    assert job["result"]["asset_id"] == id_
    assert job["result"]["checksum"] == "abc"
    assert job["result"]["notes"] == "Ingest pipeline completed"
    assert job["result"]["metadata"]["codec"] == "h264"
    [row] = api.get("/projects/demo/videos").json
    assert row["metadata"] == job["result"]["metadata"]


def test_a_small_film_gets_no_copy_and_the_job_says_so(upload, ingested, db):
    result = ingested(upload())["result"]
    assert result["proxy"] is None
    assert result["proxy_note"] == "The file is small and plays everywhere."
    assert rows_of(db, Asset) == [1]


def test_a_large_film_gets_a_copy_that_plays_everywhere(api, upload, ingested, db):
    id_ = upload(large(), "Talk.mov")
    result = ingested(id_)["result"]
    source, copy = api.get("/projects/demo/videos").json
    assert copy["category"] == "proxy"
    assert copy["source_asset_ids"] == [id_]
    stem = source["filename"].removesuffix(".mov")
    assert copy["relative_path"] == f"processed/demo/{stem}-preview.mp4"
    assert result["proxy"] == {
        "asset_id": copy["id"],
        "relative_path": copy["relative_path"],
    }
    assert copy["metadata"]["codec"] == "h264"
    assert copy["size_bytes"] < source["size_bytes"]
    [made] = source["metadata"]["derivatives"]
    assert (made["asset_id"], made["category"]) == (copy["id"], "proxy")
    played = api.get(
        f"/storage/{copy['relative_path']}", headers={"Range": "bytes=4-7"}
    )
    assert played.data == b"ftyp"
    assert rows_of(db, DoomedObject) == [1]  # the picture of the upload


def test_a_second_run_makes_nothing_twice(api, upload, ingested, db):
    id_ = upload(large(), "talk.mov")
    ingested(id_)
    result = ingested(id_)["result"]
    assert result["proxy_note"] == "The copy of an earlier run is kept."
    assert rows_of(db, Asset, Recording, Thumbnail) == [2, 2, 1]
    [source, _] = api.get("/projects/demo/videos").json
    assert len(source["metadata"]["derivatives"]) == 1


def test_every_object_has_a_row_or_is_doomed(upload, ingested, db, storage_dir):
    ingested(upload(large(), "talk.mov"))
    stored = {
        str(path.relative_to(storage_dir))
        for path in storage_dir.rglob("*")
        if path.is_file()
    }
    with db.begin() as session:
        known = set(session.scalars(select(Recording.object_key)))
        known |= set(session.scalars(select(Thumbnail.object_key)))
        known |= set(session.scalars(select(DoomedObject.object_key)))
    assert stored == known


def test_a_file_that_cannot_be_read_is_marked_with_the_reason(
    api, db, deps, ingested, worker, queue
):
    asset = factories.asset(db)
    with db.begin() as session:
        key = session.get_one(Recording, asset.recording_id).object_key
    deps.storage.write(key, io.BytesIO(b"no film at all"))
    job = ingested(str(asset.id))
    assert (job["status"], job["attempts"]) == ("failed", 1)
    [row] = api.get("/projects/demo/videos").json
    assert row["status"] == "failed"
    assert row["metadata"]["error"] == {
        "code": "media_unreadable",
        "message": job["error_message"],
    }
    assert rows_of(db, Asset, Thumbnail) == [1, 0]


def test_a_later_success_takes_the_mark_away(api, db, upload, ingested):
    id_ = upload()
    with db.begin() as session:
        asset = session.scalars(select(Asset)).one()
        asset.status, asset.about = "failed", {"error": {"code": "x"}}
    ingested(id_)
    [row] = api.get("/projects/demo/videos").json
    assert row["status"] == "ready"
    assert "error" not in row["metadata"]


def test_a_file_that_is_gone_from_storage_is_no_endless_matter(db, ingested):
    job = ingested(str(factories.asset(db).id))
    assert (job["status"], job["attempts"]) == ("failed", 1)


def test_a_budget_of_tries_is_kept(db, upload, ingested, worker, queue, monkeypatch):
    def full(*_):
        raise OSError("no space")

    id_ = upload()
    monkeypatch.setattr(LocalStorage, "read", full)
    job = ingested(id_, max_attempts=1)
    assert (job["status"], job["attempts"], job["max_attempts"]) == ("failed", 1, 1)
    assert "no space" not in job["error_message"]  # what a bug says stays in the log


def test_a_retry_waits_as_long_as_was_asked(api, db, upload, ingested, monkeypatch):
    def full(*_):
        raise OSError

    id_ = upload()
    monkeypatch.setattr(LocalStorage, "read", full)
    ingested(id_, max_attempts=2, retry_delay_seconds=40)
    with db.begin() as session:
        wait = func.extract("epoch", Job.available_at - func.now())
        assert session.scalar(select(wait)) == pytest.approx(40, abs=0.1)


def test_a_cancelled_job_makes_no_copy(
    db, upload, api, worker, heart, queue, monkeypatch
):
    id_ = upload(large(), "talk.mov")
    document = {"job_type": "ingest", "payload": {"asset_id": id_}}
    job = api.post("/projects/demo/jobs", json=document).json
    looked = films.examine

    def cancelled_meanwhile(*asked):
        api.post(f"/projects/demo/jobs/{job['id']}/cancel")
        heart.beat()
        return looked(*asked)

    monkeypatch.setattr(films, "examine", cancelled_meanwhile)
    worker.run_all(queue)
    told = api.get(f"/projects/demo/jobs/{job['id']}").json
    assert (told["status"], told["error_code"]) == ("failed", "cancelled")
    assert told["logs"][-1]["message"] == "Job cancelled"
    [row] = api.get("/projects/demo/videos").json
    assert row["status"] == "ready"
