"""Whisper on this machine: the real library with a tiny model that says one word.

Nothing is fetched: sockets beyond this machine are closed in tests.
"""

import threading

import pytest

from common.errors import BadRequest, ProviderBusy, ProviderError, ProviderUnavailable
from common.media.flac import encode_flac
from common.providers.speech import Limits
from common.providers.speech.whisper import WhisperSpeech
from common.settings import Settings
from common.transcript import Engine
from tests.media_samples import bursts
from tests.whisper_model import DETECTED, SECONDS, WORD, tiny_whisper

ENGLISH = {"language": "en"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_whisper(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def english(tmp_path_factory):
    folder = tiny_whisper(tmp_path_factory.mktemp("models"), multilingual=False)
    return WhisperSpeech(str(folder))


@pytest.fixture(scope="module")
def speech(folder):
    return WhisperSpeech(str(folder))


@pytest.fixture(scope="module")
def flac():
    return encode_flac(bursts(5, ((0.5, 4),)))


@pytest.fixture
def heard_as(speech, monkeypatch):
    """Return the language that the model is really given."""
    given = []
    model = speech.model()
    transcribe = model.transcribe

    def noted(samples, *, language, initial_prompt):
        given.append(language)
        return transcribe(samples, language=language)

    monkeypatch.setattr(model, "transcribe", noted)
    return given


def settings_for(**values):
    return Settings(
        DATABASE_URL="postgresql+pg8000://nobody@127.0.0.1/none",
        PEGASUS_INTERNAL_SECRET="s" * 32,
        **values,
    )


def test_what_the_model_says_has_its_times(speech, flac):
    [segment] = speech.recognize(flac, language="en-US").segments
    assert (segment.start_ms, segment.end_ms, segment.text) == (
        0,
        SECONDS * 1000,
        WORD,
    )
    assert segment.confidence == pytest.approx(1.0)


def test_times_end_with_the_sound(speech):
    short = encode_flac(bursts(2, ((0, 2),)))
    [segment] = speech.recognize(short, language="en").segments
    assert segment.end_ms == 2000


def test_an_english_model_says_the_same(english, flac):
    heard = english.recognize(flac, language="en-GB")
    assert [s.text for s in heard.segments] == [WORD]
    assert heard.language == "en"


@pytest.mark.parametrize(
    ("language", "code"),
    [("en-US", "en"), ("de", "de"), ("pt-BR", "pt"), ("haw", "haw"), ("xx-YY", None)],
)
def test_the_language_reaches_the_model_if_it_knows_it(
    speech, flac, heard_as, language, code
):
    speech.recognize(flac, language=language)
    assert heard_as == [code]


@pytest.mark.parametrize("language", ["", "auto", "und"])
def test_without_a_language_the_model_finds_out(speech, flac, language):
    assert speech.recognize(flac, language=language).language == DETECTED


def test_an_english_model_refuses_another_language(english, flac):
    with pytest.raises(ProviderError, match="English only, not 'de-AT'") as caught:
        english.recognize(flac, language="de-AT")
    assert caught.value.code == "language_unsupported"


def test_usage_is_free_and_tells_the_audio(speech, flac):
    usage = speech.recognize(flac, language="en").usage
    assert (usage.audio_ms, usage.cost_usd_micros) == (5000, 0)


def test_the_engine_shows_the_model_and_not_where_it_lies(speech):
    assert speech.engine == Engine("whisper", "tiny")
    assert speech.limits == Limits(120_000, 4_200_000)


def test_nothing_is_loaded_before_it_is_needed(tmp_path):
    WhisperSpeech(str(tmp_path / "none"))


def test_a_model_is_loaded_once(folder, flac):
    speech = WhisperSpeech(str(folder))
    speech.recognize(flac, language="en")
    (folder / "model.bin").rename(folder / "gone.bin")
    speech.recognize(flac, language="en")
    (folder / "gone.bin").rename(folder / "model.bin")


def not_loaded(name, flac):
    with pytest.raises(ProviderError, match="PEGASUS_WHISPER_MODEL") as caught:
        WhisperSpeech(str(name)).recognize(flac, language="en")
    assert (caught.value.code, caught.value.retryable) == ("whisper_not_loaded", False)
    return str(caught.value)


def test_a_folder_that_is_not_there_is_not_looked_for_elsewhere(tmp_path, flac):
    assert "no such folder" in not_loaded(tmp_path / "none", flac)


@pytest.mark.parametrize("missing", ["model.bin", "tokenizer.json"])
def test_what_a_folder_lacks_is_not_fetched(tmp_path, flac, missing):
    (tiny_whisper(tmp_path) / missing).unlink()
    assert missing in not_loaded(tmp_path, flac)


def test_a_file_that_is_no_model_is_named_as_the_reason(tmp_path, flac):
    (tiny_whisper(tmp_path) / "model.bin").write_bytes(b"no model at all" * 10)
    assert "RuntimeError" in not_loaded(tmp_path, flac)


def test_a_name_that_nobody_knows_is_refused(flac):
    assert "Invalid model size" in not_loaded("gigantic", flac)


def test_a_name_is_not_fetched_when_offline(flac, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    not_loaded("nobody/nothing", flac)


def test_a_piece_that_cannot_be_decoded_is_refused(speech):
    with pytest.raises(ProviderError, match="unreadable"):
        speech.recognize(b"no flac", language="en")


def test_one_piece_at_a_time_is_recognised(folder, flac, monkeypatch):
    speech = WhisperSpeech(str(folder), patience_seconds=0)
    model = speech.model()
    at_work, go_on = threading.Event(), threading.Event()
    transcribe = model.transcribe

    def slow(samples, *, language, initial_prompt):
        at_work.set()
        go_on.wait(10)
        return transcribe(samples, language=language)

    monkeypatch.setattr(model, "transcribe", slow)
    other = threading.Thread(target=speech.recognize, args=(flac,), kwargs=ENGLISH)
    other.start()
    at_work.wait(10)
    with pytest.raises(ProviderBusy):
        speech.recognize(flac, language="en")
    go_on.set()
    other.join()
    assert speech.recognize(flac, language="en").segments


def test_a_failure_of_the_machine_may_be_tried_again(speech, flac, monkeypatch):
    def full(_samples, *, language, initial_prompt):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(speech.model(), "transcribe", full)
    with pytest.raises(ProviderUnavailable):
        speech.recognize(flac, language="en")


def test_without_a_model_nothing_is_made():
    with pytest.raises(BadRequest, match="set PEGASUS_WHISPER_MODEL") as caught:
        WhisperSpeech.from_settings(settings_for())
    assert caught.value.code == "provider_not_configured"
