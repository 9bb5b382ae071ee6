"""Long recordings go to Google as one object: real clients, servers on loopback."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from common import budget
from common.jobs import Transcription, cancel, enqueue
from common.media.container import decode
from common.media.flac import encode_flac
from common.models import BatchOperation, DoomedObject, UsageEntry
from common.providers.speech.google import GoogleSpeech
from common.providers.storage.local import LocalStorage
from tests import invariants
from tests.buckets import gcs_storage
from tests.common.job_steps import lapse
from tests.conftest import make_deps
from tests.contract.test_google_speech import settings_for
from tests.loopback.gcs_server import GcsServer
from tests.loopback.speech_faults import Fault
from tests.loopback.speech_results import result
from tests.loopback.speech_server import SpeechServer, objects_of
from tests.media_samples import bursts, sine, write
from tests.worker.talks import jobs_of, lecture_status, segments, transcript
from worker_service.schedules import sweep

SECONDS = 70  # more than one call takes


@pytest.fixture(scope="module")
def bucket():
    with GcsServer() as server:
        yield server


@pytest.fixture(scope="module")
def recogniser(bucket):
    with SpeechServer(objects_of(bucket.url)) as server:
        yield server


@pytest.fixture(scope="module")
def google(recogniser):
    settings = settings_for(PEGASUS_SPEECH_ENDPOINT=recogniser.host)
    return GoogleSpeech.from_settings(settings, None)


@pytest.fixture
def server(recogniser):
    recogniser.reset()
    return recogniser


@pytest.fixture
def deps(db, settings, queue, llm, google, server, bucket, monkeypatch, tmp_path):
    made = make_deps(db, settings, queue, google, llm)
    return replace(made, storage=gcs_storage(bucket, monkeypatch, tmp_path))


@pytest.fixture(scope="module")
def talk():
    return encode_flac(bursts(SECONDS, ((0.5, 3), (SECONDS - 3, SECONDS - 1))))


@pytest.fixture
def deliver(worker, queue):
    """Deliver the one task there is; return whether another waits."""

    def once():
        [task] = queue.take()
        assert worker.post(
            f"/tasks/{task.job_id}", {"seq": task.dispatch_seq}
        ).status_code == (200)

    return once


def only_job(db):
    [found] = jobs_of(db)
    return found


def calls(server):
    return [server.count(name) for name in ("Recognize", "BatchRecognize")]


def spent(db):
    with db.begin() as session:
        return budget.spent_today(session)


def test_a_long_recording_is_recognised_in_one_operation(
    worker, ingest, queue, server, db, talk, api
):
    ingest(talk, "talk.flac")
    worker.run_all(queue)

    assert calls(server) == [0, 1]
    job = only_job(db)
    assert (job.state, job.attempt) == ("succeeded", 1)
    assert transcript(db).total_ms == transcript(db).heard_ms == SECONDS * 1000
    assert (transcript(db).provider, transcript(db).language) == ("google", "en-us")
    assert lecture_status(api) == "transcribed"
    invariants.check(db, at_rest=True)


def test_words_stand_where_they_were_said(worker, ingest, queue, server, db, talk):
    said = [("First.", 1.5, 2), ("Last.", 68.2, 69.04)]
    server.script.append([result(said)])
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    heard = [(one.start_ms, one.end_ms, one.text) for one in segments(db)]
    assert heard == [(1500, 2000, "First."), (68_200, 69_040, "Last.")]


def test_google_reads_one_channel_of_the_whole_recording(
    ingest, deliver, server, deps, tmp_path
):
    """Of two it would hear the first only; here, all is said in the second."""
    two = np.zeros((SECONDS * 16_000, 2), np.int16)
    two[:32_000, 1] = sine(2)
    ingest(write(tmp_path / "two.flac", two).read_bytes(), "two.flac")
    deliver()
    [asked] = server.asked
    key = asked.files[0].uri.partition("pegasus/")[2]
    with deps.storage.read(key) as stored:
        flac = stored.read()
    pcm = np.frombuffer(b"".join(decode(BytesIO(flac))), "<i2")
    assert len(pcm) == pytest.approx(SECONDS * 16_000, abs=20)  # it was resampled
    assert np.abs(pcm).max() > 1000


def test_what_google_read_is_removed(worker, ingest, queue, db, talk):
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    with db.begin() as session:
        doomed = session.scalars(select(DoomedObject)).all()
    [gone] = doomed
    assert gone.object_key == f"pieces/{only_job(db).id}/00000.flac"
    assert gone.due_at <= only_job(db).finished_at


def test_a_job_that_waits_holds_no_worker_and_counts_no_attempt(
    ingest, deliver, server, db, talk
):
    server.seconds = 60
    ingest(talk, "talk.flac")
    deliver()
    job = only_job(db)
    assert (job.state, job.error_code, job.attempt) == ("queued", "waiting", 0)
    delay = (job.available_at - datetime.now(UTC)).total_seconds()
    assert 0 < delay <= 5


def test_a_job_that_waits_shows_how_far_google_is(ingest, deliver, server, db, talk):
    server.seconds = 60
    ingest(talk, "talk.flac")
    deliver()
    deliver()
    assert only_job(db).progress == 50  # ten of the plan, half of eighty
    assert calls(server) == [0, 1]


def test_longer_recordings_are_asked_for_less_often(
    ingest, deliver, server, db, talk, monkeypatch
):
    monkeypatch.setattr("worker_service.batches._OF_LENGTH", 2)
    server.seconds = 60
    ingest(talk, "talk.flac")
    deliver()
    job = only_job(db)
    assert 100 < (job.available_at - datetime.now(UTC)).total_seconds() <= 120


def test_an_operation_that_failed_for_now_is_started_anew(
    worker, ingest, queue, server, db, talk
):
    server.faults.append(Fault("BatchRecognize", "INTERNAL", place="operation"))
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert calls(server) == [0, 2]
    assert (only_job(db).state, only_job(db).attempt) == ("succeeded", 2)


def test_an_operation_that_failed_for_good_fails_the_job(
    worker, ingest, queue, server, db, talk, api
):
    server.faults.append(Fault("BatchRecognize", "INVALID_ARGUMENT", place="file"))
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert (only_job(db).state, only_job(db).error_code) == (
        "failed",
        "provider_rejected",
    )
    assert lecture_status(api) == "failed"
    invariants.check(db, at_rest=True)


def test_an_outage_while_asking_starts_nothing_anew(
    worker, ingest, queue, server, db, talk
):
    server.faults.append(Fault("GetOperation", times=3))
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert calls(server) == [0, 1]
    assert (only_job(db).state, only_job(db).attempt) == ("succeeded", 4)


def test_too_many_requests_are_waited_for_without_counting(
    worker, ingest, queue, server, db, talk
):
    server.faults.append(Fault("BatchRecognize", "RESOURCE_EXHAUSTED", times=2))
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert (only_job(db).state, only_job(db).attempt) == ("succeeded", 1)


def test_an_operation_that_google_forgot_is_started_anew(
    worker, ingest, deliver, queue, server, db, talk
):
    ingest(talk, "talk.flac")
    deliver()
    server.operations.clear()
    worker.run_all(queue)
    assert calls(server) == [0, 2]
    assert only_job(db).state == "succeeded"


def test_the_same_sound_is_paid_for_once(worker, ingest, queue, server, db, talk):
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    first = only_job(db)
    ingest(talk, "talk.flac", lecture_id="l2")
    with db.begin() as session:
        again = Transcription.model_validate(first.payload)
        enqueue(session, again, replayed_from=first.id)
    worker.run_all(queue)
    assert calls(server) == [0, 1]
    with db.begin() as session:
        [used] = session.scalars(select(UsageEntry))
    assert (used.provider, used.audio_ms) == ("google", SECONDS * 1000)
    assert used.cost_usd_micros == round(SECONDS / 60 * 16_000)


def test_silence_costs_nothing(worker, ingest, queue, server, db):
    hiss = np.random.default_rng(1).normal(0, 1, SECONDS * 16_000)
    ingest(encode_flac(hiss.astype(np.int16)), "hiss.flac")
    worker.run_all(queue)
    assert server.asked == []
    assert segments(db) == []
    assert transcript(db).total_ms == SECONDS * 1000


def test_a_short_recording_is_sent_in_the_call(worker, ingest, queue, server, db):
    ingest()
    worker.run_all(queue)
    assert calls(server) == [1, 0]
    assert only_job(db).attempt == 1


def test_what_is_too_long_for_a_batch_goes_in_pieces(
    worker, ingest, queue, server, deps, db, talk, google, monkeypatch
):
    short = replace(google, model=replace(google.model, max_seconds=60))
    object.__setattr__(deps, "speech", lambda *_: short)
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert calls(server) == [len(jobs_of(db, "transcription_chunk")), 0]
    assert transcript(db).heard_ms == SECONDS * 1000


def test_what_google_cannot_read_goes_in_pieces(
    worker, ingest, queue, server, deps, db, talk, tmp_path
):
    object.__setattr__(deps, "storage", LocalStorage(tmp_path / "objects"))
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert calls(server) == [2, 0]
    assert transcript(db).heard_ms == SECONDS * 1000


@pytest.fixture
def settings(settings, request):
    limit = getattr(request, "param", None)
    return settings.model_copy(update={"daily_budget_usd": limit})


@pytest.mark.parametrize("settings", [1.0], indirect=True)
def test_money_is_set_aside_for_as_long_as_the_operation_takes(
    worker, ingest, deliver, queue, server, db, talk
):
    cost = round(SECONDS / 60 * 16_000)
    ingest(talk, "talk.flac")
    deliver()
    assert spent(db) == cost
    worker.run_all(queue)
    assert spent(db) == cost
    assert only_job(db).state == "succeeded"


@pytest.mark.parametrize("settings", [1.0], indirect=True)
def test_an_operation_that_was_refused_costs_nothing(
    worker, ingest, queue, server, db, talk
):
    server.faults.append(Fault("BatchRecognize", "INVALID_ARGUMENT", place="file"))
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert spent(db) == 0


@pytest.mark.parametrize("settings", [0.001], indirect=True)
def test_what_the_budget_does_not_hold_is_not_started(
    worker, ingest, queue, server, db, talk
):
    ingest(talk, "talk.flac")
    worker.run_all(queue)
    assert server.asked == []
    assert only_job(db).state == "failed"


def paid(db):
    """Return what the ledger says of each call: milliseconds and cost."""
    with db.begin() as session:
        used = session.execute(select(UsageEntry.audio_ms, UsageEntry.cost_usd_micros))
        return [tuple(row) for row in used]


def at_work(db):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(BatchOperation))


@dataclass
class Meanwhile:
    """A recogniser, of whose users one meets something between asking and saving."""

    speech: Any
    name: str
    events: list[Callable[[], object]]

    def __getattr__(self, name):
        found = getattr(self.speech, name)
        if name == "batch":
            return Meanwhile(found, self.name, self.events)
        return self._eventful(found) if name == self.name else found

    def _eventful(self, call):
        def once(*args, **kwargs):
            answer = call(*args, **kwargs)
            if self.events:
                self.events.pop()()
            return answer

        return once


@pytest.mark.parametrize("settings", [1.0], indirect=True)
def test_a_worker_that_was_frozen_counts_nothing_twice(
    worker, ingest, deliver, queue, server, db, talk, deps, google
):
    ingest(talk, "talk.flac")
    deliver()

    def freeze():
        lapse(db, only_job(db).id)
        sweep.run(deps)
        worker.run_all(queue)  # another one, to the end

    frozen = Meanwhile(google, "poll", [freeze])
    object.__setattr__(deps, "speech", lambda *_: frozen)
    worker.run_all(queue)
    cost = round(SECONDS / 60 * 16_000)
    assert paid(db) == [(SECONDS * 1000, cost)]
    assert spent(db) == cost
    assert (only_job(db).state, at_work(db)) == ("succeeded", 0)


def end_job(api, db, how="deleted"):
    if how == "deleted":
        assert api.delete("/lectures/l1").status_code == 200
        return
    with db.begin() as session:
        assert cancel(session, only_job(db).id)


@pytest.mark.parametrize("settings", [1.0], indirect=True)
@pytest.mark.parametrize("how", ["cancelled", "deleted"])
def test_the_operation_of_a_job_that_is_not_wanted_is_cancelled(
    ingest, deliver, server, db, talk, deps, api, how
):
    server.seconds = 60
    ingest(talk, "talk.flac")
    deliver()
    sweep.run(deps)
    assert (at_work(db), server.count("CancelOperation")) == (1, 0)
    end_job(api, db, how)
    assert sweep.run(deps).operations_ended == 1
    assert sweep.run(deps).operations_ended == 0
    assert (at_work(db), server.count("CancelOperation")) == (0, 1)
    assert paid(db) == [(SECONDS * 1000, None)]  # nobody tells what it cost
    assert spent(db) == round(SECONDS / 60 * 16_000)


@pytest.mark.parametrize("settings", [1.0], indirect=True)
def test_what_is_done_before_it_is_cancelled_is_written_down(
    ingest, deliver, server, db, talk, deps, api
):
    ingest(talk, "talk.flac")
    deliver()
    end_job(api, db)
    sweep.run(deps)
    assert server.count("CancelOperation") == 0
    assert paid(db) == [(SECONDS * 1000, round(SECONDS / 60 * 16_000))]


def test_an_operation_begun_for_a_lost_job_is_cancelled(
    worker, ingest, queue, server, db, talk, deps, google, api
):
    server.seconds = 60
    ingest(talk, "talk.flac")
    lost = Meanwhile(google, "start", [lambda: end_job(api, db)])
    object.__setattr__(deps, "speech", lambda *_: lost)
    worker.run_all(queue)
    sweep.run(deps)
    assert (at_work(db), server.count("CancelOperation")) == (0, 1)


@pytest.mark.parametrize("settings", [1.0], indirect=True)
def test_an_operation_that_failed_for_nothing_costs_nothing(
    ingest, deliver, server, db, talk, deps, api
):
    server.faults.append(Fault("BatchRecognize", "INVALID_ARGUMENT", place="operation"))
    ingest(talk, "talk.flac")
    deliver()
    end_job(api, db)
    sweep.run(deps)
    assert (paid(db), spent(db), at_work(db)) == ([], 0, 0)


def test_an_operation_that_cannot_be_reached_is_cancelled_later(
    ingest, deliver, server, db, talk, deps, api
):
    server.seconds = 60
    ingest(talk, "talk.flac")
    deliver()
    end_job(api, db)
    server.faults.append(Fault("CancelOperation", "UNAVAILABLE"))
    assert sweep.run(deps).operations_ended == 0
    assert sweep.run(deps).operations_ended == 1
    assert server.count("CancelOperation") == 2
