"""Several want the same upload at once: it happens once, and all are told alike."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import func, select, update

from common import uploads
from common.errors import Conflict, Unavailable
from common.models import (
    EventOutbox,
    Job,
    Lecture,
    Recording,
    Upload,
)
from common.providers.storage.local import LocalStorage
from common.uploads import InProgress, claims, completion
from tests.api.guards import with_settings
from tests.conftest import make_api, spoken_wav
from tests.sending import announce, sender, sent

SOUND = spoken_wav(1)


@pytest.fixture
def app(committed_deps):
    return make_api(committed_deps).application


@pytest.fixture
def api(app):
    return app.test_client()


def together(*calls):
    """Make these calls from threads that start at the same moment."""
    barrier = Barrier(len(calls))

    def wait_and_call(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(wait_and_call, calls))


def count(db, *models):
    with db.begin() as session:
        counted = [select(func.count()).select_from(m) for m in models]
        return [session.scalar(query) for query in counted]


def key_of(db):
    with db.begin() as session:
        return session.scalars(select(Upload.object_key)).one()


def events_of(db):
    with db.begin() as session:
        told = session.scalars(select(EventOutbox.type))
        return sorted(type_ for type_ in told if type_ != "job.created")


def test_of_many_completions_at_once_one_has_the_effect(app, api, committed_db, queue):
    upload = sent(api, SOUND)

    def complete():
        return app.test_client().post(f"/uploads/{upload.id}/complete")

    replies = together(*[complete] * 8)
    assert [reply.status_code for reply in replies] == [200] * 8
    assert len({reply.text for reply in replies}) == 1
    assert count(committed_db, Lecture, Recording, Job) == [1] * 3
    assert len(queue.take()) == 1
    assert events_of(committed_db) == ["lecture.created", "upload.completed"]


def test_the_notification_and_the_client_complete_it_once(
    app, api, committed_db, committed_deps
):
    upload = sent(api, SOUND)
    key = key_of(committed_db)

    def notify():
        uploads.finalized(committed_deps, object_key=key, size_bytes=len(SOUND))

    def complete():
        return app.test_client().post(f"/uploads/{upload.id}/complete").status_code

    replies = together(notify, complete, notify, complete)
    assert replies == [None, 200, None, 200]
    assert count(committed_db, Lecture, Recording, Job) == [1] * 3


def test_the_notification_alone_is_enough(api, committed_db, committed_deps):
    upload = sent(api, SOUND)
    key = key_of(committed_db)
    for _ in range(2):
        uploads.finalized(committed_deps, object_key=key, size_bytes=len(SOUND))
    assert count(committed_db, Lecture, Recording, Job) == [1] * 3
    assert upload.show()["state"] == "used"
    assert upload.complete().status_code == 200


def test_a_notification_of_nothing_we_know_has_no_effect(committed_deps, committed_db):
    uploads.finalized(committed_deps, object_key="exports/l1/x", size_bytes=1)
    assert count(committed_db, Lecture) == [0]


def test_a_notification_of_rubbish_is_taken_and_noted(
    api, committed_db, committed_deps
):
    upload = sent(api, b"no sound" * 100)
    key = key_of(committed_db)
    for _ in range(2):
        uploads.finalized(committed_deps, object_key=key, size_bytes=800)
    assert upload.show()["error"]["code"] == "media_unreadable"
    assert events_of(committed_db) == ["upload.refused"]


def test_a_notification_comes_again_while_somebody_else_is_at_work(
    api, committed_db, committed_deps, monkeypatch
):
    upload = sent(api, SOUND)
    key = key_of(committed_db)
    monkeypatch.setattr(completion, "_WAIT_SECONDS", 0.1)
    claims.take(committed_db, uploads.get(committed_deps, upload.id).id)
    with pytest.raises(Unavailable):
        uploads.finalized(committed_deps, object_key=key, size_bytes=len(SOUND))
    busy = upload.complete()
    assert (busy.status_code, busy.json["error"]["code"]) == (409, "upload_in_progress")
    assert upload.abort().status_code == 409


def test_whoever_took_too_long_writes_nothing(api, committed_db, committed_deps):
    upload = sent(api, SOUND)
    id_ = uploads.get(committed_deps, upload.id).id
    claim = claims.take(committed_db, id_)
    assert claim is not None
    with committed_db.begin() as session:
        session.execute(update(Upload).values(claimed_until=func.now()))
    assert upload.complete().status_code == 200
    with pytest.raises(InProgress), committed_db.begin() as session:
        claims.settle(session, claim, {"state": "refused"})
    assert upload.show()["state"] == "used"


def test_two_that_send_the_same_pieces_do_no_harm(app, api, committed_deps):
    upload = sender(api, SOUND)
    step = 3000

    def send():
        client = type(upload)(app.test_client(), SOUND, upload.show() | opened)
        while (start := client.ask()) < len(SOUND):
            client.send(start, min(start + step, len(SOUND)))

    opened = {"uploadUrl": upload.url}
    together(*[send] * 4)
    assert upload.complete().status_code == 200
    assert api.get("/lectures/l1/media").data == SOUND


class Slow:
    """Sends its first half, and its second when it is told to."""

    def __init__(self, halves):
        self.halves, self.half, self.go_on = list(halves), Event(), Event()

    def read(self, _size):
        if len(self.halves) == 1:
            self.half.set()
            assert self.go_on.wait(10)
        return self.halves.pop(0) if self.halves else b""


def test_a_new_sender_takes_over_from_one_whose_line_is_dead(tmp_path):
    storage = LocalStorage(tmp_path)
    session = storage.start_upload(
        "a/b", size_bytes=6, content_type="audio/wav", origin=None
    )
    dead: Any = Slow([b"one", b"bad"])
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(storage.append, session, "a/b", 0, dead)
        assert dead.half.wait(10)
        safe = storage.uploaded_bytes(session, "a/b")
        assert storage.append(session, "a/b", safe, BytesIO(b"two")) == 6
        dead.go_on.set()
        with pytest.raises(Conflict, match="stands at 6 bytes"):
            stuck.result()
    with storage.read("a/b") as stream:
        assert stream.read() == b"onetwo"


def test_places_are_not_given_out_twice(app, committed_deps):
    app.extensions["deps"] = with_settings(committed_deps, max_open_uploads=3)
    replies = together(*[lambda: announce(app.test_client(), SOUND)] * 12)
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [201] * 3 + [429] * 9


def test_an_abort_and_a_completion_at_once_leave_one_of_both(
    app, api, committed_db, committed_deps
):
    for _ in range(4):
        upload = sent(api, SOUND)
        path = f"/uploads/{upload.id}"
        done, ended = together(
            lambda path=path: app.test_client().post(f"{path}/complete"),
            lambda path=path: app.test_client().delete(path),
        )
        state = {200: "used", 409: "aborted"}[done.status_code]
        assert upload.show()["state"] == state
        assert (ended.status_code == 200) == (state == "aborted")
