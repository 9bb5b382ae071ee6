"""The same uploads where files lie in a bucket: its own sessions, or pieces for us."""

import json
from dataclasses import replace

import pytest
import requests
from sqlalchemy import select

from common.models import DoomedObject, Lecture, Recording, Upload
from tests.api.test_documents import PAGES, pdf
from tests.api.test_uploads import count, later
from tests.buckets import gcs_storage, s3_server, s3_storage
from tests.conftest import spoken_wav
from tests.loopback.gcs_faults import Fault
from tests.loopback.gcs_server import BUCKET, GcsServer
from tests.loopback.gcs_store import notification
from tests.sending import LECTURE, sender
from worker_service import events
from worker_service.schedules import sweep

SOUND = spoken_wav(20)
TOTAL = len(SOUND)
KIND = {"Content-Type": "audio/wav"}
PAGE = "https://app.example"


@pytest.fixture(scope="module")
def gcs_server():
    with GcsServer() as server:
        yield server


@pytest.fixture(scope="module")
def s3_bucket():
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        yield server, s3_storage(server, patch)


@pytest.fixture
def gcs(api, deps, gcs_server, monkeypatch, tmp_path):
    """The API of a deployment on Google Cloud; return its deps."""
    storage = gcs_storage(gcs_server, monkeypatch, tmp_path)
    settings = deps.settings.model_copy(
        update={"storage_mode": "gcs", "gcs_bucket": BUCKET}
    )
    return use(api, replace(deps, storage=storage, settings=settings))


@pytest.fixture
def s3(api, deps, s3_bucket):
    server, storage = s3_bucket
    server.reset()
    return use(api, replace(deps, storage=storage))


def use(api, deps):
    api.application.extensions["deps"] = deps
    return deps


def put(url, body, start=None, **headers):
    if start is not None:
        place = f"bytes {start}-{start + len(body) - 1}/{TOTAL}"
        headers["Content-Range"] = place
    return requests.put(url, body, headers=headers, timeout=10)


def notify(server, deps):
    """Push what the bucket tells of its newest object, as Pub/Sub does."""
    *_, newest = server.store.objects.values()
    body = json.dumps(notification(newest.resource)).encode()
    return events.deliver("storage", body, deps)


def test_a_client_sends_to_the_bucket_itself(gcs, api, gcs_server):
    upload = sender(api, SOUND)
    assert upload.url.startswith(gcs_server.url)
    step = 256 * 1024
    assert put(upload.url, SOUND[:step], 0).status_code == 308
    assert upload.show()["offset"] == step
    early = upload.complete().json["error"]
    assert early["details"] == [{"offset": step, "sizeBytes": TOTAL}]
    assert put(upload.url, SOUND[step:], step).status_code == 200
    done = upload.complete()
    assert (
        done.json["audioPath"] == f"gs://{BUCKET}/pegasus/uploads/audio/{upload.id}.wav"
    )
    assert upload.complete().json == done.json


def test_the_notification_completes_it_once(gcs, api, db, gcs_server):
    upload = sender(api, SOUND)
    put(upload.url, SOUND)
    assert [notify(gcs_server, gcs) for _ in range(2)] == [204] * 2
    assert upload.show()["state"] == "used"
    assert upload.complete().status_code == 200
    assert (count(db, Lecture), count(db, Recording)) == (1, 1)


def test_a_notification_of_rubbish_is_taken(gcs, api, gcs_server, db):
    upload = sender(api, b"no sound" * 100)
    put(upload.url, b"no sound" * 100)
    assert notify(gcs_server, gcs) == 204
    assert upload.show()["error"]["code"] == "media_unreadable"
    sweep.run(gcs)
    assert gcs_server.store.objects == {}


def test_while_the_bucket_is_away_the_notification_comes_again(gcs, api, gcs_server):
    upload = sender(api, SOUND)
    put(upload.url, SOUND)
    gcs_server.faults.add(Fault(status=503, times=50))
    assert notify(gcs_server, gcs) == 503
    gcs_server.faults.clear()
    assert notify(gcs_server, gcs) == 204
    assert upload.show()["state"] == "used"


def test_a_session_answers_the_page_that_opened_it(gcs, api):
    told = {"filename": "a.wav", "contentType": "audio/wav", "sizeBytes": TOTAL}
    opened = api.post("/uploads", json=told, headers={"Origin": PAGE}).json
    reply = put(opened["uploadUrl"], SOUND[: 256 * 1024], 0, Origin=PAGE)
    assert reply.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Range" in reply.headers["Access-Control-Expose-Headers"]


def test_the_mobile_client_sends_to_the_bucket_at_once(gcs, api, gcs_server):
    told = {"filename": "talk.wav", "content_type": "audio/wav"}
    signed = api.post("/upload/signed-url", json=told).json
    assert signed["url"].startswith(gcs_server.url)
    assert put(signed["url"], SOUND, **KIND).status_code == 200
    form = LECTURE | {"storage_path": signed["storagePath"]}
    reply = api.post("/lectures/ingest", data=form)
    assert reply.json["audioPath"] == signed["storagePath"]
    [stored] = [s for k, s in gcs_server.store.objects.items() if "audio" in k[1]]
    assert stored.resource["contentType"] == "audio/wav"


def test_who_was_given_a_url_cannot_replace_what_was_looked_into(gcs, api):
    told = {"filename": "talk.wav", "content_type": "audio/wav"}
    signed = api.post("/upload/signed-url", json=told).json
    put(signed["url"], SOUND, **KIND)
    form = LECTURE | {"storage_path": signed["storagePath"]}
    assert api.post("/lectures/ingest", data=form).status_code == 200
    put(signed["url"], b"evil", **KIND)
    with gcs.storage.read(_key(gcs)) as stream:
        assert stream.read() == SOUND


def test_the_limit_holds_though_no_size_was_announced(gcs, api, gcs_server):
    limited = gcs.settings.model_copy(update={"max_audio_upload_mb": 1})
    use(api, replace(gcs, settings=limited))
    told = {"filename": "talk.wav", "content_type": "audio/wav"}
    signed = api.post("/upload/signed-url", json=told).json
    put(signed["url"], bytes(2**20 + 1), **KIND)
    form = LECTURE | {"storage_path": signed["storagePath"]}
    assert api.post("/lectures/ingest", data=form).status_code == 413
    sweep.run(gcs)
    assert gcs_server.store.objects == {}


def test_a_document_is_looked_into_where_it_lies(gcs, api):
    content = pdf(*PAGES)
    fields = {"filename": "notes.pdf", "contentType": "application/pdf"}
    upload = sender(api, content, **fields)
    put(upload.url, content)
    assert upload.complete().json["fileType"] == "pdf"


def test_an_aborted_session_takes_nothing_more(gcs, api, gcs_server):
    upload = sender(api, SOUND)
    put(upload.url, SOUND[: 256 * 1024], 0)
    assert upload.abort().json["state"] == "aborted"
    assert put(upload.url, SOUND).status_code == 404
    assert gcs_server.store.sessions == {}


def test_a_session_that_cannot_be_ended_now_is_ended_later(gcs, api, db, gcs_server):
    upload = sender(api, SOUND)
    gcs_server.faults.add(Fault(method="DELETE", status=503, times=50))
    assert upload.abort().status_code == 200
    assert len(gcs_server.store.sessions) == 1
    gcs_server.faults.clear()
    sweep.run(gcs)
    assert gcs_server.store.sessions == {}
    assert count(db, DoomedObject) == 0


def test_an_object_that_nobody_completes_goes(gcs, api, db, gcs_server):
    put(sender(api, SOUND).url, SOUND)
    later(db, hours=24)
    sweep.run(gcs)
    assert gcs_server.store.objects == {}


def test_a_bucket_that_is_away_takes_no_place(gcs, api, db, gcs_server):
    gcs_server.faults.add(Fault(status=503, times=50))
    told = {"filename": "a.wav", "contentType": "audio/wav", "sizeBytes": TOTAL}
    assert api.post("/uploads", json=told).status_code == 503
    assert count(db, Upload) == 0


def test_session_urls_are_never_written_down(gcs, api, gcs_server, caplog):
    caplog.set_level(0)
    for name in ("urllib3", "requests"):
        caplog.set_level("INFO", name)  # as ``logs.configure`` leaves them
    upload = sender(api, SOUND)
    put(upload.url, SOUND)
    gcs_server.faults.add(Fault(status=503, times=2))
    upload.complete()
    named = upload.url.partition("upload_id=")[2]
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert named not in logged + str(upload.show())


def test_s3_takes_its_pieces_through_us(s3, api, s3_bucket):
    upload = sender(api, SOUND)
    assert upload.url.startswith("http://127.0.0.1:8080/uploads/")
    upload.send(0, 1000)  # too little for a part of theirs
    assert upload.ask() == 0
    assert upload.put(SOUND).status_code == 200
    assert upload.complete().json["audioPath"].startswith("s3://")
    assert s3_bucket[0].uploads() == []


def test_s3_keeps_no_parts_of_what_is_abandoned(s3, api, db, s3_bucket):
    sender(api, SOUND)
    assert len(s3_bucket[0].uploads()) == 1
    later(db, hours=24)
    sweep.run(s3)
    assert s3_bucket[0].uploads() == []


def test_the_mobile_client_reaches_s3_through_us(s3, api):
    told = {"filename": "talk.wav", "content_type": "audio/wav"}
    signed = api.post("/upload/signed-url", json=told).json
    path = signed["url"].partition("8080")[2]
    assert api.put(path, data=SOUND, headers=KIND).status_code == 200
    form = LECTURE | {"storage_path": signed["storagePath"]}
    assert api.post("/lectures/ingest", data=form).status_code == 200


def _key(deps):
    with deps.db.begin() as session:
        return session.scalars(select(Upload.object_key)).one()


def test_a_session_without_a_size_is_ended_when_it_takes_too_much(
    gcs, api, gcs_server, db
):
    limited = gcs.settings.model_copy(update={"max_audio_upload_mb": 1})
    deps = use(api, replace(gcs, settings=limited))
    told = {"filename": "talk.wav", "content_type": "audio/wav"}
    url = api.post("/upload/signed-url", json=told).json["url"]
    piece = bytes(1024 * 1024)
    place = {"Content-Range": "bytes 0-1048575/*"}
    assert put(url, piece, **place).status_code == 308
    sweep.run(deps)
    with db.begin() as session:
        assert session.scalars(select(Upload.state)).one() == "open"  # just within

    place = {"Content-Range": "bytes 1048576-1310719/*"}
    assert put(url, piece[: 256 * 1024], **place).status_code == 308
    assert sweep.run(deps).uploads_ended == 1
    place = {"Content-Range": "bytes 1310720-1310729/1310730"}
    assert put(url, piece[:10], **place).status_code == 404
    with db.begin() as session:
        upload = session.scalars(select(Upload)).one()
    assert (upload.state, upload.error_code) == ("refused", "too_large")
    assert upload.session is None
