"""What every recogniser keeps: the same cases over all of them.

The two in the cloud answer from a server on loopback; Whisper has a tiny model of ours.
"""

from typing import Any

import numpy as np
import pytest

from common.errors import AppError, BadRequest, ProviderError
from common.media.flac import encode_flac
from common.providers import speech as need
from common.providers.speech import accept
from common.settings import Settings
from tests.loopback.openai_server import KEY, OpenAIServer
from tests.loopback.speech_server import SpeechServer
from tests.media_samples import bursts, sine
from tests.whisper_model import tiny_whisper

PROVIDERS = ("pocketsphinx", "openai", "google", "whisper")


@pytest.fixture(scope="module")
def openai():
    with OpenAIServer() as server:
        yield server


@pytest.fixture(scope="module")
def google():
    with SpeechServer() as server:
        yield server


@pytest.fixture(scope="module")
def settings(openai, google, tmp_path_factory):
    return settings_for(
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=openai.url,
        GOOGLE_CLOUD_PROJECT="p1",
        PEGASUS_SPEECH_ENDPOINT=google.host,
        PEGASUS_WHISPER_MODEL=str(tiny_whisper(tmp_path_factory.mktemp("whisper"))),
    )


def settings_for(**values):
    return Settings(
        DATABASE_URL="postgresql+pg8000://nobody@127.0.0.1/none",
        PEGASUS_INTERNAL_SECRET="s" * 32,
        **values,
    )


@pytest.fixture(scope="module")
def factory(settings):
    make: Any = need.from_settings(settings)
    yield make
    for model in (None, "m"):
        make("openai", model).client.close()
        make("google", model).client.transport.close()


@pytest.fixture(params=PROVIDERS)
def speech(request, factory):
    return factory(request.param, None)


@pytest.fixture(scope="module")
def flac():
    return encode_flac(bursts(4, ((0.5, 1.5), (2, 3.5))))


@pytest.fixture(scope="module")
def answers():
    return {}


@pytest.fixture
def heard(speech, flac, answers):
    """What each makes of the same sound; asked once, as some take seconds."""
    name = speech.engine.provider
    if name not in answers:
        answers[name] = speech.recognize(flac, language="en-US")
    return answers[name]


def test_every_provider_is_checked():
    assert set(PROVIDERS) == set(need.PROVIDERS)


def test_segments_are_in_order_and_within_the_sound(heard):
    times = [t for one in heard.segments for t in (one.start_ms, one.end_ms)]
    assert times == sorted(times)
    assert all(0 <= t <= 4000 for t in times)
    assert all(one.text == one.text.strip() != "" for one in heard.segments)


def test_confidence_is_a_probability_or_unknown(heard):
    told = [one.confidence for one in heard.segments]
    assert all(c is None or 0 <= c <= 1 for c in told)


def test_usage_names_who_listened_and_for_how_long(speech, heard):
    usage = heard.usage
    assert (usage.provider, usage.model) == (
        speech.engine.provider,
        speech.engine.model,
    )
    assert usage.audio_ms == 4000
    assert usage.cost_usd_micros is not None


def test_the_language_is_told(heard):
    assert heard.language.startswith("en")


def test_a_piece_of_the_greatest_length_is_taken(speech):
    seconds = min(speech.limits.max_chunk_ms // 1000, 30)
    piece = encode_flac(np.zeros(seconds * 16_000, np.int16))
    assert len(piece) < speech.limits.max_bytes
    speech.recognize(piece, language="en-US")


def test_a_piece_that_is_no_flac_is_refused_for_good(speech):
    with pytest.raises(AppError) as caught:
        speech.recognize(b"RIFF" + bytes(60), language="en-US")
    assert not caught.value.retryable


def test_a_batch_is_offered_by_those_who_read_storage(speech):
    assert (speech.batch is not None) == (speech.engine.provider == "google")


def test_each_is_made_once(factory):
    assert all(factory(name, "m") is factory(name, "m") for name in PROVIDERS)


def test_the_one_on_this_machine_is_the_same_for_every_model(factory):
    for name in ("pocketsphinx", "whisper"):
        assert factory(name, "whisper-1") is factory(name, None)


@pytest.mark.parametrize("provider", ["openai", "google"])
def test_the_language_reaches_the_vendor(provider, factory, openai, google, flac):
    factory(provider, None).recognize(flac, language="de-AT")
    given = {
        "openai": lambda: openai.asked[-1].fields["languages[]"],
        "google": lambda: next(iter(google.asked[-1].config.language_codes)),
    }
    assert given[provider]() == {"openai": "de", "google": "de-AT"}[provider]


def test_the_language_reaches_the_model_here(factory, flac):
    assert factory("whisper", None).recognize(flac, language="fr-FR").language == "fr"


def test_who_does_not_know_the_language_says_so(factory, flac):
    with pytest.raises(ProviderError) as caught:
        factory("pocketsphinx", None).recognize(flac, language="de-AT")
    assert caught.value.code == "language_unsupported"


@pytest.mark.parametrize(
    ("asked", "model", "meant"),
    [
        ("whisper", None, "openai"),
        ("whisper", "/models/small", "whisper"),
        ("google_speech", None, "google"),
        ("pocketsphinx", None, "pocketsphinx"),
    ],
)
def test_names_mean_what_they_meant_before(asked, model, meant):
    settings = settings_for(
        OPENAI_API_KEY=KEY, GOOGLE_CLOUD_PROJECT="p1", PEGASUS_WHISPER_MODEL=model
    )
    assert accept(settings, asked) == meant


def test_a_job_for_the_whisper_here_never_goes_to_openai():
    """It was accepted while a model was set; the recording must not leave now."""
    speech = need.from_settings(settings_for(OPENAI_API_KEY=KEY))
    with pytest.raises(BadRequest, match="PEGASUS_WHISPER_MODEL"):
        speech("whisper", None)


@pytest.mark.parametrize(
    ("asked", "variable"),
    [
        ("openai", "set OPENAI_API_KEY."),
        ("whisper", "set OPENAI_API_KEY, or PEGASUS_WHISPER_MODEL for the one here."),
        ("google", "set GOOGLE_CLOUD_PROJECT."),
        ("google_speech", "set GOOGLE_CLOUD_PROJECT."),
    ],
)
def test_what_is_missing_is_named(asked, variable):
    with pytest.raises(BadRequest) as caught:
        accept(settings_for(), asked)
    assert caught.value.code == "provider_not_configured"
    assert str(caught.value) == f"Provider {asked!r} is not configured: {variable}"


@pytest.mark.parametrize("name", ["deepgram", "GOOGLE", "vertex"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(BadRequest) as caught:
        accept(settings_for(), name)
    assert caught.value.code == "provider_unknown"


def test_a_loud_tone_is_no_failure(speech):
    speech.recognize(encode_flac(sine(2)), language="en-US")
