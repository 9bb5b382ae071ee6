"""The main job over Google Cloud's providers only, each spoken to over its protocol."""

import io
import json
from pathlib import Path

import pytest
import requests
from jsonschema import Draft202012Validator
from pypdf import PdfReader

from common.exports import FORMATS
from tests import media_samples
from tests.e2e.cloud import WRITE_TOKEN, Cloud
from tests.e2e.cloud_client import CloudClient, new_lecture_id
from tests.e2e.google_cloud import GoogleCloud
from tests.e2e.machine import new_home
from tests.loopback.speech_results import TEXT

ROOT = Path(__file__).parents[2]
LONG_SECONDS = 70.0  # more than one call takes
SHORT_SECONDS = 20.0
BATCH_SECONDS = 6.0  # longer than the first pause between two looks
SCHEMAS = json.loads((ROOT / "common" / "events" / "schema.json").read_text())["$defs"]
_RUNS = """
select e.reason from job_events e join jobs j on j.id = e.job_id
 where j.subject = :subject and e.to_state = 'queued' and e.from_state = 'running'"""
_PAID = """
select u.provider, u.audio_ms, u.input_tokens, u.output_tokens, u.cost_usd_micros
  from usage_ledger u join jobs j on j.id = u.job_id
  left join jobs p on p.id = j.parent_id
 where coalesce(p.subject, j.subject) = :subject order by u.id"""


@pytest.fixture(scope="module")
def google():
    with GoogleCloud() as found:
        yield found


@pytest.fixture(scope="module")
def cloud(google):
    with new_home() as home, Cloud(home, google) as running:
        yield running


@pytest.fixture(scope="module")
def client(cloud):
    return CloudClient(cloud.url, WRITE_TOKEN)


def sound(seconds, seed):
    """Return a recording that no other test has sent."""
    spoken = media_samples.bursts(seconds, [(0.5, seconds - 0.5)], seed=seed)
    return media_samples.wav_bytes(spoken)


@pytest.fixture(scope="module")
def recording():
    return sound(LONG_SECONDS, seed=1)


@pytest.fixture(scope="module")
def lecture(client, google, recording):
    """A long lecture that went all the way; nobody said that its upload is complete."""
    lecture_id = new_lecture_id()
    google.speech.seconds = BATCH_SECONDS
    client.upload(recording, lecture_id)
    client.finish(lecture_id)
    google.speech.seconds = 0.0
    return lecture_id


def paid(cloud, lecture_id):
    return cloud.rows(_PAID, subject=f"lecture:{lecture_id}")


def one_line(text):
    return " ".join(text.split())


def quotes(value):
    """Yield every quote in an artifact."""
    if isinstance(value, dict):
        if "quote" in value:
            yield value["quote"]
        for one in value.values():
            yield from quotes(one)
    elif isinstance(value, list):
        for one in value:
            yield from quotes(one)


def test_an_upload_straight_to_the_bucket_becomes_a_study_pack(client, lecture):
    summary = client.get(f"/lectures/{lecture}/summary")
    assert summary["overallStatus"] == "completed"
    assert summary["artifactCount"] == 5
    assert set(summary["exportTypes"]) == set(FORMATS)


def test_nobody_but_the_bucket_said_that_the_upload_was_complete(cloud, lecture):
    query = "select id, state from uploads where lecture->>'lecture_id' = :id"
    [(upload_id, state)] = cloud.rows(query, id=lecture)
    assert state == "used"
    assert f"/uploads/{upload_id}/complete" not in cloud.logged("api")


def test_the_transcript_is_what_the_recogniser_heard(client, lecture):
    transcript = client.get(f"/lectures/{lecture}/transcript")
    assert one_line(transcript["text"]).startswith(TEXT)
    assert transcript["engine"]["provider"] == "google"
    last = transcript["segments"][-1]
    assert LONG_SECONDS - 10 < last["endSec"] <= LONG_SECONDS


def test_long_sound_is_read_by_google_and_asked_for_without_waiting(
    cloud, google, lecture
):
    reasons = [row[0] for row in cloud.rows(_RUNS, subject=f"lecture:{lecture}")]
    assert reasons.count("waiting") >= 2
    [asked] = [
        x for x in google.speech.asked if type(x).__name__ == "BatchRecognizeRequest"
    ]
    assert asked.files[0].uri.startswith("gs://")


def test_study_material_cites_what_was_said(client, lecture):
    text = one_line(client.get(f"/lectures/{lecture}/transcript")["text"])
    artifacts = client.get(f"/lectures/{lecture}/artifacts")["artifacts"]
    found = list(quotes(artifacts))
    assert len(found) >= 5
    assert [quote for quote in found if quote not in text] == []


@pytest.mark.parametrize("kind", FORMATS)
def test_every_export_is_served(client, lecture, kind):
    reply = client.ask("GET", f"/exports/{lecture}/{kind}")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == FORMATS[kind].media_type
    assert int(reply.headers["Content-Length"]) == len(reply.content) > 100


def test_the_printed_export_can_be_read(client, lecture):
    printed = client.ask("GET", f"/exports/{lecture}/pdf").content
    text = " ".join(
        page.extract_text() for page in PdfReader(io.BytesIO(printed)).pages
    )
    assert "Cells" in text
    assert "Osmosis" in one_line(text)


def test_the_subtitles_are_those_of_the_transcript(client, lecture):
    subtitles = client.ask("GET", f"/exports/{lecture}/srt").text
    assert subtitles.startswith("1\n00:00:00,000 --> ")
    assert "A cell is the smallest unit of life." in one_line(subtitles)


def test_the_recording_is_played_from_the_bucket_by_a_signed_link(
    client, google, lecture, recording
):
    reply = client.ask("GET", f"/lectures/{lecture}/media", allow_redirects=False)
    link = reply.headers["Location"]
    assert (reply.status_code, link.startswith(google.storage.url)) == (302, True)
    assert requests.get(link, timeout=10).content == recording
    other = link.replace("X-Goog-Expires=900", "X-Goog-Expires=901")
    assert requests.get(other, timeout=10).status_code == 403


def test_the_world_is_told_in_order_and_by_the_schema(google, lecture):
    told = google.events(lecture, 4)
    assert [one.attributes["type"] for one in told] == [
        "lecture.created",
        "lecture.transcribed",
        "lecture.generated",
        "lecture.exported",
    ]
    for one in told:
        schema = SCHEMAS[one.attributes["type"]]
        assert one.attributes["dataschema"] == schema["$id"]
        Draft202012Validator(schema).validate(json.loads(one.data))


def test_every_paid_call_is_in_the_ledger(cloud, lecture):
    heard, *written = paid(cloud, lecture)
    assert (heard.provider, heard.audio_ms) == ("google", LONG_SECONDS * 1000)
    assert heard.cost_usd_micros > 0
    assert written
    for one in written:
        assert (one.provider, one.input_tokens, one.output_tokens) == (
            "gemini",
            1000,
            200,
        )
        assert one.cost_usd_micros > 0


def test_the_same_recording_again_is_not_heard_again(
    cloud, client, google, lecture, recording
):
    """Only the study material is new: it is another lecture's."""
    before, again = google.calls(), new_lecture_id()
    client.upload(recording, again)
    client.finish(again)
    assert google.calls() == before | {"generate": before["generate"] + 1}
    assert [one.provider for one in paid(cloud, again)] == ["gemini"]
    first = client.get(f"/lectures/{lecture}/transcript")["text"]
    assert client.get(f"/lectures/{again}/transcript")["text"] == first


def test_telling_it_all_again_costs_nothing(cloud, client, google):
    lecture_id = new_lecture_id()
    opened = client.upload(sound(SHORT_SECONDS, seed=4), lecture_id)
    assert client.ended(lecture_id, "transcription") == "completed"
    before, jobs = google.calls(), cloud.rows("select count(*) from jobs")
    client.post(f"/uploads/{opened['uploadId']}/complete")
    google.tell_again(opened["storagePath"])
    google.all_notified()
    cloud.sweep()
    cloud.rest()
    assert cloud.rows("select count(*) from jobs") == jobs
    assert google.calls() == before


def test_a_short_recording_is_heard_in_one_call(cloud, client, google):
    before, lecture_id = google.calls(), new_lecture_id()
    client.upload(sound(SHORT_SECONDS, seed=2), lecture_id)
    assert client.ended(lecture_id, "transcription") == "completed"
    assert google.calls() == before | {"recognize": before["recognize"] + 1}
    [(provider, audio_ms, *_)] = paid(cloud, lecture_id)
    assert provider == "google"
    assert 0 < audio_ms <= SHORT_SECONDS * 1000


def test_a_client_that_is_faster_than_the_notification_has_the_same_effect(
    cloud, client, google
):
    lecture_id = new_lecture_id()
    with google.notifications_held() as held:
        opened = client.upload(sound(SHORT_SECONDS, seed=3), lecture_id)
        done = client.post(f"/uploads/{opened['uploadId']}/complete")
        assert (done["state"], done["lectureId"]) == ("used", lecture_id)
        assert client.ended(lecture_id, "transcription") == "completed"
    assert opened["storagePath"].partition("//")[2] in {
        f"{x['bucket']}/{x['name']}" for x in held
    }
    google.all_notified()
    subject = f"lecture:{lecture_id}"
    assert cloud.rows("select count(*) from jobs where subject = :s", s=subject) == [
        (1,)
    ]
    told = google.events(lecture_id, 2)
    assert [one.attributes["type"] for one in told] == [
        "lecture.created",
        "lecture.transcribed",
    ]


def test_every_delivery_is_signed_and_none_is_given_up(cloud, google, lecture):
    cloud.rest()
    google.all_notified()
    assert google.buried() == []
    tokens = {x.task.http_request.oidc_token.audience for x in google.tasks.created}
    assert tokens == {cloud.worker_url}


def test_no_secret_is_in_any_log(cloud, client, google, lecture):
    client.ask("GET", f"/lectures/{lecture}/media", allow_redirects=False)
    cloud.sweep()
    logged = {name: cloud.logged(name) for name in cloud.services}
    assert "upload.finalized" in logged["worker-1"] + logged["worker-2"]
    assert "request.complete" in logged["api"]
    secrets = [WRITE_TOKEN, *google.secrets()]
    assert [(n, x) for n, log in logged.items() for x in secrets if x in log] == []
