"""Music, watermarks and subtitles come into a project; exports find them there."""

import io

import pytest
from sqlalchemy import func, select

from common.models import Asset, DoomedObject, Recording
from tests.film_samples import picture, tone

SRT = b"1\n00:00:00,000 --> 00:00:01,000\nHello\n"


def send(api, content, name, project="demo"):
    data = {"file": (io.BytesIO(content), name)}
    return api.post(f"/projects/{project}/materials", data=data)


def stored_files(storage_dir):
    return [path for path in storage_dir.rglob("*") if path.is_file()]


def rows_of(db, *models):
    with db.begin() as session:
        return [session.scalar(select(func.count()).select_from(m)) for m in models]


@pytest.mark.parametrize(
    ("content", "name", "category", "mime_type"),
    [
        (tone(0.5).getvalue(), "Song 1.m4a", "music", "audio/mp4"),
        (picture().getvalue(), "شعار.PNG", "source", "image/png"),
        (SRT, "words.srt", "source", "application/x-subrip"),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n", "w.vtt", "source", "text/vtt"),
    ],
)
def test_a_material_is_taken_in(api, db, content, name, category, mime_type):
    reply = send(api, content, name)

    assert reply.status_code == 201, reply.text
    with db.begin() as session:
        row = session.scalars(select(Asset)).one()
    assert str(row.id) == reply.json["asset_id"]
    assert (row.category, row.mime_type, row.status) == (category, mime_type, "ready")
    assert row.original_filename == name
    folder = {"music": "music", "source": "uploads"}[category]
    assert row.relative_path == f"{folder}/demo/{reply.json['filename']}"
    assert rows_of(db, DoomedObject) == [0]


def test_an_export_finds_it_by_its_address(api, db):
    song = send(api, tone(0.5).getvalue(), "song.m4a").json["filename"]
    clips = [{"asset_id": send(api, SRT, "words.srt").json["asset_id"]}]

    def export(project):
        payload = {"clips": clips, "background_music": {"track": f"music/demo/{song}"}}
        body = {"job_type": "export", "payload": payload}
        return api.post(f"/projects/{project}/jobs", json=body).status_code

    assert export("demo") == 201
    assert export("other") == 404


def test_the_same_file_is_taken_in_once(api, db):
    first, again = (send(api, SRT, "words.srt") for _ in range(2))
    other = send(api, SRT, "words.srt", project="other")

    assert again.json == first.json
    assert other.json["asset_id"] != first.json["asset_id"]
    assert rows_of(db, Asset, Recording, DoomedObject) == [2, 2, 1]


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"<svg/>", "logo.svg", 400),
        (b"#!/bin/sh", "run.sh", 400),
        (b"x", "noend", 400),
        (b"<svg/>", "logo.png", 422),
        (picture().getvalue(), "logo.jpg", 422),
        (b"root:x:0:0", "words.srt", 422),
        (b"\xff\xfe\xfd", "words.vtt", 422),
        (picture().getvalue(), "song.mp3", 422),
        (b"", "song.mp3", 422),
    ],
)
def test_what_is_not_what_its_name_says_leaves_nothing(
    api, db, storage_dir, content, name, status
):
    reply = send(api, content, name)

    assert reply.status_code == status, reply.text
    assert rows_of(db, Asset, Recording, DoomedObject) == [0, 0, 0]
    assert stored_files(storage_dir) == []


@pytest.mark.parametrize(
    ("most", "content", "name"),
    [
        ("common.timeline.captions.MAX_BYTES", SRT, "words.srt"),
        ("common.assets.materials.MOST_PICTURE_BYTES", picture().getvalue(), "a.png"),
    ],
)
def test_what_is_too_large_for_its_kind_leaves_nothing(
    api, db, storage_dir, monkeypatch, most, content, name
):
    monkeypatch.setattr(most, len(content) - 1)

    assert send(api, content, name).status_code == 413
    assert rows_of(db, Asset, Recording, DoomedObject) == [0, 0, 0]
    assert stored_files(storage_dir) == []


def test_a_file_is_needed(api):
    assert api.post("/projects/demo/materials", data={}).status_code == 422
