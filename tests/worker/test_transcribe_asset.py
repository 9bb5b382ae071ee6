"""A project's film transcribed: by the pipeline of lectures, paid for once a wish."""

import numpy as np
import pytest
from sqlalchemy import delete, func, select

from common.errors import ProviderAuthError, ProviderBusy, ProviderUnavailable
from common.models import Asset, DoomedObject, TranscriptRecord, UsageEntry
from tests import invariants
from tests.media_samples import wav_bytes
from tests.worker.films import Client, film, lines
from tests.worker.talks import SPOKEN, hear_bursts, segments, transcript


@pytest.fixture
def client(api, worker, queue, db):
    return Client(api, worker, queue, db)


@pytest.fixture
def asset(db, deps):
    return film(db, deps.storage)


def calls_paid(db):
    with db.begin() as session:
        return session.scalar(select(func.count(UsageEntry.id)))


def test_a_film_gets_its_transcript(client, asset, speech, db):
    speech.answer = hear_bursts
    job = client.done("transcription", asset)

    assert (job["status"], job["progress"]) == ("completed", 100.0)
    assert job["job_type"] == "transcription"
    heard = [(one.start_ms / 1000, one.end_ms / 1000) for one in segments(db)]
    assert heard == [pytest.approx(spoken, abs=0.021) for spoken in SPOKEN]
    result = job["result"]
    assert result["asset_id"] == str(asset.id)
    assert (result["segments"], result["cached"]) == (3, False)
    assert result["duration"] == pytest.approx(14.0, abs=0.021)
    assert result["usage"]["requests"] == speech.calls == 1
    invariants.check(db, at_rest=True)


def test_its_log_is_what_people_know(client, asset):
    job = client.done("transcription", asset, language="de")
    assert lines(job) == [
        "Job queued",
        "Job started",
        "Starting transcription job",
        "Preparing audio extraction",
        "Persisting transcript",
        "Transcription completed",
        "Job completed successfully",
    ]
    begun = next(one for one in job["logs"] if one["message"].startswith("Starting"))
    told = {"asset_id": str(asset.id), "language": "de", "force": False}
    assert begun["details"] == told


def test_a_long_film_is_recognised_in_pieces(client, asset, speech, db):
    speech.max_chunk_ms = 2000
    job = client.done("transcription", asset)

    assert job["status"] == "completed"
    assert speech.calls >= 3
    assert job["result"]["usage"]["requests"] == speech.calls
    assert len(transcript(db).about["chunk_durations"]) == speech.calls
    invariants.check(db, at_rest=True)


def test_what_its_client_sent_is_shown_and_nothing_else(client, asset):
    job = client.done("transcription", asset, prompt="Names: Ada.")
    assert job["payload"] == {
        "asset_id": str(asset.id),
        "language": "en-US",
        "prompt": "Names: Ada.",
        "force": False,
    }


def test_the_prompt_reaches_the_recogniser(client, asset, speech):
    client.done("transcription", asset, prompt="Names: Ada.")
    assert speech.prompts == ["Names: Ada."]


def test_the_same_wish_is_answered_from_what_is_there(client, asset, speech, db):
    first = client.done("transcription", asset)
    again = client.done("transcription", asset)

    assert speech.calls == calls_paid(db) == 1
    assert again["id"] != first["id"]
    assert again["result"] == first["result"] | {"cached": True}


def test_a_then_b_then_a_is_paid_for_twice(client, asset, speech, db):
    for language in ("en", "de", "en"):
        job = client.done("transcription", asset, language=language)

    assert speech.calls == calls_paid(db) == 2
    assert job["result"]["cached"] is True
    assert transcript(db).about["parameters"]["language"] == "en"


@pytest.mark.parametrize("other", [{"language": "de"}, {"prompt": "Names: Ada."}])
def test_each_wish_is_another_question(client, asset, speech, other):
    first = client.done("transcription", asset)
    second = client.done("transcription", asset, **other)
    assert speech.calls == 2
    ids = {job["result"]["transcript_id"] for job in (first, second)}
    assert len(ids) == 2


def test_force_asks_again_and_keeps_the_new_answer(client, asset, speech, db):
    client.done("transcription", asset)
    forced = client.done("transcription", asset, force=True)
    assert (speech.calls, forced["result"]["cached"]) == (2, False)
    assert "number 2" in segments(db)[0].text

    client.done("transcription", asset, language="de")
    client.done("transcription", asset)

    assert speech.calls == 3
    assert "number 2" in segments(db)[0].text


def test_three_that_ask_at_once_pay_once(client, asset, speech, db):
    told = [client.ask("transcription", asset).json for _ in range(3)]
    client.worker.run_all(client.queue)

    assert speech.calls == calls_paid(db) == 1
    assert len({one["id"] for one in told}) == 1  # they wait for the same job
    assert client.job(told[0])["status"] == "completed"


def test_what_fails_for_now_is_tried_again_and_not_paid_twice(client, asset, speech):
    speech.errors = [ProviderUnavailable(), ProviderBusy(retry_after_seconds=1)]
    told = client.ask("transcription", asset).json
    for _ in range(3):
        client.worker.run_all(client.queue)
    job = client.job(told)
    assert job["status"] == "completed"
    assert speech.calls == 3
    assert job["result"]["usage"]["requests"] == 1


def test_a_provider_that_is_down_is_called_once_an_attempt(client, asset, speech):
    speech.errors = [ProviderUnavailable("Down.")] * 30
    told = client.ask("transcription", asset).json
    for _ in range(9):
        client.worker.run_all(client.queue)
    job = client.job(told)
    assert (job["status"], job["attempts"]) == ("failed", 3)
    assert speech.calls == 3


def test_a_wrong_key_is_called_once_and_fails_at_once(client, asset, speech):
    speech.errors = [ProviderAuthError("The key is wrong.")] * 9
    job = client.done("transcription", asset)
    assert (job["status"], job["attempts"], speech.calls) == ("failed", 1, 1)
    assert job["error_message"] == "The key is wrong."
    assert job["result"] == {}


def test_silence_is_a_transcript_without_words(client, db, deps, speech):
    asset = film(db, deps.storage, sound=wav_bytes(np.zeros(16_000 * 3)))
    job = client.done("transcription", asset)
    assert job["status"] == "completed"
    assert (job["result"]["segments"], job["result"]["cached"]) == (0, False)
    assert speech.calls == 0


def test_a_film_without_its_file_fails_and_says_so(client, db, deps):
    asset = film(db, deps.storage)
    deps.storage.delete(f"projects/{asset.id}/film.mp4")
    job = client.done("transcription", asset)
    assert job["status"] == "failed"


def test_a_film_that_is_gone_leaves_nothing(client, asset, speech, db):
    def leave(_flac):
        with db.begin() as session:
            session.execute(delete(Asset).where(Asset.id == asset.id))
        return ()

    speech.answer = leave
    told = client.ask("transcription", asset).json
    client.worker.run_all(client.queue)

    assert client.state(told).error_code == "recording_replaced"
    assert transcript(db) is None
    with db.begin() as session:
        doomed = set(session.scalars(select(DoomedObject.object_key)))
    assert any(key.startswith(f"transcripts/assets/{asset.id}/") for key in doomed)


def test_the_transcript_s_document_is_stored_and_the_one_before_goes(
    client, asset, db, deps
):
    client.done("transcription", asset)
    earlier = transcript(db).object_key
    client.done("transcription", asset, language="de")

    with db.begin() as session:
        doomed = set(session.scalars(select(DoomedObject.object_key)))
        records = session.scalar(select(func.count()).select_from(TranscriptRecord))
    assert earlier in doomed
    assert transcript(db).object_key not in doomed
    assert deps.storage.size_bytes(transcript(db).object_key)
    assert records == 1


@pytest.mark.parametrize(
    "payload",
    [{"language": "x"}, {"prompt": "x" * 1001}, {"force": "maybe"}, {"language": 5}],
)
def test_a_wrong_wish_is_refused_at_the_door(client, asset, payload, queue):
    reply = client.ask("transcription", asset, **payload)
    assert reply.status_code == 422
    [problem] = reply.json["detail"]
    assert problem["loc"][:2] == ["body", "payload"]
    assert queue.take() == []


def test_nulls_are_as_good_as_nothing(client, asset):
    job = client.done("transcription", asset, language=None, prompt=None, force=None)
    assert job["status"] == "completed"


def test_another_project_s_film_is_not_found(client, asset):
    asset.project_id = "theirs"
    reply = client.ask("transcription", asset)
    assert (reply.status_code, reply.json["detail"]) == (404, "Video asset not found")
