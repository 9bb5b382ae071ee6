"""Bytes that land after their upload has ended, and completions that wait."""

import time
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import func, select, update

from common import uploads
from common.models import DoomedObject, Upload, UploadState
from common.providers.storage.local import LocalStorage
from common.uploads import claims, completion
from tests.conftest import make_api, spoken_wav
from tests.sending import LECTURE, Sender, sender, sent
from worker_service.schedules import sweep

SOUND = spoken_wav(0.5)
WEEK = timedelta(days=9)


class Watched(LocalStorage):
    """Lets a test act before an object is written, and counts what it is asked."""

    def __init__(self, folder):
        super().__init__(folder)
        self.asked = 0
        self.before_write = lambda: None

    def write(self, key, source):
        self.before_write()
        return super().write(key, source)

    def append(self, session, key, offset, source):
        try:
            return super().append(session, key, offset, source)
        finally:
            self.before_write()

    def size_bytes(self, key):
        self.asked += 1
        return super().size_bytes(key)


@pytest.fixture
def storage(storage_dir):
    return Watched(storage_dir)


@pytest.fixture
def deps(committed_deps, storage):
    return replace(committed_deps, storage=storage)


@pytest.fixture
def api(deps):
    return make_api(deps)


@pytest.fixture
def whole(api, deps):
    """An upload that is to be PUT in one request."""
    asked = {"filename": "talk.wav", "content_type": "audio/wav"}
    reply = api.post("/upload/signed-url", json=asked).json
    with deps.db.begin() as session:
        id_ = session.scalars(select(Upload.id)).one()
    opened = {"uploadId": id_, "uploadUrl": reply["url"]}
    return Sender(api, SOUND, opened | {"storagePath": reply["storagePath"]})


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def expire(deps, by=WEEK):
    with deps.db.begin() as session:
        session.execute(update(Upload).values(expires_at=Upload.expires_at - by))


@pytest.mark.parametrize("end", ["abort", "expiry"])
def test_what_lands_after_the_end_is_removed(whole, deps, storage, storage_dir, end):
    def end_it():
        if end == "abort":
            whole.abort()
        else:
            expire(deps, timedelta(days=2))
        sweep.run(deps)  # which finds nothing to remove yet

    storage.before_write = end_it
    reply = whole.put(SOUND, **{"Content-Type": "audio/wav"})
    assert (reply.status_code, len(files(storage_dir))) == (404, 1)
    sweep.run(deps)
    assert files(storage_dir) == []


def test_the_last_piece_of_an_upload_that_has_ended_is_removed(
    api, deps, storage, storage_dir
):
    upload = sender(api, SOUND)
    storage.before_write = lambda: (upload.abort(), sweep.run(deps))
    assert upload.put(SOUND).status_code == 404
    sweep.run(deps)
    assert files(storage_dir) == []


@pytest.mark.parametrize("state", ["aborted", "abandoned", "refused"])
def test_what_landed_as_its_process_died_is_removed_with_the_row(
    whole, deps, storage, storage_dir, state
):
    with deps.db.begin() as session:
        key = session.scalars(select(Upload.object_key)).one()
        session.execute(update(Upload).values(state=state))
    storage.write(key, BytesIO(SOUND))
    expire(deps)
    assert uploads.sweep(deps).forgotten == 1
    sweep.run(deps)
    assert files(storage_dir) == []


def test_a_recording_outlives_the_row_of_its_upload(api, deps, storage_dir):
    upload = sent(api, SOUND, lecture=LECTURE)
    assert upload.complete().status_code == 200
    expire(deps)
    assert uploads.sweep(deps).forgotten == 1
    sweep.run(deps)
    assert api.get("/lectures/l1/media").data == SOUND
    with deps.db.begin() as session:
        assert session.scalar(select(func.count()).select_from(DoomedObject)) == 0


def test_who_waits_for_another_completion_asks_storage_once(
    api, deps, storage, monkeypatch
):
    upload = sent(api, SOUND)
    with deps.db.begin() as session:
        id_ = session.scalars(select(Upload.id)).one()
    assert claims.take(deps.db, id_) is not None
    monkeypatch.setattr(completion, "_WAIT_SECONDS", 0.5)
    storage.asked = 0
    assert upload.complete().status_code == 409
    assert storage.asked == 1


def test_who_waits_is_told_how_it_ended(api, deps, monkeypatch):
    upload = sent(api, SOUND)
    with deps.db.begin() as session:
        id_ = session.scalars(select(Upload.id)).one()
    claim = claims.take(deps.db, id_)
    assert claim is not None
    refused = {"error_code": "media_empty", "error_detail": "Nothing."}

    def end_it(_seconds):
        with deps.db.begin() as session:
            claims.settle(session, claim, {"state": UploadState.REFUSED, **refused})

    monkeypatch.setattr(time, "sleep", end_it)
    assert upload.complete().json["error"]["code"] == "media_empty"
