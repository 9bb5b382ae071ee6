"""Films come into a project: streamed, looked into, and gone again if refused."""

import io
import re
from uuid import UUID

import pytest
from sqlalchemy import func, select

from common.errors import Unavailable
from common.models import Asset, DoomedObject, Recording, Thumbnail
from common.providers.storage.local import LocalStorage
from tests import factories
from tests.api.guards import with_settings
from tests.films import film


def send(api, content=None, name="My Lesson (1).mp4", project="demo", **extra):
    data = {"file": (io.BytesIO(film() if content is None else content), name)}
    return api.post(f"/projects/{project}/videos", data=data, **extra)


def stored_files(storage_dir):
    return [path for path in storage_dir.rglob("*") if path.is_file()]


def rows_of(db, *models):
    with db.begin() as session:
        return [session.scalar(select(func.count()).select_from(m)) for m in models]


def test_a_film_is_taken_in_and_ready(api, db):
    reply = send(api)
    assert reply.status_code == 201
    told = reply.json
    assert UUID(told.pop("asset_id"))
    assert re.fullmatch(r"my-lesson-1--[0-9a-f]{10}\.mp4", told.pop("filename"))
    assert told == {
        "original_filename": "My Lesson (1).mp4",
        "size_bytes": len(film()),
        "project_id": "demo",
        "status": "ready",
        "message": "Upload successful",
    }
    assert rows_of(db, Asset, Recording, Thumbnail, DoomedObject) == [1, 1, 1, 0]


def test_what_was_sent_is_what_is_stored(api, db, storage_dir):
    send(api)
    with db.begin() as session:
        key = session.scalars(select(Recording.object_key)).one()
        pictured = session.scalars(select(Thumbnail.object_key)).one()
    assert (storage_dir / key).read_bytes() == film()
    assert (storage_dir / pictured).read_bytes()[:3] == b"\xff\xd8\xff"
    assert len(stored_files(storage_dir)) == 2
    assert "demo" not in key
    assert "lesson" not in key


def test_a_listing_tells_what_is_in_the_film(api):
    id_ = send(api).json["asset_id"]
    [row] = api.get("/projects/demo/videos").json
    assert row["id"] == id_
    assert row["relative_path"] == f"uploads/demo/{row['filename']}"
    stem = row["filename"].removesuffix(".mp4")
    assert row["thumbnail_path"] == f"thumbnails/demo/{stem}.jpg"
    assert row["mime_type"] == "video/mp4"
    assert (row["category"], row["source_asset_ids"]) == ("source", [])
    about = row["metadata"]
    assert set(about) == {
        *("duration", "width", "height", "codec", "fps", "bitrate", "size_bytes"),
        *("has_audio", "audio_codec", "audio_channels", "audio_sample_rate"),
    }
    assert about["duration"] == pytest.approx(2.0, abs=0.1)
    assert (about["width"], about["height"], about["codec"]) == (160, 90, "h264")
    assert (about["fps"], about["has_audio"], about["audio_codec"]) == (25, True, "aac")
    assert api.get(f"/projects/demo/videos/{id_}").json == row


def test_times_say_that_they_are_utc(api):
    send(api)
    [row] = api.get("/projects/demo/videos").json
    for name in ("created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row[name])


def test_a_film_without_sound_says_so(api):
    send(api, film(sound=None))
    [row] = api.get("/projects/demo/videos").json
    assert row["metadata"]["has_audio"] is False
    assert "audio_codec" not in row["metadata"]


@pytest.mark.parametrize(
    ("end", "codec", "sound"),
    [(".mov", "libx264", "aac"), (".avi", "mpeg4", "libmp3lame")],
)
def test_all_three_formats_are_taken(api, end, codec, sound):
    content = film(end, codec=codec, sound=sound, seconds=1.0)
    assert send(api, content, f"talk{end.upper()}").status_code == 201


def test_a_name_without_an_end_is_that_of_an_mp4(api):
    assert send(api, name="talk").json["filename"].endswith(".mp4")


@pytest.mark.parametrize("name", ["talk.mkv", "talk.exe", "talk.mp4.txt", "talk.MP3"])
def test_another_format_is_refused_unread(api, db, storage_dir, name):
    reply = send(api, b"anything", name)
    assert reply.status_code == 400
    end = "." + name.lower().rpartition(".")[2]
    text = f"Unsupported video format '{end}'. Allowed formats: .avi, .mov, .mp4"
    assert reply.json["detail"] == reply.json["message"] == text
    assert rows_of(db, Asset, Recording, DoomedObject) == [0, 0, 0]
    assert stored_files(storage_dir) == []


PLAYLIST = (
    b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n/etc/passwd\n#EXT-X-ENDLIST\n"
)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "media_empty"),
        (b"abc", "media_unreadable"),
        (PLAYLIST, "media_unreadable"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "media_unsupported"),
        (film(seconds=1.0)[:2000], "media_unreadable"),
        (
            film(".avi", codec="mpeg4", sound="libmp3lame", seconds=1.0),
            "media_mislabelled",
        ),
        (film(".mkv", seconds=1.0), "media_mislabelled"),
    ],
)
def test_what_is_no_such_film_leaves_nothing_behind(
    api, db, storage_dir, content, code
):
    reply = send(api, content)
    assert reply.status_code == 422
    assert reply.json["error"]["code"] == code
    assert rows_of(db, Asset, Recording, Thumbnail, DoomedObject) == [0, 0, 0, 0]
    assert stored_files(storage_dir) == []


def test_a_film_over_the_limit_is_refused_while_it_arrives(api, deps, db, storage_dir):
    size = len(film())
    api.application.extensions["deps"] = with_settings(deps, upload_max_bytes=size - 1)
    reply = send(api)
    assert reply.status_code == 413
    text = f"The file exceeds the upload limit of {size - 1} bytes."
    assert reply.json["detail"] == text
    assert reply.headers["Connection"] == "close"
    assert rows_of(db, Asset, DoomedObject) == [0, 0]
    assert stored_files(storage_dir) == []
    api.application.extensions["deps"] = with_settings(deps, upload_max_bytes=size)
    assert send(api).status_code == 201


class Endless(io.RawIOBase):
    """A form whose file never ends; counts what was read of it."""

    def __init__(self):
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"'
        self.ahead, self.given = head + b"\r\n\r\n", 0

    def read(self, size=-1):
        part = self.ahead or bytes(min(size, 65_536))
        self.ahead = b""
        self.given += len(part)
        return part

    def tell(self):
        return 0

    def seek(self, *_):
        return 0


@pytest.mark.parametrize("said", [{}, {"Content-Length": "5000000000"}])
def test_no_more_is_read_than_the_limit(api, deps, storage_dir, said):
    api.application.extensions["deps"] = with_settings(deps, upload_max_bytes=500_000)
    body = Endless()
    reply = api.post(
        "/projects/demo/videos",
        input_stream=body,
        headers=said,
        content_type="multipart/form-data; boundary=b",
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert reply.status_code == 413
    assert body.given < 2_000_000
    assert stored_files(storage_dir) == []


def test_a_form_that_breaks_off_leaves_nothing_behind(api, db, storage_dir):
    whole = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"'
    reply = api.post(
        "/projects/demo/videos",
        data=whole + b"\r\n\r\n" + film()[:5000],
        content_type="multipart/form-data; boundary=b",
    )
    assert reply.status_code == 400
    assert reply.json["error"]["code"] == "form_broken"
    assert rows_of(db, Asset, DoomedObject) == [0, 0]
    assert stored_files(storage_dir) == []


@pytest.mark.parametrize(
    "data", [{}, {"file": "text"}, {"video": (io.BytesIO(b"x"), "a.mp4")}]
)
def test_a_form_without_the_file_is_told_so(api, data):
    reply = api.post("/projects/demo/videos", data=data)
    assert reply.status_code == 422
    problem = {
        "type": "missing",
        "loc": ["body", "file"],
        "msg": "Field required",
        "input": None,
    }
    assert reply.json["detail"] == [problem]
    assert reply.json["errors"] == {"file": ["Field required"]}


def test_other_fields_may_come_before_the_file(api):
    data = {"title": "x" * 1000, "file": (io.BytesIO(film()), "a.mp4")}
    assert api.post("/projects/demo/videos", data=data).status_code == 201


def test_when_the_storage_is_away_nothing_is_left(api, db, storage_dir, monkeypatch):
    def away(*_):
        raise Unavailable("The storage is away.")

    monkeypatch.setattr(LocalStorage, "read", away)
    assert send(api).status_code == 503
    assert rows_of(db, Asset, Recording, DoomedObject) == [0, 0, 0]
    assert stored_files(storage_dir) == []


def test_what_a_dying_process_leaves_is_doomed(api, db, monkeypatch):
    """The promise to remove is written before the first byte is."""
    seen = []

    def die(_storage, _key, _source):
        with db.begin() as session:
            seen.extend(session.scalars(select(DoomedObject.object_key)))
        raise Unavailable

    monkeypatch.setattr(LocalStorage, "write", die)
    send(api)
    assert len(seen) == 2


def test_the_same_upload_twice_has_two_names_and_both_are_foreseeable(api, db):
    first, second = (send(api).json["filename"] for _ in range(2))
    assert first != second
    with db.begin() as session:
        for row in session.scalars(select(Asset)):
            session.delete(row)
    assert [send(api).json["filename"] for _ in range(2)] == [first, second]


def test_a_key_makes_an_upload_happen_once(api, db):
    headers = {"Idempotency-Key": "k1"}
    first, second = (send(api, headers=headers) for _ in range(2))
    assert first.json == second.json
    assert rows_of(db, Asset) == [1]


def test_names_of_any_script_are_kept_and_never_paths(api, storage_dir):
    for name in ("درس.mp4", "../../etc/x.mp4", "..\\x.mp4", "講義 1.mp4"):
        reply = send(api, name=name)
        assert reply.status_code == 201
        assert re.fullmatch(r"[a-z0-9._-]+\.mp4", reply.json["filename"])
        assert ".." not in reply.json["filename"]
    kept = {row["original_filename"] for row in api.get("/projects/demo/videos").json}
    assert {"درس.mp4", "講義 1.mp4"} <= kept
    assert all(storage_dir in path.parents for path in stored_files(storage_dir))


def test_a_listing_is_stable_and_may_be_cut(api, db):
    ids = [
        str(factories.asset(db, created_at=factories.minute(n)).id) for n in range(5)
    ]
    factories.asset(db, "other")
    listed = api.get("/projects/demo/videos").json
    assert [row["id"] for row in listed] == ids
    page = api.get("/projects/demo/videos?limit=2&offset=3").json
    assert [row["id"] for row in page] == ids[3:]
    assert api.get("/projects/none/videos").json == []
    assert api.get("/projects/demo/videos?limit=-1").status_code == 422


def test_a_listing_is_one_statement(api, db, statements):
    for _ in range(3):
        factories.thumbnail(db, factories.asset(db))
    statements.clear()
    rows = api.get("/projects/demo/videos").json
    assert all(row["thumbnail_path"] for row in rows)
    assert len(statements) == 1


@pytest.mark.parametrize("id_", ["none", "00000000-0000-4000-8000-000000000000"])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_a_file_that_is_not_there(api, id_, method):
    reply = getattr(api, method)(f"/projects/demo/videos/{id_}")
    assert reply.status_code == 404
    assert reply.json["detail"] == "Asset not found"


def test_another_projects_file_is_not_there(api, db):
    id_ = factories.asset(db, "theirs").id
    assert api.get(f"/projects/ours/videos/{id_}").status_code == 404
    assert api.delete(f"/projects/ours/videos/{id_}").status_code == 404
    assert api.get(f"/projects/theirs/videos/{id_}").status_code == 200
