"""Exports at the door: what is refused before a job is written."""

import pytest
from sqlalchemy import func, select

from common.ids import new_id
from common.models import Asset, Job, Recording
from tests.factories import save


@pytest.fixture
def asset(db):
    """Make a row of a project's file; nothing is stored."""

    def make(project="demo", path="uploads/demo/talk.mp4"):
        recording_id = new_id()
        recording = Recording(
            id=recording_id,
            kind="video",
            object_key=f"projects/{recording_id}.mp4",
            original_filename="talk.mp4",
            size_bytes=4,
            sha256="0" * 64,
        )
        row = Asset(
            id=new_id(),
            project_id=project,
            recording_id=recording_id,
            filename="talk.mp4",
            original_filename="talk.mp4",
            relative_path=path,
            mime_type="video/mp4",
            size_bytes=4,
            status="ready",
            about={},
        )
        return save(db, recording, row)

    return make


@pytest.fixture
def order(api, db):
    """Ask for an export; also return how many jobs there are then."""

    def send(payload, project="demo"):
        body = {"job_type": "export", "payload": payload}
        reply = api.post(f"/projects/{project}/jobs", json=body)
        with db.begin() as session:
            return reply, session.scalar(select(func.count()).select_from(Job))

    return send


def test_an_export_is_queued_with_its_timeline(asset, order, db):
    clip = {"assetId": str(asset().id), "transition": None, "includeAudio": False}

    reply, count = order({"clips": [clip], "aspect_ratio": None})

    assert (reply.status_code, count) == (201, 1), reply.text
    assert reply.json["job_type"] == "export"
    told = {"asset_id": clip["assetId"], "include_audio": False}
    assert reply.json["payload"] == {"timeline": {"clips": [told]}}
    with db.begin() as session:
        job = session.scalars(select(Job)).one()
    assert (job.kind, job.queue, job.project_id) == (
        "timeline_export",
        "media",
        "demo",
    )


def test_asking_twice_for_the_same_makes_one_job(asset, order):
    clips = [{"asset_id": str(asset().id)}]

    first, _ = order({"clips": clips})
    again, count = order({"timeline": {"clips": clips, "resolution": None}})
    other, more = order({"clips": clips, "resolution": "540p"})

    assert again.json["id"] == first.json["id"] != other.json["id"]
    assert (count, more) == (1, 2)


def test_another_projects_file_is_404(asset, order):
    theirs = asset(project="other")

    reply, count = order({"clips": [{"asset_id": str(theirs.id)}]})

    assert (reply.status_code, count) == (404, 0)
    assert reply.json["detail"] == (
        f"Video asset '{theirs.id}' not found in repository"
    )


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "uploads/other/../demo/talk.mp4",
        "uploads/other/logo.png",
        "UPLOADS/DEMO/TALK.MP4",
    ],
)
@pytest.mark.parametrize(
    "fields",
    [
        {"default_watermark": "path"},
        {"background_music": "track"},
        {"global_subtitles": "path"},
    ],
)
def test_a_file_that_is_not_the_projects_is_404(asset, order, path, fields):
    mine = asset()
    asset(project="other", path="uploads/other/logo.png")
    [(field, name)] = fields.items()

    reply, count = order({"clips": [{"asset_id": str(mine.id)}], field: {name: path}})

    assert (reply.status_code, count) == (404, 0)
    assert path in reply.json["detail"]


@pytest.mark.parametrize(
    ("clip", "text"),
    [
        ({"in_point": 2, "out_point": 1}, "out_point must be greater than in_point"),
        ({"transition": {"type": "wipe"}}, "crossfade"),
        ({"watermark": {"path": "a\0b"}}, "pattern"),
    ],
)
def test_a_timeline_that_makes_no_sense_is_422(asset, order, clip, text):
    reply, count = order({"clips": [{"asset_id": str(asset().id), **clip}]})

    assert (reply.status_code, count) == (422, 0), reply.text
    assert text in reply.text
    assert reply.json["detail"][0]["loc"][:4] == ["body", "payload", "clips", 0]


def test_text_that_the_database_cannot_hold_is_dropped_or_refused(asset, order):
    clip = {"asset_id": str(asset().id), "unknown": "a\0b"}

    reply, _ = order({"clips": [clip], "more\0": 1})

    assert reply.status_code == 201, reply.text


def test_looking_for_files_takes_one_statement(asset, order, statements):
    clips = [{"asset_id": str(asset(path=f"uploads/demo/{n}").id)} for n in range(9)]
    statements.clear()

    reply, _ = order({"clips": clips})

    assert reply.status_code == 201
    assert len([s for s in statements if "assets.relative_path" in s]) == 1
