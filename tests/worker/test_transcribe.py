"""Transcription from the upload to the transcript, with a recogniser we control."""

import json
from io import BytesIO

import numpy as np
import pytest
from sqlalchemy import delete, select

from common.errors import ProviderBusy, ProviderError, ProviderUnavailable
from common.jobs import Transcription, enqueue
from common.media.container import decode
from common.models import (
    DoomedObject,
    Job,
    Lecture,
    SegmentRecord,
    TranscriptRecord,
    UsageEntry,
)
from common.transcript import Segment
from tests import invariants
from tests.common.job_steps import change
from tests.media_samples import bursts, wav_bytes

# Three sentences with pauses, and a long silence that is nobody's business.
SPOKEN = ((0.5, 2.0), (3.0, 4.5), (12.5, 14.0))


@pytest.fixture
def talk():
    return wav_bytes(bursts(15.5, SPOKEN))


@pytest.fixture
def speech(speech):
    speech.max_chunk_ms = 2000  # the least that the cutter takes
    return speech


def hear_bursts(flac):
    """Recognise each burst where it lies in the piece, to the 20 ms."""
    pcm = np.frombuffer(b"".join(decode(BytesIO(flac))), "<i2")
    frames = pcm[: len(pcm) // 320 * 320].reshape(-1, 320).astype(float)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 300)
    if not loud.size:
        return ()
    parts = np.split(loud, np.flatnonzero(np.diff(loud) > 10) + 1)
    return tuple(
        Segment(int(p[0]) * 20, int(p[-1] + 1) * 20, "A burst.") for p in parts
    )


def jobs_of(db, kind="transcription"):
    with db.begin() as session:
        found = select(Job).where(Job.kind == kind).order_by(Job.id)
        return list(session.scalars(found))


def segments(db):
    with db.begin() as session:
        found = select(SegmentRecord).order_by(SegmentRecord.number)
        return list(session.scalars(found))


def transcript(db):
    with db.begin() as session:
        return session.scalars(select(TranscriptRecord)).one_or_none()


def lecture_status(api, lecture_id="l1"):
    return api.get(f"/lectures/{lecture_id}").json["status"]


def make_due(db):
    for kind in ("transcription", "transcription_chunk"):
        for job in jobs_of(db, kind):
            change(db, job.id, available_at=job.created_at)


def test_each_piece_is_recognised_once(worker, ingest, queue, speech, db, talk):
    ingest(talk)

    worker.run_all(queue)

    [parent] = jobs_of(db)
    children = jobs_of(db, "transcription_chunk")
    assert (parent.state, parent.attempt) == ("succeeded", 1)
    assert len(children) == speech.calls == len(parent.checkpoint["plan"]["pieces"])
    assert {child.state for child in children} == {"succeeded"}
    assert len(children) >= 3
    invariants.check(db, at_rest=True)


def test_what_is_heard_is_placed_where_it_was_said(
    worker, ingest, queue, speech, db, talk
):
    speech.answer = hear_bursts
    ingest(talk)

    worker.run_all(queue)

    heard = [(one.start_ms / 1000, one.end_ms / 1000) for one in segments(db)]
    assert heard == [pytest.approx(spoken, abs=0.021) for spoken in SPOKEN]
    assert transcript(db).total_ms == transcript(db).heard_ms == 15_500
    assert transcript(db).gaps == []


def test_the_stored_document_says_the_same(
    worker, ingest, queue, speech, db, talk, deps
):
    speech.answer = hear_bursts
    ingest(talk)

    worker.run_all(queue)

    with deps.storage.read(transcript(db).object_key) as stored:
        document = json.load(stored)
    rows = [(one.start_ms / 1000, one.end_ms / 1000) for one in segments(db)]
    assert [(s["startSec"], s["endSec"]) for s in document["segments"]] == rows
    assert document["text"] == "A burst.\nA burst.\nA burst."
    assert document["coverage"] == {"totalSec": 15.5, "heardSec": 15.5}
    assert document["gaps"] == []
    assert document["engine"] == {"provider": "fake", "model": "fake-1"}


def test_times_never_leave_their_piece_or_overtake_each_other(
    worker, ingest, queue, speech, db, talk
):
    speech.answer = lambda _flac: (
        Segment(500, 99_000, "Far too long."),
        Segment(400, 450, "Back in time."),
    )
    ingest(talk)

    worker.run_all(queue)

    times = [t for one in segments(db) for t in (one.start_ms, one.end_ms)]
    assert times == sorted(times)
    assert times[-1] <= 15_500
    assert len(times) >= 12


def test_a_piece_that_fails_becomes_a_gap_with_its_reason(
    worker, ingest, queue, speech, db, talk, api
):
    speech.errors = [ProviderError("Refused.", code="audio_refused")]
    ingest(talk)

    worker.run_all(queue)

    [parent] = jobs_of(db)
    assert parent.state == "succeeded"
    [gap] = transcript(db).gaps
    start, end, _ = parent.checkpoint["plan"]["pieces"][0]
    assert gap == {
        "start_ms": round(start / 16),
        "end_ms": round(end / 16),
        "reason": "audio_refused",
    }
    lost = gap["end_ms"] - gap["start_ms"]
    assert transcript(db).heard_ms == 15_500 - lost
    assert all(one.start_ms >= gap["end_ms"] for one in segments(db))
    assert "Refused" not in "".join(one.text for one in segments(db))
    assert lecture_status(api) == "transcribed"


def test_when_every_piece_fails_the_job_has_failed(
    worker, ingest, queue, speech, db, talk, api
):
    speech.errors = [ProviderError("Refused.", code="audio_refused")] * 20
    ingest(talk)

    worker.run_all(queue)

    [parent] = jobs_of(db)
    assert (parent.state, parent.error_code) == ("failed", "audio_refused")
    assert parent.error_detail == "No part could be transcribed (audio_refused)."
    assert lecture_status(api) == "failed"
    assert transcript(db) is None
    invariants.check(db, at_rest=True)


def test_a_busy_provider_is_waited_for_without_counting(
    worker, ingest, queue, speech, db, talk
):
    speech.errors = [ProviderBusy(retry_after_seconds=5)] * 2
    ingest(talk)

    worker.run_all(queue)

    [parent] = jobs_of(db)
    assert parent.state == "succeeded"
    children = jobs_of(db, "transcription_chunk")
    assert {child.attempt for child in children} == {1}
    assert speech.calls == len(children) + 2
    assert transcript(db).gaps == []


def test_a_piece_that_fails_for_now_is_tried_again(
    worker, ingest, queue, speech, db, talk
):
    speech.errors = [ProviderUnavailable()]
    ingest(talk)

    worker.run_all(queue)

    attempts = [child.attempt for child in jobs_of(db, "transcription_chunk")]
    assert sorted(attempts)[-2:] == [1, 2]
    assert transcript(db).gaps == []


def ask_again(db, failed):
    """Have it transcribed by a new job, as a replay over the API does."""
    with db.begin() as session:
        payload = Transcription.model_validate(failed.payload)
        return enqueue(session, payload, replayed_from=failed.id)[0]


def test_a_repeated_transcription_pays_only_for_what_is_missing(
    worker, ingest, queue, speech, db, talk, deps, heart
):
    speech.errors = [ProviderError("Refused.")]
    ingest(talk)
    worker.run_all(queue)
    paid = speech.calls - 1
    [first] = jobs_of(db)

    again = ask_again(db, first)
    worker.post(f"/tasks/{again}", {"seq": 1})
    worker.run_all(queue)

    assert speech.calls == paid + 2
    assert transcript(db).job_id == again
    assert transcript(db).gaps == []
    invariants.check(db, at_rest=True)


def test_the_same_sound_in_another_lecture_costs_nothing(
    worker, ingest, queue, speech, db, talk, api
):
    ingest(talk)
    worker.run_all(queue)
    paid = speech.calls

    ingest(talk, lecture_id="l2")
    worker.run_all(queue)

    assert speech.calls == paid
    assert lecture_status(api, "l2") == "transcribed"
    assert len(segments(db)) == 2 * paid


def test_silence_is_a_transcript_without_words(worker, ingest, queue, speech, db, api):
    ingest(wav_bytes(np.zeros(16_000 * 3)))

    worker.run_all(queue)

    assert speech.calls == 0
    [job] = jobs_of(db)
    assert job.state == "succeeded"
    assert (transcript(db).total_ms, transcript(db).heard_ms) == (3000, 3000)
    assert segments(db) == []
    assert lecture_status(api) == "transcribed"


def test_sound_in_which_nobody_speaks_is_no_failure(
    worker, ingest, queue, speech, db, talk, api
):
    speech.answer = lambda _flac: ()
    ingest(talk)

    worker.run_all(queue)

    assert [job.state for job in jobs_of(db)] == ["succeeded"]
    assert segments(db) == []
    assert lecture_status(api) == "transcribed"


def test_one_piece_needs_no_jobs_of_its_own(worker, ingest, queue, speech, db):
    speech.max_chunk_ms = 30_000
    ingest()

    assert worker.run_all(queue) == 1

    assert jobs_of(db, "transcription_chunk") == []
    assert speech.calls == 1


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
    worker, ingest, queue, speech, db, talk, deps, monkeypatch
):
    """The heartbeat cannot tell the job any more: it begins to wait at that moment."""
    written = type(deps.storage).write
    replaced = []

    def write(storage, key, source):
        stored = written(storage, key, source)
        if key.startswith("pieces/") and not replaced:
            replaced.append(key)
            ingest(wav_bytes(np.zeros(16_000)))
        return stored

    monkeypatch.setattr(type(deps.storage), "write", write)
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
