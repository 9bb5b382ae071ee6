"""OpenAI speech: the real SDK against an OpenAI on loopback."""

import io
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from traceback import format_exception

import av
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
from common.providers import catalog
from common.providers.openai_client import openai_client
from common.providers.speech import Limits
from common.providers.speech.openai import OpenAISpeech
from common.settings import Settings
from common.transcript import LOW_CONFIDENCE, REPETITION, Engine
from tests.loopback.openai_server import (
    KEY,
    Answer,
    OpenAIServer,
    part,
    problem,
    verbose,
)


def flac_of(seconds: float) -> bytes:
    """Return a tone, encoded as the media module encodes pieces."""
    wave = np.sin(np.arange(round(16_000 * seconds)) * 0.1) * 8000
    frame = av.AudioFrame.from_ndarray(
        wave.astype("int16")[None, :], format="s16", layout="mono"
    )
    frame.sample_rate = 16_000
    target = io.BytesIO()
    with av.open(target, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono")
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return target.getvalue()


@pytest.fixture(scope="module")
def flac():
    return flac_of(10)


@pytest.fixture(scope="module")
def running():
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def server(running):
    running.script.clear()
    running.asked.clear()
    return running


def settings_for(url, **values):
    return Settings(
        DATABASE_URL="postgresql+pg8000://nobody@127.0.0.1/none",
        PEGASUS_INTERNAL_SECRET="s" * 32,
        **{"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url} | values,
    )


@pytest.fixture(scope="module")
def client(running):
    """Return one client for all; it costs 20 ms, for its TLS context."""
    with openai_client(settings_for(running.url), read_seconds=10) as client:
        yield client


@pytest.fixture
def speech(server, client):
    def make(model):
        return OpenAISpeech(client, catalog.speech_model(model))

    return make


@pytest.fixture
def whisper(speech):
    return speech("whisper-1")


@pytest.fixture
def hear(whisper, server, flac):
    """Return what is heard when Whisper answers with these parts of ten seconds."""

    def heard(*parts):
        server.script.append(verbose(*parts))
        return whisper.recognize(flac, language="en").segments

    return heard


def test_a_model_with_times_gives_its_segments(whisper, flac):
    segments = whisper.recognize(flac, language="en-US").segments
    assert [(s.start_ms, s.end_ms, s.text) for s in segments] == [
        (0, 5000, "One half."),
        (5000, 10_000, "The other half."),
    ]


def test_a_model_without_times_gives_one_segment_for_the_piece(speech, flac):
    [segment] = speech("gpt-4o-transcribe").recognize(flac, language="en").segments
    assert (segment.start_ms, segment.end_ms, segment.text) == (0, 10_000, "All of it.")


@pytest.mark.parametrize(
    ("model", "limits"),
    [
        ("whisper-1", Limits(600_000, 25_000_000)),
        ("gpt-4o-transcribe", Limits(30_000, 25_000_000)),
        ("gpt-transcribe", Limits(30_000, 25_000_000)),
        ("Systran/faster-whisper-small", Limits(600_000, 25_000_000)),
    ],
)
def test_pieces_are_short_where_the_model_gives_no_times(speech, model, limits):
    assert speech(model).limits == limits


def test_times_are_asked_of_a_model_that_has_them(whisper, server, flac):
    whisper.recognize(flac, language="en")
    [asked] = server.asked
    assert asked.fields == {
        "filename": "piece.flac",
        "model": "whisper-1",
        "response_format": "verbose_json",
        "timestamp_granularities[]": "segment",
        "language": "en",
    }


def test_a_prompt_is_passed_on(speech, server, flac):
    speech("gpt-transcribe").recognize(flac, language="en", prompt="Names: Ada.")
    assert server.asked[0].fields["prompt"] == "Names: Ada."


def test_the_newer_model_is_given_a_list_of_languages(speech, server, flac):
    speech("gpt-transcribe").recognize(flac, language="pt-BR")
    assert server.asked[0].fields["languages[]"] == "pt"


@pytest.mark.parametrize("language", ["", "und", "haw", "auto"])
def test_a_language_without_a_two_letter_code_is_left_to_the_model(
    whisper, server, flac, language
):
    whisper.recognize(flac, language=language)
    assert "language" not in server.asked[0].fields


def test_the_audio_is_sent_as_it_is(whisper, server, flac):
    whisper.recognize(flac, language="en")
    assert server.asked[0].file == flac


def test_the_language_is_the_one_that_was_heard(speech, whisper, flac):
    assert whisper.recognize(flac, language="de").language == "english"
    assert speech("gpt-transcribe").recognize(flac, language="de").language == "en"


def test_the_language_asked_for_stands_in_for_one_not_told(speech, server, flac):
    server.script.append(Answer({"text": "Hallo."}))
    heard = speech("gpt-4o-transcribe").recognize(flac, language="de-AT")
    assert heard.language == "de-AT"


def test_usage_tells_the_audio_and_its_price(whisper, flac):
    usage = whisper.recognize(flac, language="en").usage
    assert (usage.provider, usage.model, usage.audio_ms) == (
        "openai",
        "whisper-1",
        10_000,
    )
    assert usage.cost_usd_micros == 1000  # ten seconds at 0.006 dollars a minute


def test_a_model_paid_by_tokens_is_priced_by_tokens(speech, server, flac):
    used = {"type": "tokens", "input_tokens": 100, "output_tokens": 40}
    server.script.append(Answer({"text": "Hello.", "usage": used}))
    usage = speech("gpt-4o-transcribe").recognize(flac, language="en").usage
    assert (usage.input_tokens, usage.output_tokens) == (100, 40)
    assert usage.cost_usd_micros == 100 * 2.5 + 40 * 10


def test_nobody_speaking_is_an_empty_answer(hear):
    assert hear() == ()


def test_blank_text_is_no_segment(hear):
    assert hear(part(0, 2, "  ")) == ()


def test_silence_taken_for_speech_is_dropped(hear):
    thanks = part(8, 10, "Thanks for watching!", no_speech_prob=0.9, avg_logprob=-1.4)
    assert [s.text for s in hear(part(0, 8, "Hello."), thanks)] == ["Hello."]


def test_doubt_alone_is_flagged_and_kept(hear):
    [segment] = hear(part(0, 8, "Mumble.", avg_logprob=-1.4))
    assert segment.flags == (LOW_CONFIDENCE,)
    assert segment.confidence == pytest.approx(math.exp(-1.4))


def test_text_that_compresses_too_well_is_doubted(hear):
    [segment] = hear(part(0, 8, "So so, so so.", compression_ratio=3.1))
    assert segment.flags == (LOW_CONFIDENCE,)


def test_a_loop_of_the_recogniser_is_cut(hear):
    loop = [part(n, n + 1, "Thank you so much.") for n in range(6)]
    [segment] = hear(*loop)
    assert segment.text == "Thank you so much."
    assert REPETITION in segment.flags


def test_a_loop_is_cut_where_there_are_no_times(speech, server, flac):
    server.script.append(Answer({"text": "The cell lives. " + "And then we " * 40}))
    [segment] = speech("gpt-4o-transcribe").recognize(flac, language="en").segments
    assert segment.text.count("And then we") == 1
    assert REPETITION in segment.flags


@pytest.mark.parametrize(
    ("start", "end", "placed"),
    [
        (1, 11.5, (1000, 10_000)),  # a little past the end
        (-0.5, 2, (0, 2000)),
        (3, 3, (3000, 3100)),  # no length at all
    ],
)
def test_a_small_error_of_time_is_mended(hear, start, end, placed):
    [segment] = hear(part(start, end, "Hello."))
    assert (segment.start_ms, segment.end_ms) == placed


@pytest.mark.parametrize(
    ("start", "end"),
    [(5, 40), (700, 701), (10, 11), (-60, -59), (4, 2), (0, 1e300)],
)
def test_an_impossible_time_is_dropped(hear, start, end):
    absurd = part(start, end, "Absurd.")
    assert [s.text for s in hear(absurd, part(1, 2, "Hello."))] == ["Hello."]


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_time_that_is_no_number_is_dropped(hear, number):
    assert hear(part(0, number, "Absurd.")) == ()


def test_overlapping_segments_follow_each_other(hear):
    segments = hear(part(0, 4, "One."), part(3.5, 6, "Two."), part(0.1, 0.9, "Old."))
    assert [(s.start_ms, s.end_ms) for s in segments] == [(0, 4000), (4000, 6000)]


def test_a_long_piece_without_times_is_refused(whisper, server):
    server.script.append(Answer({"text": "Hello."}))
    with pytest.raises(ProviderError) as caught:
        whisper.recognize(flac_of(31), language="en")
    assert caught.value.code == "provider_schema"


@pytest.mark.parametrize("piece", [b"", b"RIFF" + bytes(40), b"fLaC" + bytes(40)])
def test_a_piece_that_is_not_flac_is_not_sent(whisper, server, piece):
    with pytest.raises(UnreadableMedia):
        whisper.recognize(piece, language="en")
    assert server.asked == []


def test_audio_that_cannot_be_decoded_is_refused_for_good(whisper, flac):
    broken = flac[:42] + bytes(len(flac) - 42)
    with pytest.raises(ProviderError, match="corrupted") as caught:
        whisper.recognize(broken, language="en")
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7),
        ({"retry_after": "7", "retry_after_ms": "250"}, 0.25),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-5"}, 0),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "9999999"}, 3600),
    ],
)
def test_too_many_requests_say_how_long_to_wait(
    whisper, server, flac, headers, seconds
):
    server.script.append(problem(429, "slow down", "rate_limit_exceeded", **headers))
    with pytest.raises(ProviderBusy) as caught:
        whisper.recognize(flac, language="en")
    assert caught.value.retry_after_seconds == seconds
    assert len(server.asked) == 1  # retries are the queue's


def test_a_wait_may_be_given_as_a_date(whisper, server, flac):
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True)
    server.script.append(problem(429, "slow down", retry_after=date))
    with pytest.raises(ProviderBusy) as caught:
        whisper.recognize(flac, language="en")
    seconds = caught.value.retry_after_seconds
    assert seconds is not None
    assert 500 < seconds <= 600


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (problem(429, "quota", "insufficient_quota"), ProviderError, "provider_quota"),
        (problem(402, "pay first"), ProviderError, "provider_quota"),
        (
            problem(429, "Request too large for whisper-1: Limit 10, Requested 20"),
            ProviderError,
            "provider_too_large",
        ),
        (problem(401, "who?"), ProviderAuthError, "provider_auth"),
        (problem(403, "not you"), ProviderAuthError, "provider_auth"),
        (problem(400, "no"), ProviderError, "provider_rejected"),
        (problem(404, "no such model"), ProviderError, "provider_rejected"),
        (problem(413, "too large"), ProviderError, "provider_rejected"),
        (problem(415, "no such form"), ProviderError, "provider_rejected"),
        (problem(422, "no"), ProviderError, "provider_rejected"),
        (
            Answer(status=307, headers={"location": "http://127.0.0.1:9/"}),
            ProviderError,
            "provider_rejected",
        ),
        (problem(408, "slow"), ProviderUnavailable, "provider_unavailable"),
        (problem(500, "oops"), ProviderUnavailable, "provider_unavailable"),
        (problem(503, "later"), ProviderUnavailable, "provider_unavailable"),
        (Answer(reset=True), ProviderUnavailable, "provider_unavailable"),
        (Answer(b'{"text": "Hel', cut=5), ProviderUnavailable, "provider_unavailable"),
        (Answer(b'{"text": "Hel'), ProviderUnavailable, "provider_unavailable"),
        (
            Answer(b"<html>sign in</html>", content_type="text/html"),
            ProviderUnavailable,
            "provider_unavailable",
        ),
        (Answer(b"[" * 100_000), ProviderUnavailable, "provider_unavailable"),
        (Answer({"words": []}), ProviderError, "provider_schema"),
        (Answer({"text": None}), ProviderError, "provider_schema"),
        (Answer(["text"]), ProviderError, "provider_schema"),
    ],
)
def test_every_failure_has_its_meaning(whisper, server, flac, answer, error, code):
    server.script.append(answer)
    with pytest.raises(ProviderError) as caught:
        whisper.recognize(flac, language="en")
    assert (type(caught.value), caught.value.code) == (error, code)


def test_a_server_that_does_not_answer_is_unavailable(server, flac):
    server.script.append(Answer(stall=True))
    with openai_client(settings_for(server.url), read_seconds=0.2) as hasty:
        speech = OpenAISpeech(hasty, catalog.speech_model("whisper-1"))
        with pytest.raises(ProviderUnavailable, match="in time"):
            speech.recognize(flac, language="en")


def test_a_server_that_is_not_there_is_unavailable(flac):
    with OpenAIServer() as gone:
        url = gone.url
    with openai_client(settings_for(url), read_seconds=1) as client:
        speech = OpenAISpeech(client, catalog.speech_model("whisper-1"))
        with pytest.raises(ProviderUnavailable, match="connection"):
            speech.recognize(flac, language="en")


def test_an_endless_answer_is_not_read_to_its_end(whisper, server, flac):
    server.script.append(Answer({"text": "x" * 17 * 1024 * 1024}))
    with pytest.raises(ProviderUnavailable, match="connection"):
        whisper.recognize(flac, language="en")


def test_a_page_of_html_is_not_shown(whisper, server, flac):
    page = Answer(b"<html><h1>Bad gateway</h1></html>", 502, content_type="text/html")
    server.script.append(page)
    with pytest.raises(ProviderUnavailable) as caught:
        whisper.recognize(flac, language="en")
    assert str(caught.value) == "openai: HTTP 502."


def test_a_long_reason_is_shortened_to_one_line(whisper, server, flac):
    server.script.append(problem(400, "no\n\x1b[31m" * 500))
    with pytest.raises(ProviderError) as caught:
        whisper.recognize(flac, language="en")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("key", ["sk-proj-wrong-key-abcdef", "another-form-of-key-99"])
def test_a_refused_key_is_not_told(server, flac, key):
    settings = settings_for(server.url, OPENAI_API_KEY=key)
    wrong = OpenAISpeech.from_settings(settings, None)
    with (
        wrong.client,
        pytest.raises(ProviderAuthError, match="Incorrect API key") as caught,
    ):
        wrong.recognize(flac, language="en")
    assert key not in "".join(format_exception(caught.value))  # as a log shows it


@pytest.mark.parametrize("key", [None, "", "schlüssel", "two\nlines"])
def test_without_a_key_nothing_is_made(server, key):
    settings = settings_for(server.url, OPENAI_API_KEY=key)
    with pytest.raises(BadRequest, match="Provider 'openai' is not configured") as got:
        OpenAISpeech.from_settings(settings, None)
    assert got.value.code == "provider_not_configured"


@pytest.mark.parametrize(
    ("values", "asked", "used"),
    [
        ({}, None, "gpt-transcribe"),
        ({}, "whisper-1", "whisper-1"),
        ({"PLC_INGEST_TRANSCRIBE_MODEL": "whisper-1"}, None, "whisper-1"),
        (
            {
                "PLC_INGEST_TRANSCRIBE_MODEL": "latest_long",
                "PLC_INGEST_TRANSCRIBE_PROVIDER": "google",
            },
            None,
            "gpt-transcribe",
        ),
    ],
)
def test_the_model_is_the_one_asked_for_or_configured(server, values, asked, used):
    speech = OpenAISpeech.from_settings(settings_for(server.url, **values), asked)
    with speech.client:
        assert speech.engine == Engine("openai", used)
