"""What happens to a transcription when its lecture changes, and what it leaves."""

import numpy as np
import pytest
from sqlalchemy import delete, select

from common.errors import ProviderUnavailable
from common.models import DoomedObject, Lecture, UsageEntry
from tests import invariants
from tests.media_samples import bursts, wav_bytes
from tests.worker.talks import jobs_of, lecture_status, make_due, recorded, transcript


@pytest.fixture
def talk():
    return recorded()


@pytest.fixture
def speech(speech):
    speech.max_chunk_ms = 2000  # the least that the cutter takes
    return speech


def test_a_recording_that_is_replaced_meanwhile_gets_no_transcript(
    worker, ingest, queue, speech, db, api
):
    speech.max_chunk_ms = 30_000

    def replace_it(_flac):
        speech.answer = None
        ingest(wav_bytes(bursts(4, ((1, 3),))))
        return ()

    speech.answer = replace_it
    ingest()
    worker.run_all(queue)

    old, new = jobs_of(db)
    assert old.state in {"failed", "cancelled"}
    assert new.state == "succeeded"
    assert transcript(db).job_id == new.id
    assert lecture_status(api) == "transcribed"
    invariants.check(db, at_rest=True)


def test_a_replaced_recording_s_pieces_are_recognised_no_more(
    worker, ingest, queue, speech, db, talk
):
    ingest(talk)
    [task] = queue.take()
    worker.post(f"/tasks/{task.job_id}", {"seq": 1})  # the plan; its pieces are queued
    ingest(wav_bytes(np.zeros(16_000)))

    worker.run_all(queue)

    assert speech.calls == 0
    old, new = jobs_of(db)
    assert (old.state, new.state) == ("cancelled", "succeeded")
    invariants.check(db, at_rest=True)


def test_a_recording_replaced_during_the_plan_is_not_recognised(
    worker, ingest, queue, speech, db, talk
):
    """The heartbeat cannot tell the job any more: it begins to wait at that moment."""
    speech.when_planned = lambda: ingest(wav_bytes(np.zeros(16_000)))
    ingest(talk)
    worker.run_all(queue)

    assert speech.calls == 0
    assert [job.state for job in jobs_of(db)] == ["cancelled", "succeeded"]
    invariants.check(db, at_rest=True)


def test_a_lecture_that_is_gone_meanwhile_gets_no_transcript(
    worker, ingest, queue, speech, db
):
    speech.max_chunk_ms = 30_000

    def remove_it(_flac):
        with db.begin() as session:
            session.execute(delete(Lecture))
        return ()

    speech.answer = remove_it
    ingest()
    worker.run_all(queue)

    assert [job.state for job in jobs_of(db)] == ["failed"]
    assert transcript(db) is None


def test_a_lecture_that_was_gone_before_is_reported(worker, ingest, queue, db):
    ingest()
    with db.begin() as session:
        session.execute(delete(Lecture))

    worker.run_all(queue)

    [job] = jobs_of(db)
    assert (job.state, job.error_code) == ("failed", "not_found")


def test_each_paid_call_is_in_the_ledger(worker, ingest, queue, speech, db, talk):
    ingest(talk)
    worker.run_all(queue)

    with db.begin() as session:
        entries = list(session.scalars(select(UsageEntry)))
    assert len(entries) == speech.calls
    assert {entry.job_id for entry in entries} == {
        child.id for child in jobs_of(db, "transcription_chunk")
    }
    assert {(e.provider, e.model, e.audio_ms) for e in entries} == {
        ("fake", "fake-1", 1000)
    }


def test_pieces_are_due_for_removal_once_the_transcript_stands(
    worker, ingest, queue, speech, db, talk, deps
):
    ingest(talk)
    worker.run_all(queue)
    [parent] = jobs_of(db)
    keys = [
        f"pieces/{parent.id}/{n:05}.flac"
        for n in range(len(parent.checkpoint["plan"]["pieces"]))
    ]
    assert all(deps.storage.size_bytes(key) for key in keys)

    reply = worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")

    assert reply.json["objects_removed"] == len(keys)
    assert not any(deps.storage.size_bytes(key) for key in keys)
    assert deps.storage.size_bytes(transcript(db).object_key)
    with db.begin() as session:
        assert session.query(DoomedObject).count() == 0


def test_progress_is_seen_while_the_pieces_are_recognised(
    worker, ingest, queue, speech, talk, api
):
    seen = []

    def look(_flac):
        stages = api.get("/lectures/l1/progress").json["stages"]
        seen.append(stages["transcription"]["progressPercent"])
        return ()

    speech.answer = look
    ingest(talk)
    worker.run_all(queue)

    assert seen == sorted(set(seen)), "each piece is some progress"
    assert seen[0] >= 10
    assert seen[-1] < 100
    final = api.get("/lectures/l1/progress").json["stages"]["transcription"]
    assert final["progressPercent"] == 100


def test_the_plan_is_not_made_twice(worker, ingest, queue, speech, db, talk):
    speech.max_chunk_ms = 30_000
    speech.errors = [ProviderUnavailable()]
    ingest(talk)
    [task] = queue.take()
    worker.post(f"/tasks/{task.job_id}", {"seq": 1})
    plan = jobs_of(db)[0].checkpoint["plan"]
    make_due(db)
    worker.run_all(queue)

    assert jobs_of(db)[0].checkpoint["plan"] == plan
    assert jobs_of(db)[0].state == "succeeded"
