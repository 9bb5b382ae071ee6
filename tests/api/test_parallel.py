"""The same request many times at once, with commits that are real."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, text

from common.models import Course, Job, JobOutbox, Lecture, Recording
from tests import factories
from tests.conftest import make_api, make_ingest, spoken_wav

AT_ONCE = 16


def together(function, times=AT_ONCE):
    """Call a function from many threads that start at the same moment."""
    barrier = Barrier(times)

    def wait_and_call(number):
        barrier.wait()
        return function(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(wait_and_call, range(times)))


@pytest.fixture
def db(committed_db):
    return committed_db


@pytest.fixture
def app(committed_deps):
    return make_api(committed_deps).application


@pytest.mark.parametrize("verb", ["transcribe", "generate", "export"])
def test_of_sixteen_equal_requests_one_makes_the_job(app, db, queue, verb):
    factories.lecture(db)

    def ask(_number):
        return app.test_client().post(f"/lectures/l1/{verb}", json={})

    replies = together(ask)
    assert [reply.status_code for reply in replies] == [200] * AT_ONCE
    assert len({reply.json["jobId"] for reply in replies}) == 1
    assert sum("deduplicated" not in reply.json for reply in replies) == 1
    assert len(queue.take()) == 1
    with db.begin() as session:
        assert session.scalar(select(func.count(Job.id))) == 1
        assert session.scalar(select(func.count(JobOutbox.id))) == 0


def test_different_lectures_do_not_share_a_job(app, db, queue):
    for number in range(4):
        factories.lecture(db, f"l{number}")
    replies = together(
        lambda number: app.test_client().post(f"/lectures/l{number % 4}/export")
    )
    assert len({reply.json["jobId"] for reply in replies}) == 4
    assert len(queue.take()) == 4


def test_uploads_of_the_same_lecture_at_once_leave_one_whole_one(app, db, storage_dir):
    sounds = [spoken_wav(0.5 + number / 10) for number in range(4)]

    def send(number):
        return make_ingest(app.test_client())(sounds[number], auto_transcribe="false")

    assert [reply.status_code for reply in together(send, 4)] == [200] * 4
    with db.begin() as session:
        assert session.scalar(select(func.count(Lecture.id))) == 1
        assert session.scalar(select(func.count(Recording.id))) == 1
    assert app.test_client().get("/lectures/l1/media").data in sounds


def test_a_lecture_made_meanwhile_by_another_upload_is_replaced(app, db):
    """The other transaction is open when ours arrives, and commits after."""
    factories.lecture(db, "other")  # the course is there: nobody waits for its row
    made = factories.recording(db)
    with ThreadPoolExecutor(1) as pool:
        with db.begin() as session:
            session.add(
                Lecture(
                    id="l1",
                    course_id="c1",
                    preset_id="exam-mode",
                    title="Theirs",
                    status="uploaded",
                    recording_id=made.id,
                )
            )
            session.flush()
            ours: Any = pool.submit(
                lambda: make_ingest(app.test_client())(title="Ours")
            )
            wait_until_somebody_waits(db)
        assert ours.result().status_code == 200
    with db.begin() as session:
        assert session.get_one(Lecture, "l1").title == "Ours"
        assert session.get(Recording, made.id) is None


def wait_until_somebody_waits(db):
    """Return once another session waits for a lock."""
    waiting = text("select count(*) from pg_locks where not granted")
    for _ in range(1000):
        with db.begin() as session:
            if session.scalar(waiting):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_new_courses_at_once_are_one(app, db):
    def send(number):
        client = make_ingest(app.test_client())
        return client(lecture_id=f"l{number}", course_title="Biology")

    assert [reply.status_code for reply in together(send, 4)] == [200] * 4
    with db.begin() as session:
        assert session.scalars(select(Course.title)).all() == ["Biology"]
        assert session.scalar(select(func.count(Lecture.id))) == 4
