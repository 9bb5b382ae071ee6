"""Deletes, and what others do to the same lectures and courses at that moment."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, text

from common.jobs.payloads import lecture_subject
from common.models import (
    Course,
    DeletionEvent,
    DoomedObject,
    Job,
    Lecture,
    Recording,
)
from tests import factories, invariants
from tests.api.guards import with_settings
from tests.common.job_steps import is_blocked, together, until
from tests.conftest import make_api, make_ingest


@pytest.fixture
def db(committed_db):
    return committed_db


@pytest.fixture
def app(committed_deps):
    deps = with_settings(committed_deps, write_rate_limit_max_requests=10_000)
    return make_api(deps).application


@pytest.fixture
def upload(app):
    def send(lecture_id="l1", **fields):
        ingest: Any = make_ingest(app.test_client())
        return ingest(lecture_id=lecture_id, **fields)

    return send


def count(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def loose_files(db, storage_dir):
    """Return the stored files that no row names and no sweep will remove."""
    with db.begin() as session:
        named = set(session.scalars(select(DoomedObject.object_key)))
        for row in session.execute(
            select(Recording.object_key, Recording.metadata_key)
        ):
            named |= set(row)
    return {
        name
        for path in storage_dir.rglob("*")
        if path.is_file()
        and (name := path.relative_to(storage_dir).as_posix()) not in named
    }


def loose_jobs(db):
    """Return the jobs whose lecture is gone."""
    with db.begin() as session:
        lectures = session.scalars(select(Lecture.id)).all()
        mine = [lecture_subject(id_) for id_ in lectures]
        return session.scalars(select(Job.id).where(Job.subject.not_in(mine))).all()


def while_open(db, before, request, after=lambda _session: None):
    """Send a request while another transaction is open; return the answer.

    The transaction does something before, waits until the request waits for it, does
    something after, and commits.
    """
    asked: list[Future[Any]] = []
    with ThreadPoolExecutor(1) as pool:
        with db.begin() as session:
            before(session)
            asked.append(pool.submit(request))
            until(lambda: is_blocked(db))
            after(session)
        return asked[0].result(10)


def lock_course(session):
    """Begin as the deletion of a course begins."""
    session.get(Course, "c1", with_for_update=True)


def drop_course(session):
    """End as it ends."""
    session.execute(delete(Course).where(Course.id == "c1"))


@pytest.mark.parametrize(
    ("before", "after"),
    [(lock_course, drop_course), (drop_course, lambda _session: None)],
    ids=["locked", "deleted"],
)
@pytest.mark.parametrize("title", [None, "Biology"])
def test_a_lecture_that_comes_while_its_course_is_deleted_has_a_new_one(
    db, upload, storage_dir, title, before, after
):
    factories.course(db, title="The old one")
    fields = {"course_title": title} if title else {}
    reply = while_open(db, before, lambda: upload(**fields), after)
    assert reply.status_code == 200, reply.text
    with db.begin() as session:
        assert session.scalars(select(Course.title)).all() == [title or "c1"]
        assert session.scalars(select(Lecture.course_id)).all() == ["c1"]
    assert loose_files(db, storage_dir) == set()


def test_a_lecture_that_moves_into_a_course_that_is_deleted_has_a_new_one(
    db, upload, app
):
    factories.lecture(db, course_id="c2")
    factories.course(db)
    reply = while_open(db, lock_course, upload, drop_course)
    assert reply.status_code == 200, reply.text
    assert app.test_client().get("/lectures/l1").json["course_id"] == "c1"
    assert app.test_client().delete("/courses/c2").json["lecturesDeleted"] == 0


def test_a_course_waits_for_the_lecture_that_comes_and_takes_it_along(
    db, app, upload, monkeypatch, storage_dir
):
    factories.course(db)
    asked: list[Future[Any]] = []
    original = Recording.__init__
    with ThreadPoolExecutor(1) as pool:

        def arriving(self, **values):
            """The course is locked; its new lecture is still to be written."""
            original(self, **values)
            asked.append(pool.submit(app.test_client().delete, "/courses/c1"))
            until(lambda: is_blocked(db))

        monkeypatch.setattr(Recording, "__init__", arriving)
        assert upload().status_code == 200
        reply = asked[0].result(10)
    assert (reply.status_code, reply.json["lecturesDeleted"]) == (200, 1)
    assert count(db, Lecture) == count(db, Course) == 0
    assert loose_files(db, storage_dir) == set()


@pytest.mark.parametrize("verb", ["transcribe", "generate", "export"])
def test_work_that_is_asked_for_while_the_lecture_is_deleted_is_refused(db, app, verb):
    lecture = factories.lecture(db)

    def drop(session):
        session.get(Lecture, "l1", with_for_update=True)
        session.execute(delete(Lecture).where(Lecture.id == lecture.id))

    reply = while_open(
        db, drop, lambda: app.test_client().post(f"/lectures/l1/{verb}", json={})
    )
    assert reply.status_code == 404
    assert count(db, Job) == 0


def test_work_that_is_deleted_before_it_is_answered_for_is_answered_for(
    db, app, queue, monkeypatch
):
    factories.lecture(db)
    send = queue.send

    def meanwhile(task):
        send(task)
        [reply] = together(lambda: app.test_client().delete("/lectures/l1"))
        assert reply.status_code == 200

    monkeypatch.setattr(queue, "send", meanwhile)
    reply = app.test_client().post("/lectures/l1/export")
    assert (reply.status_code, reply.json["status"]) == (200, "queued")


def test_a_replay_that_is_deleted_before_it_is_answered_for_is_answered_for(
    db, app, queue, monkeypatch
):
    factories.lecture(db)
    failed = factories.job(db, kind="export", state="failed")
    send = queue.send

    def meanwhile(task):
        send(task)
        [reply] = together(lambda: app.test_client().delete("/courses/c1"))
        assert reply.status_code == 200

    monkeypatch.setattr(queue, "send", meanwhile)
    reply = app.test_client().post(f"/jobs/{failed.id}/replay")
    assert (reply.status_code, reply.json["status"]) == (200, "queued")


@pytest.mark.parametrize("path", ["/lectures/l1", "/courses/c1"])
def test_of_parallel_deletes_one_deletes(db, app, path):
    factories.lecture(db)
    replies = together(*[lambda: app.test_client().delete(path)] * 6)
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [200] + [404] * 5
    assert count(db, DeletionEvent) == (1 if "lectures" in path else 2)


def test_a_lecture_is_whole_or_gone_when_deletes_and_uploads_meet(
    db, app, upload, storage_dir
):
    upload()
    replies = together(
        *[upload] * 3, *[lambda: app.test_client().delete("/lectures/l1")] * 3
    )
    assert {reply.status_code for reply in replies} <= {200, 404}
    assert count(db, Lecture) == count(db, Recording) <= 1
    assert loose_files(db, storage_dir) == set()
    assert loose_jobs(db) == []
    invariants.check(db)


def test_nothing_is_lost_or_left_when_all_happens_at_once(db, app, upload, storage_dir):
    """Two courses, lectures that come, move and go, and work on them."""
    for number in range(4):
        upload(f"l{number}", course_id=f"c{number % 2}")

    def call(method, path, **request):
        return lambda: app.test_client().open(path, method=method, **request)

    def move(number):
        return lambda: upload(
            f"l{number % 4}", course_id=f"c{(number + 1) % 2}", course_title="Moved"
        )

    replies = together(
        *[move(number) for number in range(6)],
        *[call("DELETE", f"/courses/c{number % 2}") for number in range(4)],
        *[call("DELETE", f"/lectures/l{number}") for number in range(4)],
        *[call("POST", f"/lectures/l{number}/transcribe") for number in range(4)],
        *[
            call("POST", f"/lectures/l{number}/generate", json={})
            for number in range(4)
        ],
        call("POST", "/jobs/dead-letter/replay"),
    )
    assert {reply.status_code for reply in replies} <= {200, 404, 503}
    assert count(db, Lecture) == count(db, Recording)
    assert loose_files(db, storage_dir) == set()
    assert loose_jobs(db) == []
    invariants.check(db)


def test_who_is_undone_for_a_deadlock_is_told_to_try_again(db, app):
    """In the server's own words, raised by the server itself."""
    factories.lecture(db)

    @event.listens_for(db, "before_commit")
    def collide(session):
        if session.scalar(select(func.count(Lecture.id))) == 0:
            event.remove(db, "before_commit", collide)
            session.execute(text("do $$ begin raise sqlstate '40P01'; end $$"))

    reply = app.test_client().delete("/lectures/l1")
    assert reply.status_code == 503
    assert reply.json["error"]["code"] == "unavailable"
    assert int(reply.headers["Retry-After"]) > 0
    assert count(db, Lecture) == 1
    assert app.test_client().delete("/lectures/l1").status_code == 200
