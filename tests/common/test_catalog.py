"""The table of models against what the installed SDKs know of them."""

import inspect
import re
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from google.genai._gaos.types.interactions.model import Model as GeminiName
from openai.types import audio_model
from openai.types.shared import chat_model

from common.doctor.models import SOON_DAYS
from common.providers import catalog
from common.providers.catalog import GOOGLE_SPEECH_MODELS, MODELS, speech_model
from common.providers.catalog import chat_model as chat
from common.transcript import Engine

KNOWN = {
    "speech": (audio_model, audio_model.AudioModel),
    "chat": (chat_model, chat_model.ChatModel),
}
OPENAI = [model for model in MODELS if model.vendor == "openai"]
GEMINI = [model for model in MODELS if model.vendor == "gemini"]
DEFAULTS = [
    speech_model(catalog.DEFAULT_SPEECH_MODEL),
    chat(catalog.DEFAULT_CHAT_MODEL),
    chat(catalog.DEFAULT_GEMINI_MODEL),
]


def announced(module):
    """Return the last day of each model that the SDK's module documents."""
    text = inspect.getsource(module).partition("Deprecated values:")[2]
    found: dict[str, date] = {}
    for entry in re.split(r"\n- ", text):
        flat = " ".join(entry.split())
        if day := re.search(r"shutdown date: (\d{4}-\d\d-\d\d)", flat):
            names = re.findall(r'"([^"]+)"', flat)
            found |= dict.fromkeys(names, date.fromisoformat(day[1]))
    return found


@pytest.mark.parametrize("model", OPENAI, ids=lambda m: m.name)
def test_every_model_is_known_to_the_sdk(model):
    assert model.name in get_args(KNOWN[model.kind][1])


@pytest.mark.parametrize("model", OPENAI, ids=lambda m: m.name)
def test_announced_ends_are_those_of_the_sdk(model):
    assert model.shutdown == announced(KNOWN[model.kind][0]).get(model.name)


@pytest.mark.parametrize("model", GEMINI, ids=lambda m: m.name)
def test_every_model_of_gemini_is_known_to_its_sdk(model):
    literal, _others = get_args(GeminiName)
    assert model.name in get_args(literal)


def test_the_defaults_have_no_announced_end():
    assert all(model in MODELS and model.shutdown is None for model in DEFAULTS)


@pytest.mark.parametrize("model", DEFAULTS, ids=lambda m: m.name)
def test_a_default_does_not_end_within_sixty_days_of_today(model):
    """Turns red on a day when nothing here has changed: then another must be chosen."""
    soon = datetime.now(UTC).date() + timedelta(days=SOON_DAYS)
    assert model.shutdown is None or model.shutdown > soon


@pytest.mark.parametrize("model", DEFAULTS, ids=lambda m: m.name)
def test_the_price_of_a_default_is_known(model):
    """Else it could not be used within a budget."""
    assert model.price is not None


def test_what_ends_has_a_successor_that_does_not():
    for model in GEMINI:
        if model.shutdown is not None:
            assert model.instead is not None
            assert chat(model.instead).shutdown is None
            assert chat(model.instead) in MODELS


def test_no_name_is_in_the_table_twice():
    names = [(m.name, m.kind) for m in (*MODELS, *GOOGLE_SPEECH_MODELS)]
    assert len(set(names)) == len(names)


def test_the_names_in_the_clients_documents_still_work():
    assert speech_model("whisper-1").timestamps
    assert chat("gpt-4o-mini").context_tokens == 128_000


def test_an_unknown_model_gets_the_strictest_limits():
    assert speech_model("other").max_seconds <= min(
        model.max_seconds for model in MODELS if model.kind == "speech"
    )
    assert chat("other").context_tokens <= min(
        model.context_tokens for model in MODELS if model.kind == "chat"
    )


def test_a_recogniser_is_not_a_language_model():
    assert chat("whisper-1") not in MODELS
    assert speech_model("gpt-4o-mini") not in MODELS


@pytest.mark.parametrize(
    ("name", "units", "micros"),
    [
        ("whisper-1", {"seconds": 60}, 6000),
        ("gpt-transcribe", {"seconds": 3 * 3600}, 810_000),
        ("gpt-4o-transcribe-diarize", {"seconds": 60}, None),
        ("gpt-4o-transcribe", {"seconds": 60}, None),  # paid by tokens, none told
        ("other", {"seconds": 60}, None),
    ],
)
def test_audio_is_priced_by_the_minute(name, units, micros):
    assert speech_model(name).cost_usd_micros(**units) == micros


def test_text_is_priced_by_the_token():
    cost = chat("gpt-4o-mini").cost_usd_micros
    assert cost(input_tokens=1_000_000, output_tokens=0) == 150_000
    assert cost(input_tokens=0, output_tokens=1_000_000) == 600_000


@pytest.mark.parametrize(
    ("provider", "model", "micros"),
    [
        ("openai", "whisper-1", 60_000),
        ("google", "latest_long", 160_000),
        ("openai", "gpt-4o-transcribe", 16_000 * 2.5 + 2_000 * 10),
        ("openai", "other", None),
        ("google", "other", None),
        ("fake", "whisper-2", None),
        ("pocketsphinx", "en-us", 0),
        ("whisper", "large-v3", 0),
    ],
)
def test_ten_minutes_of_sound_may_cost(provider, model, micros):
    most = catalog.speech_estimate(Engine(provider, model), seconds=600)
    assert (most.provider, most.model, most.usd_micros) == (provider, model, micros)
