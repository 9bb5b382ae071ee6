"""Google's speech: the real client library against a Speech-to-Text on loopback."""

import io

import numpy as np
import pytest

from common.errors import (
    BadRequest,
    ProviderAuthError,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
    UnreadableMedia,
)
from common.media.flac import FlacStream, encode_flac
from common.providers.speech import Heard, Limits, Pending
from common.providers.speech.google import GoogleSpeech
from common.providers.speech.google_client import host
from common.settings import Settings
from common.transcript import REPETITION
from tests.loopback.speech_faults import Fault
from tests.loopback.speech_results import nothing, result, untimed
from tests.loopback.speech_server import SpeechServer
from tests.media_samples import sine

URI = "gs://bucket/sound.flac"
LENGTH = 10_000


def settings_for(**values):
    return Settings(
        DATABASE_URL="postgresql+pg8000://nobody@127.0.0.1/none",
        PEGASUS_INTERNAL_SECRET="s" * 32,
        **{"GOOGLE_CLOUD_PROJECT": "p1"} | values,
    )


@pytest.fixture(scope="module")
def flac():
    return encode_flac(sine(10))


@pytest.fixture(scope="module")
def running():
    with SpeechServer() as server:
        yield server


@pytest.fixture(scope="module")
def made(running):
    """One recogniser for all: its channel is slow to open."""
    return GoogleSpeech.from_settings(
        settings_for(
            PEGASUS_SPEECH_ENDPOINT=running.host, PEGASUS_SPEECH_LOCATION="eu"
        ),
        None,
    )


@pytest.fixture
def server(running, flac):
    running.reset()
    running.open_object = lambda _uri: io.BytesIO(flac)
    return running


@pytest.fixture
def speech(made, server):
    return made


@pytest.fixture
def hear(speech, server, flac):
    """Return what is heard in ten seconds when Google gives these results."""

    def heard(*results):
        server.script.append(list(results))
        return speech.recognize(flac, language="en-US")

    return heard


def in_batch(speech, *, length_ms=LENGTH):
    """Start a batch and ask for it once."""
    operation = speech.batch.start(URI, language="en-US")
    return speech.batch.poll(operation, length_ms=length_ms, language="en-US")


def spans(heard):
    return [(s.start_ms, s.end_ms, s.text) for s in heard.segments]


def test_words_become_sentences_with_times(hear):
    words = [("Hello", 0, 0.5), ("there.", 0.5, 1), ("Good", 2, 2.4), ("bye.", 2.4, 3)]
    assert spans(hear(result(words))) == [
        (0, 1000, "Hello there."),
        (2000, 3000, "Good bye."),
    ]


def test_words_without_punctuation_are_cut_at_pauses(hear):
    words = [(f"w{n}", n * 0.3, n * 0.3 + 0.3) for n in range(6)]
    words += [(f"v{n}", 5 + n * 0.3, 5.3 + n * 0.3) for n in range(6)]
    assert spans(hear(result(words))) == [
        (0, 1800, "W0 w1 w2 w3 w4 w5."),
        (5000, 6800, "V0 v1 v2 v3 v4 v5."),
    ]


def test_a_sentence_may_reach_over_two_results(hear):
    first, second = result([("One", 0, 1), ("half", 1, 2)]), result([("ends.", 2, 3)])
    assert spans(hear(first, second)) == [(0, 3000, "One half ends.")]


def test_the_request_says_what_is_wished(speech, server, flac):
    speech.recognize(flac, language="de-AT")
    [asked] = server.asked
    assert asked.recognizer == "projects/p1/locations/eu/recognizers/_"
    assert (asked.content, asked.config.model) == (flac, "latest_long")
    assert list(asked.config.language_codes) == ["de-AT"]
    assert asked.config.features.enable_word_time_offsets
    assert asked.config.features.enable_automatic_punctuation


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("global", "speech.googleapis.com"),
        ("europe-west4", "europe-west4-speech.googleapis.com"),
    ],
)
def test_a_region_is_asked_where_it_is(location, address):
    assert host(settings_for(PEGASUS_SPEECH_LOCATION=location)) == address


@pytest.mark.parametrize(
    ("asked", "used"),
    [(None, "long"), ("chirp_3", "chirp_3"), ("whisper-1", "long"), ("new", "new")],
)
def test_the_model_is_the_one_asked_for_unless_it_is_openai_s(running, asked, used):
    settings = settings_for(
        PEGASUS_SPEECH_ENDPOINT=running.host, PLC_GCP_STT_MODEL="long"
    )
    assert GoogleSpeech.from_settings(settings, asked).engine.model == used


def test_without_a_project_nothing_is_made(running):
    settings = settings_for(
        PEGASUS_SPEECH_ENDPOINT=running.host, GOOGLE_CLOUD_PROJECT=""
    )
    with pytest.raises(BadRequest, match="set GOOGLE_CLOUD_PROJECT") as caught:
        GoogleSpeech.from_settings(settings, None)
    assert caught.value.code == "provider_not_configured"


def test_pieces_fit_in_a_call(speech):
    assert speech.limits == Limits(55_000, 10_000_000)


def test_the_language_is_the_one_that_was_heard_most(hear):
    words = [("Ja.", 0, 1)]
    heard = hear(
        result(words, language="en-us"),
        result([("Ja.", 1, 2)], language="de-de"),
        result([("Doch.", 2, 3)], language="de-de"),
    )
    assert heard.language == "de-de"


def test_the_language_asked_for_stands_in_for_one_not_told(hear):
    assert hear(result([("Yes.", 0, 1)], language="")).language == "en-US"


def test_confidence_is_the_results_own(hear):
    known, unknown = result([("Yes.", 0, 1)], confidence=0.5), result([("No.", 1, 2)])
    unknown.alternatives[0].confidence = 0.0
    assert [s.confidence for s in hear(known, unknown).segments] == [0.5, None]


def test_usage_tells_the_audio_and_its_price(hear):
    usage = hear(result([("Yes.", 0, 1)])).usage
    assert (usage.provider, usage.model, usage.audio_ms) == (
        "google",
        "latest_long",
        10_000,
    )
    assert usage.cost_usd_micros == round(10 / 60 * 16_000)


def test_nobody_speaking_is_an_empty_answer(hear):
    assert hear().segments == hear(nothing(10)).segments == ()


def test_a_result_without_words_is_one_segment(hear):
    heard = hear(untimed("So it is.", 4.5), untimed("And so on.", 9))
    assert spans(heard) == [(0, 4500, "So it is."), (4500, 9000, "And so on.")]


def test_a_long_result_without_words_is_refused(speech, server):
    server.script.append([untimed("All of it.", 600)])
    with pytest.raises(ProviderError) as caught:
        in_batch(speech, length_ms=600_000)
    assert caught.value.code == "provider_schema"


def test_a_loop_of_the_recogniser_is_cut(hear):
    words = [("Thanks.", n, n + 0.5) for n in range(8)]
    [segment] = hear(result(words)).segments
    assert REPETITION in segment.flags


@pytest.mark.parametrize(
    ("start", "end", "placed"),
    [(9, 11.5, (9000, 10_000)), (0.5, 0.5, (500, 500)), (10.5, 11, (10_000, 10_000))],
)
def test_a_small_error_of_time_is_mended(hear, start, end, placed):
    [segment] = hear(result([("Hello.", start, end)])).segments
    assert (segment.start_ms, segment.end_ms) == placed


@pytest.mark.parametrize(("start", "end"), [(5, 40), (700, 701), (4, 2), (13, 14)])
def test_an_impossible_time_is_dropped(hear, start, end):
    heard = hear(result([("Absurd", start, end), ("Yes.", 5, 6)]))
    assert spans(heard) == [(5000, 6000, "Yes.")]


def test_overlapping_words_follow_each_other(hear):
    words = [("One.", 0, 4), ("Two.", 3.5, 6), ("Old.", 0.1, 0.9)]
    assert [(s[0], s[1]) for s in spans(hear(result(words)))] == [
        (0, 4000),
        (4000, 6000),
    ]


@pytest.mark.parametrize("piece", [b"", b"RIFF" + bytes(40), b"fLaC" + bytes(40)])
def test_a_piece_that_is_not_flac_is_not_sent(speech, server, piece):
    with pytest.raises(UnreadableMedia):
        speech.recognize(piece, language="en-US")
    assert server.asked == []


def test_audio_that_cannot_be_decoded_is_refused_for_good(speech, flac):
    with pytest.raises(ProviderError, match="INVALID_ARGUMENT") as caught:
        speech.recognize(flac[:42] + bytes(len(flac) - 42), language="en-US")
    assert not caught.value.retryable


FAILURES = [
    ("UNAUTHENTICATED", ProviderAuthError, "provider_auth"),
    ("PERMISSION_DENIED", ProviderAuthError, "provider_auth"),
    ("INVALID_ARGUMENT", ProviderError, "provider_rejected"),
    ("NOT_FOUND", ProviderError, "provider_rejected"),
    ("FAILED_PRECONDITION", ProviderError, "provider_rejected"),
    ("UNAVAILABLE", ProviderUnavailable, "provider_unavailable"),
    ("INTERNAL", ProviderUnavailable, "provider_unavailable"),
    ("UNKNOWN", ProviderUnavailable, "provider_unavailable"),
    ("DEADLINE_EXCEEDED", ProviderUnavailable, "provider_unavailable"),
    ("RESOURCE_EXHAUSTED", ProviderBusy, "provider_busy"),
]


@pytest.mark.parametrize(("status", "error", "code"), FAILURES)
def test_every_failure_has_its_meaning(speech, server, flac, status, error, code):
    server.faults.append(Fault("Recognize", status))
    with pytest.raises(ProviderError) as caught:
        speech.recognize(flac, language="en-US")
    assert (type(caught.value), caught.value.code) == (error, code)
    assert len(server.asked) == 1  # retries are the queue's


@pytest.mark.parametrize(("told", "seconds"), [(None, None), (7.5, 7.5), (1e6, 3600)])
def test_too_many_requests_may_say_how_long_to_wait(
    speech, server, flac, told, seconds
):
    server.faults.append(Fault("Recognize", "RESOURCE_EXHAUSTED", retry_seconds=told))
    with pytest.raises(ProviderBusy) as caught:
        speech.recognize(flac, language="en-US")
    assert caught.value.retry_after_seconds == seconds


def test_a_message_that_is_too_large_is_no_quota(speech, server, flac):
    text = "SERVER: Received message larger than max (9 vs. 4)"
    server.faults.append(Fault("Recognize", "RESOURCE_EXHAUSTED", text))
    with pytest.raises(ProviderError) as caught:
        speech.recognize(flac, language="en-US")
    assert caught.value.code == "provider_too_large"


def test_a_server_that_does_not_answer_is_unavailable(
    speech, server, flac, monkeypatch
):
    monkeypatch.setattr("common.providers.speech.google._RECOGNIZE_SECONDS", 0.2)
    server.faults.append(Fault("Recognize", stall=True))
    with pytest.raises(ProviderUnavailable):
        speech.recognize(flac, language="en-US")


def test_a_server_that_is_not_there_is_unavailable(flac):
    with SpeechServer() as gone:
        settings = settings_for(PEGASUS_SPEECH_ENDPOINT=gone.host)
    speech = GoogleSpeech.from_settings(settings, None)
    with pytest.raises(ProviderUnavailable):
        speech.recognize(flac, language="en-US")


def test_without_credentials_an_operator_must_act(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(ProviderAuthError) as caught:
        GoogleSpeech.from_settings(settings_for(), None)
    assert str(tmp_path) not in str(caught.value)


def test_a_long_reason_is_shortened_to_one_line(speech, server, flac):
    server.faults.append(Fault("Recognize", "INTERNAL", "no\n\x1b[31m" * 100))
    with pytest.raises(ProviderUnavailable) as caught:
        speech.recognize(flac, language="en-US")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_batch_is_asked_for_by_its_name(speech, server):
    server.script.append([result([("All", 0, 5), ("done.", 5, 10)])])
    operation = speech.batch.start(URI, language="en-GB")
    heard = speech.batch.poll(operation, length_ms=LENGTH, language="en-GB")
    assert isinstance(heard, Heard)
    assert spans(heard) == [(0, 10_000, "All done.")]
    assert heard.usage.audio_ms == 10_000
    [asked, _] = server.asked
    assert [file.uri for file in asked.files] == [URI]
    assert list(asked.config.language_codes) == ["en-GB"]


def test_a_batch_that_is_not_done_says_how_far_it_is(speech, server):
    server.seconds = 60
    found = in_batch(speech)
    assert found == Pending(50)


def test_an_operation_outlives_the_process_that_started_it(speech, server, running):
    operation = speech.batch.start(URI, language="en-US")
    settings = settings_for(PEGASUS_SPEECH_ENDPOINT=running.host)
    another = GoogleSpeech.from_settings(settings, None).batch
    assert isinstance(
        another.poll(operation, length_ms=LENGTH, language="en-US"), Heard
    )


def test_a_batch_holds_the_words_of_a_long_lecture(speech, server):
    """More than the four megabytes that gRPC takes unless told otherwise."""
    words = [(f"w{n}" * 150, n / 10, n / 10 + 0.1) for n in range(4_000)]
    server.script.append([result(words)])
    heard = in_batch(speech, length_ms=7_000_000)
    assert isinstance(heard, Heard)


@pytest.mark.parametrize("place", ["operation", "file"])
@pytest.mark.parametrize(("status", "error", "code"), FAILURES)
def test_an_operation_that_failed_says_why(speech, server, place, status, error, code):
    server.faults.append(Fault("BatchRecognize", status, place=place))
    found = in_batch(speech)
    assert isinstance(found, ProviderError)
    assert (type(found), found.code) == (error, code)


def test_an_object_that_is_not_there_is_the_batch_s_failure(speech, server):
    def missing(_uri):
        raise FileNotFoundError

    server.open_object = missing
    found = in_batch(speech)
    assert isinstance(found, ProviderError)
    assert "NOT_FOUND" in str(found)


def test_an_operation_that_nobody_knows_may_be_started_again(speech, server):
    found = speech.batch.poll("operations/9", length_ms=LENGTH, language="en-US")
    assert isinstance(found, ProviderUnavailable)


@pytest.mark.parametrize("method", ["BatchRecognize", "GetOperation"])
@pytest.mark.parametrize(("status", "error", "code"), FAILURES[:3] + FAILURES[5:])
def test_a_call_about_a_batch_may_fail(speech, server, method, status, error, code):
    server.faults.append(Fault(method, status))
    with pytest.raises(ProviderError) as caught:
        in_batch(speech)
    assert (type(caught.value), caught.value.code) == (error, code)


def test_only_what_lies_in_cloud_storage_goes_in_a_batch(speech):
    takes = speech.batch.takes
    assert (takes(URI), takes("s3://b/x"), takes("/x")) == (True, False, False)


@pytest.mark.parametrize(("model", "minutes"), [("chirp_3", 20), ("long", 480)])
def test_a_batch_is_as_long_as_the_model_takes(running, model, minutes):
    settings = settings_for(PEGASUS_SPEECH_ENDPOINT=running.host)
    batch = GoogleSpeech.from_settings(settings, model).batch
    assert batch.max_ms == minutes * 60_000


def test_a_stream_of_unknown_length_can_be_read(speech, server):
    sound = FlacStream([sine(12).tobytes()])
    server.open_object = lambda _uri: io.BytesIO(sound.read())
    heard = in_batch(speech, length_ms=12_000)
    assert isinstance(heard, Heard)
    assert heard.usage.cost_usd_micros == round(12 / 60 * 16_000)
    assert np.all([s.end_ms <= 12_000 for s in heard.segments])
