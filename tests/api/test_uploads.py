"""A file is announced, sent in pieces or at once, and becomes a lecture."""

import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from common.models import DoomedObject, Lecture, Recording, Upload
from tests.api.guards import with_settings
from tests.api.people import person, signed_in
from tests.api.test_documents import PAGES, pdf
from tests.conftest import spoken_wav
from tests.sending import LECTURE, announce, sender, sent
from worker_service.schedules import sweep

SOUND = spoken_wav()
TOTAL = len(SOUND)


def stored(folder):
    """Return the names of all files of a storage, objects or not."""
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    }


def count(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def later(db, **time):
    """Let so much time pass for all uploads and all that is doomed."""
    gone = timedelta(**time)
    with db.begin() as session:
        moved = {c: c - gone for c in (Upload.expires_at, Upload.created_at)}
        session.execute(update(Upload).values(moved))
        early = DoomedObject.due_at - gone
        session.execute(update(DoomedObject).values(due_at=early))


def test_an_upload_becomes_a_lecture_and_is_transcribed(api, worker, queue):
    upload = sent(api, SOUND)
    done = upload.complete()
    assert done.status_code == 200
    assert done.json | {"metadataPath": None} == {
        "uploadId": upload.id,
        "state": "used",
        "sizeBytes": TOTAL,
        "storagePath": upload.path,
        "lectureId": "l1",
        "metadataPath": None,
        "audioPath": upload.path,
        "lectureMode": None,
        "projectId": None,
        "assetId": None,
        "fileType": "audio",
    }
    assert api.get("/lectures/l1/media").data == SOUND
    worker.run_all(queue)
    assert api.get("/lectures/l1").json["status"] == "transcribed"


def test_its_announcement_says_where_to_send_it(api, settings):
    reply = announce(api, SOUND)
    told = reply.json
    place = f"{settings.public_url}/uploads/{told['uploadId']}/content?token="
    assert told["uploadUrl"].startswith(place)
    assert len(told["uploadUrl"]) >= len(place) + 43
    assert (told["offset"], told["sizeBytes"]) == (0, TOTAL)
    assert told["storagePath"].endswith(f"/uploads/audio/{told['uploadId']}.wav")


def test_a_file_is_sent_in_pieces(api):
    upload = sender(api, SOUND)
    first = upload.send(0, 1000)
    assert (first.status_code, first.headers["Range"]) == (308, "bytes=0-999")
    assert upload.send(1000, 5000).headers["Range"] == "bytes=0-4999"
    assert upload.show()["offset"] == upload.ask() == 5000
    assert upload.send(5000).status_code == 200
    assert upload.complete().status_code == 200
    assert api.get("/lectures/l1/media").data == SOUND


def test_before_the_first_byte_there_is_no_range(api):
    asked = sender(api, SOUND).put(place=f"bytes */{TOTAL}")
    assert (asked.status_code, asked.json["offset"]) == (308, 0)
    assert "Range" not in asked.headers


def test_bytes_that_are_safe_already_are_skipped(api):
    upload = sender(api, SOUND)
    upload.send(0, 5000)
    assert upload.send(1000, 9000).headers["Range"] == "bytes=0-8999"
    assert upload.send(0, 100).headers["Range"] == "bytes=0-8999"
    assert upload.put(SOUND).status_code == 200
    upload.complete()
    assert api.get("/lectures/l1/media").data == SOUND


def test_bytes_that_belong_further_on_are_refused(api):
    upload = sender(api, SOUND)
    upload.send(0, 1000)
    reply = upload.send(1001, 2000)
    assert reply.status_code == 409
    assert reply.json["error"]["code"] == "upload_offset"
    assert reply.json["error"]["details"] == [{"offset": 1000}]
    assert upload.ask() == 1000


@pytest.mark.parametrize(
    ("place", "length", "status"),
    [
        ("bytes 0-9/11", 10, 400),
        ("bytes */11", 0, 400),
        ("bytes 0-9", 10, 400),
        ("bytes 5-4/{total}", 0, 400),
        ("bytes 0-9/{total}", 9, 400),
        ("bytes 0-9/{total}", 11, 400),
        ("bytes -1-9/{total}", 10, 400),
        ("items 0-9/{total}", 10, 400),
        ("bytes 0-" + "9" * 40 + "/{total}", 10, 400),
        (f"bytes 0-{TOTAL}/{{total}}", TOTAL + 1, 413),
        ("bytes 0-999999999/{total}", 10, 413),
        (None, TOTAL - 1, 400),
        (None, TOTAL + 1, 413),
    ],
)
def test_a_place_that_does_not_fit_is_refused(api, place, length, status):
    upload = sender(api, SOUND)
    reply = upload.put(bytes(length), place and place.format(total=TOTAL))
    assert reply.status_code == status
    assert reply.headers["Connection"] == "close"
    assert upload.ask() == 0


class Breaks(io.BytesIO):
    """A body whose line is cut after its first read."""

    def readinto(self, buffer):
        if self.tell():
            raise ConnectionResetError
        return super().readinto(buffer)


def test_what_arrives_before_a_line_is_cut_is_kept(api, caplog):
    upload = sender(api, SOUND)
    reply = api.put(
        upload.url.partition("8080")[2],
        input_stream=Breaks(SOUND),
        headers={"Content-Length": str(TOTAL)},
    )
    assert reply.status_code == 308
    assert upload.ask() == reply.json["offset"] > 0
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


def test_too_early_is_told_with_the_offset(api, db):
    upload = sender(api, SOUND)
    upload.send(0, 5000)
    reply = upload.complete()
    assert reply.status_code == 409
    assert reply.json["error"]["code"] == "upload_incomplete"
    told = [{"offset": 5000, "sizeBytes": TOTAL}]
    assert reply.json["error"]["details"] == told
    assert count(db, Lecture) == 0
    upload.send(5000)
    assert upload.complete().status_code == 200


def test_completing_again_is_answered_alike(api, db, queue):
    upload = sent(api, SOUND)
    first = upload.complete()
    assert [upload.complete().json for _ in range(2)] == [first.json] * 2
    assert (count(db, Recording), len(queue.take())) == (1, 1)


def test_a_used_upload_says_so(api):
    upload = sent(api, SOUND)
    upload.complete()
    shown = upload.show()
    assert (shown["state"], shown["lectureId"]) == ("used", "l1")
    assert shown["offset"] == shown["sizeBytes"] == TOTAL
    assert upload.put(b"x", "bytes 0-0/1").status_code == 200
    assert api.get("/lectures/l1/media").data == SOUND


def test_only_its_url_knows_the_token(api, db):
    upload = sent(api, SOUND)
    token = upload.url.partition("token=")[2]
    replies = [upload.show(), upload.complete().json, upload.show()]
    assert token not in str(replies)
    with db.begin() as session:
        row = session.scalars(select(Upload)).one()
        assert token not in str(vars(row))


@pytest.mark.parametrize("token", ["", "x", "x" * 43])
def test_without_its_token_an_upload_is_not_found(api, token):
    upload = sender(api, SOUND)
    upload.url = upload.url.partition("token=")[0] + f"token={token}"
    assert upload.put(SOUND).status_code == 404
    assert upload.show()["offset"] == 0


def test_a_document_is_taken_as_well(api, worker, queue):
    content = pdf(*PAGES)
    fields = {"filename": "notes", "contentType": "application/pdf; x=y"}
    upload = sent(api, content, **fields)
    assert upload.path.endswith(f"/uploads/documents/{upload.id}.pdf")
    assert upload.complete().json["fileType"] == "pdf"
    worker.run_all(queue)
    assert "Osmosis" in api.get("/lectures/l1/transcript").json["text"]


def test_an_upload_without_a_lecture_waits(api, db, queue):
    upload = sent(api, SOUND, lecture=None)
    done = upload.complete()
    assert (done.json["state"], done.json["lectureId"]) == ("complete", None)
    assert upload.complete().json == done.json
    assert (count(db, Lecture), queue.take()) == (0, [])


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"no sound" * 100, "media_unreadable"), (SOUND[:30], "media_unreadable")],
)
def test_what_is_no_recording_is_refused_for_good(
    api, deps, db, storage_dir, queue, content, code
):
    upload = sent(api, content)
    replies = [upload.complete() for _ in range(2)]
    assert [reply.status_code for reply in replies] == [422] * 2
    assert [reply.json["error"]["code"] for reply in replies] == [code] * 2
    assert replies[0].json["detail"] == replies[1].json["detail"]
    assert upload.show()["error"]["code"] == code
    sweep.run(deps)
    assert (stored(storage_dir), count(db, Lecture), queue.take()) == (set(), 0, [])


LIMITS = {"max_audio_upload_mb": 1, "max_pdf_upload_mb": 1}


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"sizeBytes": 1048577}, 413, "too_large"),
        ({"sizeBytes": 1048577, "filename": "a.pdf"}, 413, "too_large"),
        ({"sizeBytes": 0}, 422, "validation_error"),
        ({"filename": ""}, 422, "validation_error"),
        ({"filename": "a\0b.wav"}, 422, "validation_error"),
        ({"contentType": "audio/wav\r\nX: y"}, 422, "validation_error"),
        ({"contentType": "text/html", "filename": "a.html"}, 422, "type_unsupported"),
        ({"contentType": "image/png", "filename": "a.png"}, 422, "type_unsupported"),
        (
            {"contentType": "application/octet-stream", "filename": "a.exe"},
            422,
            "type_unsupported",
        ),
        ({"lecture": LECTURE | {"title": " "}}, 400, "missing_fields"),
        ({"lecture": LECTURE | {"title": "\0"}}, 422, "validation_error"),
        ({"lecture": LECTURE | {"preset_id": "none"}}, 400, "invalid_preset"),
        ({"lecture": LECTURE | {"lecture_id": "../x"}}, 400, "invalid_id"),
        ({"lecture": LECTURE | {"course_id": "a/b"}}, 400, "invalid_id"),
        ({"lecture": LECTURE | {"transcribe_provider": "x"}}, 400, None),
    ],
)
def test_what_cannot_be_used_is_refused_before_a_byte_is_sent(
    api, deps, db, storage_dir, fields, status, code
):
    api.application.extensions["deps"] = with_settings(deps, **LIMITS)
    reply = announce(api, SOUND, **fields)
    assert reply.status_code == status
    assert code in (None, reply.json["error"]["code"])
    assert (count(db, Upload), count(db, DoomedObject)) == (0, 0)
    assert stored(storage_dir) == set()


def test_the_text_of_a_refusal_is_the_one_clients_know(api, deps):
    api.application.extensions["deps"] = with_settings(deps, **LIMITS)
    reply = announce(api, SOUND, sizeBytes=1048577)
    text = "Audio file exceeds upload limit of 1048576 bytes."
    assert reply.json["detail"] == text


@pytest.mark.parametrize(
    "named", ["a.opus", "../../etc/passwd.wav", "C:\\x\\..\\a.WAV", "😀.mp3"]
)
def test_a_name_never_becomes_a_path(api, named):
    upload = sender(api, SOUND, filename=named)
    assert Path(upload.path).parent.name == "audio"
    assert Path(upload.path).stem == upload.id
    assert upload.show()["filename"] == named


def test_an_aborted_upload_is_over(api, deps, storage_dir):
    upload = sender(api, SOUND)
    upload.send(0, 5000)
    assert len(stored(storage_dir)) == 1
    assert [upload.abort().json["state"] for _ in range(2)] == ["aborted"] * 2
    assert stored(storage_dir) == set()
    assert upload.send(5000).status_code == 404
    assert upload.complete().json["error"]["code"] == "upload_over"
    assert upload.show()["state"] == "aborted"


def test_what_was_sent_goes_with_its_upload(api, deps, db, storage_dir):
    upload = sent(api, SOUND)
    upload.abort()
    sweep.run(deps)
    assert stored(storage_dir) == set()
    assert count(db, DoomedObject) == 0


def test_a_lecture_s_recording_cannot_be_aborted(api, deps):
    upload = sent(api, SOUND)
    upload.complete()
    assert upload.abort().json["error"]["code"] == "upload_used"
    sweep.run(deps)
    assert api.get("/lectures/l1/media").data == SOUND


def test_the_number_of_open_uploads_is_limited(api, deps):
    api.application.extensions["deps"] = with_settings(deps, max_open_uploads=2)
    first, _second = sender(api, SOUND), sender(api, SOUND)
    full = announce(api, SOUND)
    assert full.status_code == 429
    assert full.json["error"]["code"] == "too_many_uploads"
    assert int(full.headers["Retry-After"]) > 0
    first.abort()
    assert announce(api, SOUND).status_code == 201


def test_one_client_cannot_take_all_places(api, deps):
    settings = {"max_open_uploads_of_one": 2, "trusted_proxy_hops": 1}
    api.application.extensions["deps"] = with_settings(deps, **settings)
    first, _second = sender(api, SOUND), sender(api, SOUND)
    full = announce(api, SOUND)
    assert (full.status_code, full.json["error"]["code"]) == (429, "too_many_uploads")
    asked = {"filename": "talk.wav", "content_type": "audio/wav"}
    assert api.post("/upload/signed-url", json=asked).status_code == 429
    elsewhere = {"X-Forwarded-For": "192.0.2.7"}
    other = api.post("/upload/signed-url", json=asked, headers=elsewhere)
    assert other.status_code == 200
    first.abort()
    assert announce(api, SOUND).status_code == 201


def test_the_uploads_of_a_person_are_counted_wherever_they_come_from(api, deps, db):
    settings = {"max_open_uploads_of_one": 1, "trusted_proxy_hops": 1}
    api.application.extensions["deps"] = with_settings(deps, **settings)
    asked = {"filename": "talk.wav", "content_type": "audio/wav"}

    def sign(email, address):
        signed = signed_in(deps, people[email])
        headers = signed | {"X-Forwarded-For": address}
        return api.post("/upload/signed-url", json=asked, headers=headers).status_code

    people = {email: person(db, email=email) for email in ("a@x.org", "b@x.org")}
    assert sign("a@x.org", "192.0.2.7") == 200
    assert sign("a@x.org", "192.0.2.8") == 429
    assert sign("b@x.org", "192.0.2.7") == 200


def test_who_opened_an_upload_is_kept_as_a_hash(api, db):
    sender(api, SOUND)
    with db.begin() as session:
        [client] = session.scalars(select(Upload.client))
    assert re.fullmatch("[0-9a-f]{64}", client)


def test_an_expired_upload_takes_nothing_and_makes_room(api, deps, db, storage_dir):
    api.application.extensions["deps"] = with_settings(deps, max_open_uploads=1)
    upload = sent(api, SOUND)
    later(db, hours=24)
    assert upload.complete().json["error"]["code"] == "upload_over"
    assert announce(api, SOUND).status_code == 201
    assert sweep.run(deps).uploads_ended == 1
    assert upload.show()["state"] == "abandoned"
    assert upload.put(SOUND).status_code == 404
    left = {name for name in stored(storage_dir) if not name.startswith(".")}
    assert left == set()


def test_an_upload_that_nobody_completes_leaves_nothing(api, deps, db, storage_dir):
    for upload in (sender(api, SOUND), sent(api, SOUND), sender(api, SOUND)):
        upload.send(0, 5000)
    sweep.run(deps)
    assert len(stored(storage_dir)) == 3  # they may go on
    later(db, hours=24)
    assert sweep.run(deps).uploads_ended == 3
    assert stored(storage_dir) == set()
    assert count(db, DoomedObject) == 0


def test_a_complete_upload_that_nobody_uses_goes_a_day_later(
    api, deps, db, storage_dir
):
    sent(api, SOUND, lecture=None).complete()
    later(db, hours=23)
    sweep.run(deps)
    assert len(stored(storage_dir)) == 1
    later(db, hours=1)
    sweep.run(deps)
    assert stored(storage_dir) == set()


def test_uploads_are_forgotten_a_week_later(api, deps, db):
    upload = sent(api, SOUND)
    upload.complete()
    later(db, days=7)
    sweep.run(deps)
    assert upload.show()["state"] == "used"
    later(db, days=2)
    sweep.run(deps)
    assert count(db, Upload) == 0
    assert api.get("/lectures/l1/media").data == SOUND


def test_a_page_can_read_how_far_it_is(api):
    upload = sender(api, SOUND)
    reply = upload.put(place="bytes */*", Origin="https://app.example")
    exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
    assert "Range" in exposed


def test_credentials_are_never_written_down(api, caplog):
    caplog.set_level(0)
    upload = sent(api, SOUND)
    upload.complete()
    token = upload.url.partition("token=")[2]
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "request.complete" in logged
    assert token not in logged
