"""Answers that were paid for are kept while they serve, and not for ever."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from common import ledger
from common.ids import new_id
from common.models import Job, ProviderResult, UsageEntry
from common.usage import Usage
from tests.worker.talks import recorded

USED = Usage("fake", "fake-1")


@pytest.fixture
def sweep(worker):
    return lambda: worker.post("/schedules/sweep", {}, "scheduler@pegasus.internal")


@pytest.fixture
def speech(speech):
    speech.max_chunk_ms = 2000  # the least that the cutter takes
    return speech


def answers(db):
    with db.begin() as session:
        return session.scalar(select(func.count(ProviderResult.key)))


def age(db, **passed):
    with db.begin() as session:
        older = ProviderResult.created_at - timedelta(**passed)
        session.execute(update(ProviderResult).values(created_at=older))


def save_answer(db, key="k", job_id=None):
    with db.begin() as session:
        ledger.record(session, key, {}, usage=USED, job_id=job_id or new_id())


def test_an_answer_serves_for_a_week(db, sweep):
    save_answer(db)
    age(db, days=6, hours=23)
    sweep()
    assert answers(db) == 1


def test_after_a_week_it_is_forgotten_but_its_cost_is_not(db, sweep):
    save_answer(db)
    age(db, days=7, minutes=1)
    sweep()
    assert answers(db) == 0
    with db.begin() as session:
        assert session.scalar(select(func.count(UsageEntry.id))) == 1


def test_the_answers_of_a_deleted_lecture_go_with_it(api, ingest, worker, queue, db):
    ingest(recorded())
    worker.run_all(queue)
    assert answers(db) > 2  # one for each piece, whose jobs are parts of another
    save_answer(db)
    api.delete("/lectures/l1")
    assert answers(db) == 1


def test_the_answers_of_a_deleted_course_go_with_it(api, ingest, worker, queue, db):
    ingest()
    worker.run_all(queue)
    assert answers(db) > 0
    api.delete("/courses/c1")
    assert answers(db) == 0


def test_answers_go_with_the_transcript_that_is_kept_no_longer(
    ingest, worker, queue, db
):
    ingest(recorded())
    worker.run_all(queue)
    save_answer(db)
    with db.begin() as session:
        session.execute(text("update lectures set created_at = now() - interval '15d'"))
    worker.post("/schedules/retention", {}, "scheduler@pegasus.internal")
    assert answers(db) == 1


def test_the_same_sound_is_recognised_once_in_a_week(ingest, worker, queue, speech, db):
    ingest(recorded())
    worker.run_all(queue)
    calls = speech.calls
    ingest(recorded(), lecture_id="l2")
    worker.run_all(queue)
    assert calls > 0
    assert speech.calls == calls


def test_a_transcript_whose_answers_are_gone_says_what_to_do(
    ingest, worker, queue, speech, db
):
    ingest(recorded())
    tasks = list(queue.tasks.values())
    for _round in range(2):  # plan, then recognise the pieces
        for task in queue.take():
            worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
    with db.begin() as session:
        session.execute(text("delete from provider_results"))
    worker.run_all(queue)
    with db.begin() as session:
        parent = session.get_one(Job, tasks[0].job_id)
    assert (parent.state, parent.error_code) == ("failed", "answers_expired")
    assert "ask for the transcript again" in parent.error_detail
