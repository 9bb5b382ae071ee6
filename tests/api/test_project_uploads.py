"""Large films go to storage directly, and become files of their project."""

import re
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from common.models import Asset, DoomedObject, Recording, Thumbnail, Upload
from tests.api.guards import with_settings
from tests.films import film


def announce(api, content, name="talk.mp4", project="demo", **fields):
    document = {
        "filename": name,
        "contentType": "video/mp4",
        "sizeBytes": len(content),
        "project": {"project_id": project},
        **fields,
    }
    return api.post("/uploads", json=document)


def send(api, opened, content):
    path = re.sub(r"^https?://[^/]+", "", opened["uploadUrl"])
    reply = api.put(path, data=content, content_type="video/mp4")
    assert reply.status_code == 200
    return api.post(f"/uploads/{opened['uploadId']}/complete")


def rows_of(db, *models):
    with db.begin() as session:
        return [session.scalar(select(func.count()).select_from(m)) for m in models]


def test_a_direct_upload_becomes_a_file_of_its_project(api, db):
    opened = announce(api, film(), "My Talk.mp4")
    assert opened.status_code == 201
    assert opened.json["fileType"] == "video"
    told = send(api, opened.json, film())
    assert told.status_code == 200
    assert (told.json["state"], told.json["projectId"]) == ("used", "demo")
    [row] = api.get("/projects/demo/videos").json
    assert row["id"] == told.json["assetId"]
    assert row["original_filename"] == "My Talk.mp4"
    assert (row["status"], row["metadata"]["codec"]) == ("ready", "h264")
    assert row["thumbnail_path"].endswith(".jpg")
    played = api.get(f"/storage/{row['relative_path']}")
    assert played.data == film()
    assert rows_of(db, Asset, Recording, Thumbnail, DoomedObject) == [1, 1, 1, 0]
    shown = api.get(f"/uploads/{opened.json['uploadId']}").json
    assert (shown["projectId"], shown["lectureId"]) == ("demo", None)


def test_completing_it_again_is_answered_alike(api, db):
    opened = announce(api, film()).json
    first = send(api, opened, film()).json
    assert api.post(f"/uploads/{opened['uploadId']}/complete").json == first
    assert rows_of(db, Asset) == [1]


def test_it_has_the_name_that_the_form_would_have_given_it(api):
    send(api, announce(api, film()).json, film())
    [row] = api.get("/projects/demo/videos").json
    assert api.delete(f"/projects/demo/videos/{row['id']}").status_code == 204
    send(api, announce(api, film()).json, film())
    [again] = api.get("/projects/demo/videos").json
    assert again["filename"] == row["filename"]


def test_what_is_no_film_is_refused_and_goes(api, db):
    opened = announce(api, b"no film").json
    told = send(api, opened, b"no film")
    assert told.status_code == 422
    assert told.json["error"]["code"] == "media_unreadable"
    assert rows_of(db, Asset, Recording, Thumbnail, DoomedObject) == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "talk.mkv"}, 400),
        ({"name": "talk.pdf"}, 400),
        ({"project": ".."}, 400),
        ({"project": "%2e%2e"}, 400),
        ({"project": " "}, 400),
        ({"sizeBytes": 104_857_601}, 413),
        ({"project_id": "demo", "lecture": {}}, 400),
    ],
)
def test_what_cannot_be_taken_is_refused_beforehand(api, db, fields, status):
    fields.pop("project_id", None)
    assert announce(api, b"x", **fields).status_code == status
    assert rows_of(db, Upload) == [0]


def test_the_limit_is_that_of_projects(api, deps):
    api.application.extensions["deps"] = with_settings(deps, upload_max_bytes=10)
    assert announce(api, b"x" * 11).status_code == 413
    assert announce(api, b"x" * 10).status_code == 201


def test_it_cannot_become_a_lecture(api):
    opened = announce(api, film()).json
    path = re.sub(r"^https?://[^/]+", "", opened["uploadUrl"])
    api.put(path, data=film(), content_type="video/mp4")
    form = {
        "course_id": "c1",
        "lecture_id": "l1",
        "preset_id": "exam",
        "title": "T",
        "storage_path": opened["storagePath"],
    }
    reply = api.post("/lectures/ingest", data=form)
    assert (reply.status_code, reply.json["error"]["code"]) == (409, "upload_used")
    assert api.post(f"/uploads/{opened['uploadId']}/complete").status_code == 200


def test_an_unknown_upload_is_not_there(api):
    assert api.post(f"/uploads/{uuid4()}/complete").status_code == 404
