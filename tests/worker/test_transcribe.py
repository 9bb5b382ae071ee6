"""Transcription from the upload to the transcript, with a recogniser we control."""

import json

import numpy as np
import pytest

from common.errors import ProviderBusy, ProviderError, ProviderUnavailable
from common.jobs import Transcription, enqueue
from common.transcript import Segment
from tests import invariants
from tests.media_samples import wav_bytes
from tests.worker.talks import (
    SPOKEN,
    hear_bursts,
    jobs_of,
    lecture_status,
    recorded,
    segments,
    transcript,
)


@pytest.fixture
def talk():
    return recorded()


@pytest.fixture
def speech(speech):
    speech.max_chunk_ms = 2000  # the least that the cutter takes
    return speech


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
