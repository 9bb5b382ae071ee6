"""POST /lectures/{id}/transcribe and GET /lectures/{id}/transcript."""

from uuid import UUID

import pytest

from common.models import Job
from tests import factories


@pytest.fixture
def lecture(db):
    return factories.lecture(db)


@pytest.fixture
def heard(db, deps, lecture):
    """A transcript with three segments."""
    return factories.transcript(db, deps.storage, lecture, "One.", "Two.", "Three.")


def test_asking_for_a_transcript_queues_a_job(api, db, queue, lecture):
    reply = api.post("/lectures/l1/transcribe")
    assert reply.status_code == 200
    assert list(reply.json.items()) == [
        ("jobId", reply.json["jobId"]),
        ("status", "queued"),
        ("jobType", "transcription"),
    ]
    assert [str(task.job_id) for task in queue.take()] == [reply.json["jobId"]]
    with db.begin() as session:
        job = session.get_one(Job, UUID(reply.json["jobId"]))
    assert job.payload == {
        "lecture_id": "l1",
        "recording_id": str(lecture.recording_id),
        "provider": "pocketsphinx",
        "model": None,
        "language": "en-US",
    }


def test_model_and_language_of_the_request_reach_the_job(api, db, lecture):
    sent = "model=base&language_code=de-DE&provider=pocketsphinx"
    job_id = api.post(f"/lectures/l1/transcribe?{sent}").json["jobId"]
    with db.begin() as session:
        payload = session.get_one(Job, UUID(job_id)).payload
    assert (payload["model"], payload["language"]) == ("base", "de-DE")


def test_asking_again_while_it_is_live_names_the_same_job(api, queue, lecture):
    first = api.post("/lectures/l1/transcribe").json
    queue.take()
    again = api.post("/lectures/l1/transcribe?model=other").json
    assert again == {**first, "deduplicated": True}
    assert queue.take() == []


def test_a_duplicate_tells_the_live_jobs_status(api, db, lecture):
    job = factories.job(
        db, state="running", dedupe_key=f"transcription:{lecture.recording_id}"
    )
    assert api.post("/lectures/l1/transcribe").json == {
        "jobId": str(job.id),
        "status": "running",
        "jobType": "transcription",
        "deduplicated": True,
    }


def test_asking_again_after_the_end_makes_a_new_job(api, worker, queue, lecture, deps):
    first = api.post("/lectures/l1/transcribe").json
    worker.run_all(queue)  # fails: there are no bytes in storage
    assert api.get(f"/jobs/{first['jobId']}").json["status"] == "failed"
    again = api.post("/lectures/l1/transcribe").json
    assert again["jobId"] != first["jobId"]
    assert "deduplicated" not in again


def test_without_a_recording_there_is_nothing_to_transcribe(api, queue):
    reply = api.post("/lectures/none/transcribe")
    assert (reply.status_code, reply.json["detail"]) == (
        404,
        "Audio not found for lecture.",
    )
    assert queue.take() == []


def test_a_provider_that_we_do_not_have_is_refused(api, lecture, queue):
    reply = api.post("/lectures/l1/transcribe?provider=parrot")
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "provider_unknown")
    assert "Unsupported transcription provider: parrot." in reply.json["detail"]
    assert queue.take() == []


@pytest.mark.parametrize("provider", ["openai", "whisper"])
def test_a_provider_without_its_key_is_refused(api, lecture, provider):
    reply = api.post(f"/lectures/l1/transcribe?provider={provider}")
    assert reply.status_code == 400
    assert reply.json["error"]["code"] == "provider_not_configured"


def test_with_the_queue_down_the_job_waits_and_the_answer_is_the_same(
    api, worker, queue, ingest
):
    ingest(auto_transcribe="false")
    queue.down = True
    reply = api.post("/lectures/l1/transcribe")
    assert (reply.status_code, reply.json["status"]) == (200, "queued")
    assert api.get(f"/jobs/{reply.json['jobId']}").json["status"] == "queued"


def test_a_transcript_has_these_keys(api, deps, heard):
    assert api.get("/lectures/l1/transcript").json == {
        "lectureId": "l1",
        "transcriptPath": deps.storage.uri(heard.object_key),
        "language": "en-US",
        "text": "One.\nTwo.\nThree.",
        "segments": [
            {"startSec": 0.0, "endSec": 1.0, "text": "One."},
            {"startSec": 1.0, "endSec": 2.0, "text": "Two."},
            {"startSec": 2.0, "endSec": 3.0, "text": "Three."},
        ],
        "segmentCount": 3,
        "engine": {"provider": "fake", "model": "fake-1"},
        "coverage": {"totalSec": 3.0, "heardSec": 3.0},
        "gaps": [],
    }


def test_the_text_can_be_left_out(api, heard):
    reply = api.get("/lectures/l1/transcript?include_text=false").json
    assert (reply["text"], reply["segmentCount"]) == ("", 3)


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (2, 2), (3, 3), (10**30, 3)])
def test_segments_can_be_limited_and_the_count_says_how_many_are_shown(
    api, heard, limit, count
):
    reply = api.get(f"/lectures/l1/transcript?segment_limit={limit}").json
    assert len(reply["segments"]) == reply["segmentCount"] == count
    assert reply["text"] == "One.\nTwo.\nThree."


def test_a_lecture_that_was_not_transcribed_has_no_transcript(api, lecture):
    reply = api.get("/lectures/l1/transcript")
    assert (reply.status_code, reply.json["detail"]) == (
        404,
        "Transcript not found for lecture.",
    )


def test_a_transcript_whose_file_is_gone_says_so(api, deps, heard):
    deps.storage.delete(heard.object_key)
    reply = api.get("/lectures/l1/transcript")
    assert (reply.status_code, reply.json["detail"]) == (
        404,
        "Transcript file missing.",
    )


def test_a_recording_without_speech_has_an_empty_transcript(api, db, deps, lecture):
    factories.transcript(db, deps.storage, lecture)
    reply = api.get("/lectures/l1/transcript")
    assert reply.status_code == 200
    assert (reply.json["text"], reply.json["segments"]) == ("", [])
