"""Writes with an Idempotency-Key: done once, answered alike."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from sqlalchemy import event, func, select, update

from common import db as database
from common.models import (
    DoomedObject,
    IdempotencyKey,
    Job,
    Lecture,
    RateWindow,
    Recording,
)
from common.providers import internal_calls
from common.providers.storage.local import LocalStorage
from tests import factories, invariants
from tests.api.guards import with_settings
from tests.common.job_steps import is_blocked, together, until
from tests.conftest import make_api, spoken_wav

KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"
REUSED = "Idempotency-Key reuse with different request payload."
FORM = {
    "course_id": "c1",
    "lecture_id": "l1",
    "preset_id": "exam-mode",
    "title": "First lecture",
}


def post(client, path, key: str | None = KEY, **request):
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, headers=headers, **request)


def send(client, key: str | None = KEY, content=None, name="talk.wav", **fields):
    """Send a recording; a field that is None is left out."""
    form = {k: v for k, v in {**FORM, **fields}.items() if v is not None}
    form["audio"] = (io.BytesIO(content or spoken_wav(0.5)), name)
    return post(client, "/lectures/ingest", key, data=form)


def count(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def change_key(db, **columns):
    """Change the one key's row behind the API's back."""
    with db.begin() as session:
        session.execute(update(IdempotencyKey).values(**columns))


def a_moment_ago():
    return datetime.now(UTC) - timedelta(milliseconds=1)


def objects(storage_dir):
    """Return the names of all stored objects."""
    files = (path for path in storage_dir.rglob("*") if path.is_file())
    return sorted(path.relative_to(storage_dir).as_posix() for path in files)


@pytest.fixture
def lecture(db):
    return factories.lecture(db)


# Same request, same key


@pytest.mark.parametrize("verb", ["transcribe", "generate", "export"])
def test_a_repeated_request_is_answered_alike_and_done_once(
    api, db, queue, lecture, verb
):
    first, second = (post(api, f"/lectures/l1/{verb}", json={}) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert second.data == first.data
    assert "deduplicated" not in second.json
    assert count(db, Job) == 1
    assert len(queue.take()) == 1


def test_a_repeated_upload_is_answered_alike_and_done_once(api, db, queue, storage_dir):
    first = send(api)
    stored = objects(storage_dir)
    second = send(api, content=spoken_wav(0.7))
    assert first.status_code == 200
    assert second.data == first.data
    assert count(db, Recording) == count(db, Job) == 1
    assert objects(storage_dir) == stored
    assert len(queue.take()) == 1


def test_a_replay_looks_like_the_first_answer(api, lecture):
    first, second = (post(api, "/lectures/l1/export") for _ in range(2))
    kept = {"x-request-id"}
    assert {k for k, _ in second.headers} == {k for k, _ in first.headers}
    assert {(k, v) for k, v in second.headers if k not in kept} == {
        (k, v) for k, v in first.headers if k not in kept
    }


def test_the_answer_stays_as_it_was_whatever_became_of_the_job(
    api, worker, queue, lecture
):
    first = post(api, "/lectures/l1/export")
    worker.run_all(queue)
    assert api.get(f"/jobs/{first.json['jobId']}").json["status"] == "failed"
    assert post(api, "/lectures/l1/export").data == first.data
    assert post(api, "/lectures/l1/export", None).json["jobId"] != first.json["jobId"]


def test_the_answer_outlives_the_lecture(api, lecture):
    first = post(api, "/lectures/l1/export")
    assert api.delete("/lectures/l1").status_code == 200
    assert post(api, "/lectures/l1/export").data == first.data


def test_that_a_job_was_not_doubled_is_replayed_too(api, lecture):
    post(api, "/lectures/l1/export", None)
    first, second = (post(api, "/lectures/l1/export") for _ in range(2))
    assert first.json["deduplicated"] is True
    assert second.data == first.data


def test_a_replay_only_looks_the_key_up(api, lecture, statements):
    post(api, "/lectures/l1/export")
    statements.clear()
    post(api, "/lectures/l1/export")
    assert len(statements) == 3, "the limit, the try to take the key, its answer"


def test_a_replay_counts_towards_the_limit(api, deps, lecture):
    api.application.extensions["deps"] = with_settings(
        deps, write_rate_limit_max_requests=2
    )
    statuses = [post(api, "/lectures/l1/export").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


# What is the same request

BODIES = [
    ({}, {}, True),
    ({}, {"course_id": None, "llm_model": None}, True),
    ({}, {"unknown": 1}, True),
    ({"course_id": "c1", "preset_id": "exam"}, None, True),
    ({}, {"course_id": "c1"}, False),
    ({}, {"preset_id": "exam-mode"}, False),
    ({"preset_id": "exam"}, {"preset_id": "exam-mode"}, False),
    ({}, {"llm_provider": "extractive"}, False),
    ({"llm_model": "a"}, {"llm_model": "b"}, False),
]


@pytest.mark.parametrize(("first", "second", "same"), BODIES)
def test_which_requests_for_study_material_are_the_same(
    api, lecture, first, second, same
):
    if second is None:  # the same with its keys in another order
        second = dict(reversed(first.items()))
    assert post(api, "/lectures/l1/generate", json=first).status_code == 200
    reply = post(api, "/lectures/l1/generate", json=second)
    assert reply.status_code == (200 if same else 409), reply.text


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("", "?unknown=1", True),
        ("?model=a&language_code=de", "?language_code=de&model=a", True),
        ("", "?model=a", False),
        ("", "?provider=pocketsphinx", False),
        ("?language_code=de", "?language_code=en", False),
    ],
)
def test_which_requests_for_a_transcript_are_the_same(
    api, lecture, first, second, same
):
    assert post(api, f"/lectures/l1/transcribe{first}").status_code == 200
    reply = post(api, f"/lectures/l1/transcribe{second}")
    assert reply.status_code == (200 if same else 409), reply.text


def test_the_body_of_an_export_does_not_count(api, lecture):
    first = post(api, "/lectures/l1/export", json={"export_type": "markdown"})
    assert post(api, "/lectures/l1/export").data == first.data


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"course_title": "Biology"}, True),
        ({"auto_transcribe": "false"}, True),
        ({"transcribe_model": "other"}, True),
        ({"lecture_mode": ""}, True),
        ({"duration_sec": "0"}, True),
        ({"source_type": "upload"}, True),
        ({"course_id": "c2"}, False),
        ({"lecture_id": "l2"}, False),
        ({"preset_id": "exam"}, False),
        ({"title": "Second lecture"}, False),
        ({"duration_sec": "1"}, False),
        ({"source_type": "record"}, False),
        ({"lecture_mode": "OPEN"}, False),
        ({"name": "other.wav"}, False),
        ({"name": "talk.pdf"}, False),
    ],
)
def test_which_uploads_are_the_same(api, changed, same):
    assert send(api).status_code == 200
    reply = send(api, **changed)
    assert reply.status_code == (200 if same else 409), reply.text


def test_the_same_key_for_another_lecture_is_refused(api, db, lecture):
    factories.lecture(db, "l2")
    post(api, "/lectures/l1/export")
    reply = post(api, "/lectures/l2/export")
    assert reply.status_code == 409
    assert reply.json["detail"] == REUSED
    assert reply.json["error"]["code"] == "idempotency_key_reused"
    assert count(db, Job) == 1


def test_another_request_is_refused_while_the_first_is_at_work(api, db, lecture):
    post(api, "/lectures/l1/export")
    change_key(db, answer=None, locked_until=datetime.now(UTC) + timedelta(hours=1))
    assert post(api, "/lectures/l2/export").json["detail"] == REUSED


def test_operations_do_not_share_keys(api, db, queue):
    send(api)
    for verb in ("transcribe", "generate", "export"):
        assert post(api, f"/lectures/l1/{verb}", json={}).status_code == 200
    assert count(db, IdempotencyKey) == 4


# Keys


@pytest.mark.parametrize("key", ["", " ", "\t"])
def test_a_blank_key_is_none(api, db, lecture, key):
    first, second = (post(api, "/lectures/l1/export", key) for _ in range(2))
    assert "deduplicated" not in first.json
    assert second.json["deduplicated"] is True
    assert count(db, IdempotencyKey) == 0


def test_space_around_a_key_does_not_count(api, lecture):
    first = post(api, "/lectures/l1/export", f"  {KEY} ")
    assert post(api, "/lectures/l1/export").data == first.data


@pytest.mark.parametrize(("length", "status"), [(1, 200), (200, 200), (201, 400)])
def test_a_key_has_two_hundred_characters_at_most(api, db, lecture, length, status):
    reply = post(api, "/lectures/l1/export", "k" * length)
    assert reply.status_code == status
    assert count(db, Job) == (1 if status == HTTPStatus.OK else 0)


def test_a_key_may_have_any_letters(api, lecture):
    first, second = (post(api, "/lectures/l1/export", "'; \xfcber \xff") for _ in "12")
    assert first.status_code == 200
    assert second.data == first.data


def test_keys_with_other_letters_are_other_keys(api, lecture):
    post(api, "/lectures/l1/export", "key")
    assert "deduplicated" in post(api, "/lectures/l1/export", "KEY").json


# Errors


def test_an_error_is_not_kept(api, db):
    assert post(api, "/lectures/l1/export").status_code == 404
    assert count(db, IdempotencyKey) == 0
    factories.lecture(db)
    assert post(api, "/lectures/l1/export").status_code == 200


def test_after_an_error_the_key_may_be_used_for_something_else(api, lecture):
    assert post(api, "/lectures/none/export").status_code == 404
    assert post(api, "/lectures/l1/export").status_code == 200


def test_a_refused_upload_is_not_kept(api, db, storage_dir):
    assert send(api, content=b"no sound").status_code == 422
    assert send(api, preset_id="none").status_code == 400
    assert count(db, IdempotencyKey) == 0
    assert objects(storage_dir) == []
    assert send(api).status_code == 200


class FullStorage(LocalStorage):
    def write(self, key, source):
        raise ZeroDivisionError


def test_a_crash_gives_the_key_back(api, db, deps, storage_dir):
    api.application.extensions["deps"] = replace(deps, storage=FullStorage(storage_dir))
    assert send(api).status_code == 500
    assert count(db, IdempotencyKey) == 0
    api.application.extensions["deps"] = deps
    assert send(api).status_code == 200


def test_a_commit_that_fails_gives_the_key_back(committed_deps, committed_db):
    factories.lecture(committed_db)
    client = make_api(committed_deps)

    @event.listens_for(committed_db, "before_commit")
    def break_down(session):
        if session.new or session.scalar(select(func.count(Job.id))):
            event.remove(committed_db, "before_commit", break_down)
            raise ZeroDivisionError

    assert post(client, "/lectures/l1/export").status_code == 500
    assert count(committed_db, IdempotencyKey) == count(committed_db, Job) == 0
    assert post(client, "/lectures/l1/export").status_code == 200


# The end of a key


def test_an_answer_is_kept_for_an_hour_from_when_it_was_given(api, db, lecture):
    post(api, "/lectures/l1/export")
    left = select(IdempotencyKey.expires_at - func.clock_timestamp())
    with db.begin() as session:
        seconds = session.scalars(left).one().total_seconds()
    assert 3590 < seconds <= 3600


def test_an_expired_answer_is_forgotten(api, db, lecture):
    first = post(api, "/lectures/l1/export")
    change_key(db, expires_at=a_moment_ago())
    second = post(api, "/lectures/l1/export")
    assert second.json == {**first.json, "deduplicated": True}
    assert post(api, "/lectures/l1/export").data == second.data


def test_an_expired_key_may_be_used_for_something_else(api, db, lecture):
    factories.lecture(db, "l2")
    post(api, "/lectures/l1/export")
    change_key(db, expires_at=a_moment_ago())
    assert post(api, "/lectures/l2/export").status_code == 200


def test_the_sweep_forgets_expired_keys_only(api, db, worker, lecture):
    post(api, "/lectures/l1/export", "old")
    change_key(db, expires_at=a_moment_ago())
    post(api, "/lectures/l1/export", "new")
    worker.post("/schedules/sweep", {}, caller=internal_calls.SCHEDULER)
    with db.begin() as session:
        assert session.scalars(select(IdempotencyKey.key)).all() == ["new"]


def test_the_key_of_a_caller_that_died_is_taken_over(api, db, lecture):
    post(api, "/lectures/l1/export", None)
    post(api, "/lectures/l1/export")
    change_key(db, answer=None, locked_until=a_moment_ago())
    reply = post(api, "/lectures/l1/export")
    assert reply.status_code == 200
    assert post(api, "/lectures/l1/export").data == reply.data


def test_a_caller_that_may_be_alive_is_waited_for(api, db, lecture, monkeypatch):
    monkeypatch.setattr("api_service.idempotency._WAIT_SECONDS", 0.1)
    post(api, "/lectures/l1/export")
    change_key(db, answer=None, locked_until=datetime.now(UTC) + timedelta(hours=1))
    reply = post(api, "/lectures/l1/export")
    assert reply.status_code == 409
    assert reply.json["error"]["code"] == "idempotency_in_progress"
    assert reply.headers["Retry-After"] == "1"


class Interrupted(LocalStorage):
    """Something happens once, while an upload is stored."""

    happens = staticmethod(lambda: None)

    def write(self, key, source):
        happens, self.happens = self.happens, lambda: None
        happens()
        return super().write(key, source)


def test_a_caller_whose_place_was_taken_has_no_effect(api, db, deps, storage_dir):
    """It was thought dead, but was only slow."""
    storage = Interrupted(storage_dir)
    api.application.extensions["deps"] = replace(deps, storage=storage)
    second = []

    def overtake():
        change_key(db, locked_until=a_moment_ago())
        second.append(send(api))

    storage.happens = overtake
    first = send(api)
    assert [reply.status_code for reply in second] == [200]
    assert first.status_code == 409
    assert first.json["error"]["code"] == "idempotency_in_progress"
    assert count(db, Recording) == count(db, Job) == 1
    assert send(api).data == second[0].data
    kept = {second[0].json[name] for name in ("audioPath", "metadataPath")}
    with db.begin() as session:
        doomed = set(session.scalars(select(DoomedObject.object_key)))
    stored = {storage.uri(name) for name in objects(storage_dir)}
    assert stored - kept == {storage.uri(key) for key in doomed}


def test_a_caller_whose_place_was_taken_leaves_it_to_who_took_it(
    api, db, deps, storage_dir
):
    """The other one is still at work when the first one is done."""
    storage = Interrupted(storage_dir)
    api.application.extensions["deps"] = replace(deps, storage=storage)
    theirs = datetime.now(UTC) + timedelta(hours=1)
    storage.happens = lambda: change_key(db, locked_until=theirs)
    assert send(api).json["error"]["code"] == "idempotency_in_progress"
    assert count(db, Lecture) == count(db, Job) == 0
    with db.begin() as session:
        row = session.scalars(select(IdempotencyKey)).one()
    assert (row.locked_until, row.answer) == (theirs, None)


# Many at once


@pytest.fixture
def app(committed_deps):
    fields = {"write_rate_limit_max_requests": 100_000}
    return make_api(with_settings(committed_deps, **fields)).application


def one_answer(replies):
    """Return the answer that all of these are."""
    assert {reply.status_code for reply in replies} == {200}, [r.text for r in replies]
    [answer] = {reply.data for reply in replies}
    return answer


def test_fifty_keys_by_twenty_calls_have_one_effect_each(app, committed_db, queue):
    db = committed_db
    for number in range(50):
        factories.lecture(db, f"l{number}")

    def call(number):
        path = f"/lectures/l{number}/export"
        client = app.test_client()
        client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
        return lambda: post(client, path, f"key-{number}")

    for first in range(0, 50, 5):
        replies = together(*[call(first + number) for number in range(5)] * 20)
        for number in range(5):
            assert b"deduplicated" not in one_answer(replies[number::5])
    assert count(db, Job) == 50
    assert len(queue.take()) == 50


def test_of_many_keys_for_one_effect_one_has_it(app, committed_db):
    factories.lecture(committed_db)
    keys = ["a", "b", "c", "d"]

    def call(key):
        return lambda: post(app.test_client(), "/lectures/l1/generate", key, json={})

    replies = together(*[call(key) for key in keys * 5])
    answers = [one_answer(replies[n :: len(keys)]) for n in range(len(keys))]
    assert sum(b"deduplicated" not in answer for answer in answers) == 1
    assert count(committed_db, Job) == 1


def test_equal_uploads_at_once_are_one(app, committed_db, storage_dir, queue):
    answer = one_answer(together(*[lambda: send(app.test_client())] * 8))
    assert b"audioPath" in answer
    assert count(committed_db, Recording) == count(committed_db, Job) == 1
    assert count(committed_db, DoomedObject) == 0
    assert len(objects(storage_dir)) == 2
    assert len(queue.take()) == 1


def test_an_expired_key_is_taken_over_by_one_of_many(app, committed_db, queue):
    factories.lecture(committed_db)
    factories.lecture(committed_db, "l2")
    assert post(app.test_client(), "/lectures/l1/export").status_code == 200
    change_key(committed_db, expires_at=a_moment_ago())
    call = lambda: post(app.test_client(), "/lectures/l2/export")  # noqa: E731
    assert b"deduplicated" not in one_answer(together(*[call] * 16))
    assert count(committed_db, Job) == 2


def test_who_waits_for_the_first_call_holds_no_connection(
    committed_deps, committed_db, database_url
):
    """Six callers wait; with two connections somebody else is still answered."""
    factories.lecture(committed_db)
    small = database.connect(database_url, pool_size=2)
    deps = with_settings(committed_deps, write_rate_limit_max_requests=100)
    app = make_api(replace(deps, db=small)).application

    def call():
        return post(app.test_client(), "/lectures/l1/export")

    with ThreadPoolExecutor(6) as pool:
        with committed_db.begin() as session:
            session.get(Lecture, "l1", with_for_update=True)
            waiting = [pool.submit(call) for _ in range(6)]
            until(lambda: is_blocked(committed_db))
            until(lambda: count_writes(committed_db) == 6)
            assert app.test_client().get("/lectures").status_code == 200
            assert not any(one.done() for one in waiting)
        answer = one_answer([one.result(10) for one in waiting])
    small.kw["bind"].dispose()
    assert b"deduplicated" not in answer
    assert count(committed_db, Job) == 1


def count_writes(db):
    with db.begin() as session:
        return session.scalar(select(func.cardinality(RateWindow.events)))


def test_keys_do_not_wait_for_each_other_s_locks(app, committed_db):
    """Requests of all kinds about one lecture, each in many copies, and its end."""
    factories.lecture(committed_db)

    def call(number):
        client = app.test_client()
        verb = ("transcribe", "generate", "export")[number % 3]
        return lambda: post(client, f"/lectures/l1/{verb}", f"k{number % 6}", json={})

    def delete():
        return app.test_client().delete("/lectures/l1")

    replies = together(*[call(number) for number in range(24)], delete)
    assert {reply.status_code for reply in replies} <= {200, 404}
    assert replies[-1].status_code == 200
    assert count(committed_db, Job) == count(committed_db, Lecture) == 0
    invariants.check(committed_db)
