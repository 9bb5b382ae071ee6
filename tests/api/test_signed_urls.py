"""The mobile client's way: a URL, one PUT, and an ingest that names the place."""

import io
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from common.models import Lecture, Recording, Upload
from tests.api.guards import with_settings
from tests.api.test_documents import PAGES, pdf
from tests.api.test_uploads import later, stored
from tests.conftest import spoken_wav
from tests.sending import LECTURE, sent
from worker_service.schedules import sweep

SOUND = spoken_wav()
KIND = {"Content-Type": "audio/wav"}


@pytest.fixture
def mobile(api):
    return Mobile(api)


class Mobile:
    """Asks, sends and ingests as the app does."""

    def __init__(self, api):
        self.api = api

    def sign(self, filename="talk.wav", content_type="audio/wav", **fields):
        told = {"filename": filename, "content_type": content_type, **fields}
        return self.api.post("/upload/signed-url", json=told)

    def put(self, url, body, **headers):
        parts = urlsplit(url)
        address = f"{parts.path}?{parts.query}"
        return self.api.put(address, data=body, headers=KIND | headers)

    def sent(self, body=SOUND, **fields):
        """Return the place of a file that was sent."""
        told = self.sign(**fields).json
        kind = {"Content-Type": fields.get("content_type", "audio/wav")}
        assert self.put(told["url"], body, **kind).status_code == 200
        return told["storagePath"]

    def ingest(self, path, key=None, **fields):
        form = LECTURE | {"lecture_mode": "OPEN"} | fields
        headers = {"Idempotency-Key": key} if key else {}
        return self.api.post(
            "/lectures/ingest", data=form | {"storage_path": path}, headers=headers
        )


def count(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_a_recording_is_sent_and_taken_in(mobile, api, worker, queue):
    path = mobile.sent()
    reply = mobile.ingest(path)
    assert reply.status_code == 200
    assert list(reply.json.items()) == [
        ("lectureId", "l1"),
        ("metadataPath", reply.json["metadataPath"]),
        ("audioPath", path),
        ("lectureMode", "OPEN"),
        ("fileType", "audio"),
    ]
    worker.run_all(queue)
    assert api.get("/lectures/l1").json["status"] == "transcribed"
    assert api.get("/lectures/l1/media").data == SOUND


def test_a_document_is_sent_and_taken_in(mobile):
    fields = {"filename": "notes.pdf", "content_type": "application/pdf"}
    path = mobile.sent(pdf(*PAGES), **fields)
    assert "/documents/" in path
    assert mobile.ingest(path).json["fileType"] == "pdf"


def test_an_answer_has_two_fields_and_an_absolute_url(mobile, settings):
    told = mobile.sign().json
    assert list(told) == ["url", "storagePath"]
    assert told["url"].startswith(settings.public_url + "/uploads/")


@pytest.mark.parametrize("prefix", ["audio", "../..", "/etc", "exports/l1", ""])
@pytest.mark.parametrize("name", ["a.wav", "../../../etc/passwd.wav", "/a.wav"])
def test_prefix_and_name_never_become_a_path(mobile, deps, prefix, name):
    path = mobile.sign(name, prefix=prefix).json["storagePath"]
    head = deps.storage.uri("uploads/audio/")
    assert path.startswith(head)
    assert "/" not in path.removeprefix(head)


def test_two_calls_never_share_a_place(mobile):
    places = {mobile.sign().json["storagePath"] for _ in range(3)}
    assert len(places) == 3


def test_a_free_path_is_never_looked_at(mobile, api, deps, db, tmp_path):
    lecture = sent(api, SOUND)
    audio = lecture.complete().json
    (tmp_path / "own.wav").write_bytes(SOUND)
    free = [
        "/etc/passwd",
        str(tmp_path / "own.wav"),
        audio["metadataPath"],
        mobile.sent().replace("uploads", "uploads/../uploads"),
        mobile.sent().removeprefix(deps.storage.uri("")),
        "gs://other/uploads/audio/x.wav",
        "",
        "😀",
    ]
    for path in free:
        reply = mobile.ingest(path, lecture_id="l2")
        assert reply.status_code == 400, path
        assert reply.json["error"]["code"] == "storage_path_unknown"
    assert count(db, Lecture) == 1


def test_a_place_makes_one_lecture(mobile, db, queue):
    path = mobile.sent()
    first = mobile.ingest(path)
    assert mobile.ingest(path).json == first.json
    other = mobile.ingest(path, lecture_id="l2")
    assert (other.status_code, other.json["error"]["code"]) == (409, "upload_used")
    assert (count(db, Recording), len(queue.take())) == (1, 1)


def test_an_idempotency_key_is_kept_with_the_effect(mobile, db):
    path = mobile.sent()
    first = mobile.ingest(path, key="k")
    assert mobile.ingest(path, key="k").json == first.json
    assert mobile.ingest(path, key="late").json == first.json
    assert mobile.ingest(path, key="late").json == first.json
    other = mobile.sent()
    reused = [mobile.ingest(other, key=key).status_code for key in ("k", "late")]
    assert reused == [409, 409]
    assert count(db, Recording) == 1


def test_nothing_was_sent_yet(mobile, db):
    reply = mobile.ingest(mobile.sign().json["storagePath"])
    assert (reply.status_code, reply.json["error"]["code"]) == (
        409,
        "upload_incomplete",
    )
    assert count(db, Lecture) == 0


def test_what_cannot_be_decoded_leaves_no_row(mobile, deps, db, storage_dir):
    path = mobile.sent(b"no sound" * 100)
    replies = [mobile.ingest(path) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [422] * 2
    assert replies[0].json["detail"] == replies[1].json["detail"]
    sweep.run(deps)
    assert (count(db, Lecture), stored(storage_dir)) == (0, set())


def test_the_limit_holds_for_what_is_announced_and_for_what_comes(
    mobile, api, deps, storage_dir
):
    limited = with_settings(deps, max_audio_upload_mb=1)
    api.application.extensions["deps"] = limited
    url = mobile.sign().json["url"]
    large = bytes(2**20 + 1)
    assert mobile.put(url, large).status_code == 413
    stream = {"input_stream": io.BytesIO(large), "headers": KIND}
    endless = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    address = url.partition("8080")[2]
    reply = api.put(address, **stream, environ_overrides=endless)
    text = "Audio file exceeds upload limit of 1048576 bytes."
    assert (reply.status_code, reply.json["detail"]) == (413, text)
    assert stored(storage_dir) == set()


def test_a_limit_that_was_lowered_holds_at_ingest(mobile, api, deps):
    path = mobile.sent(bytes(2**20 + 1))
    limited = with_settings(deps, max_audio_upload_mb=1)
    api.application.extensions["deps"] = limited
    assert mobile.ingest(path).status_code == 413


def test_the_type_is_bound_to_the_url(mobile, storage_dir):
    url = mobile.sign().json["url"]
    wrong = mobile.put(url, SOUND, **{"Content-Type": "text/html"})
    assert (wrong.status_code, wrong.json["error"]["code"]) == (400, "upload_type")
    assert stored(storage_dir) == set()
    right = {"Content-Type": "Audio/WAV; codecs=1"}
    assert mobile.put(url, SOUND, **right).status_code == 200


def test_nothing_is_no_file(mobile, storage_dir):
    assert mobile.put(mobile.sign().json["url"], b"").status_code == 400
    assert stored(storage_dir) == set()


def test_what_is_there_cannot_be_replaced(mobile, api):
    told = mobile.sign().json
    assert mobile.put(told["url"], SOUND).status_code == 200
    assert mobile.put(told["url"], SOUND).status_code == 200  # its answer got lost
    assert mobile.put(told["url"], spoken_wav(1)).status_code == 409
    mobile.ingest(told["storagePath"])
    mobile.put(told["url"], spoken_wav(1))
    assert api.get("/lectures/l1/media").data == SOUND


def test_what_was_sent_and_not_taken_in_goes(mobile, deps, db, storage_dir):
    mobile.sent()
    later(db, hours=23)
    sweep.run(deps)
    assert len(stored(storage_dir)) == 1
    later(db, hours=1)
    sweep.run(deps)
    assert stored(storage_dir) == set()


def test_an_upload_in_pieces_can_be_taken_in_as_well(mobile, api, db):
    upload = sent(api, SOUND, lecture=None)
    reply = mobile.ingest(upload.path)
    assert reply.status_code == 200
    assert upload.show()["state"] == "used"
    assert upload.complete().json["lectureId"] == "l1"
    assert count(db, Upload) == 1
