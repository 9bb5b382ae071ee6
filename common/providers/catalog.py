"""Models of outside services: limits, prices and announced ends, in one dated table.

Source, all read 2026-11-20: names and ends from the type literals of openai 3.52.0;
prices of the gpt transcription models and the 25 MB from OpenAI's own pages; other
prices and contexts from what resellers quote as the list price. Where none is sure,
or it depends on the size of the request, the price is None. Prices change: a cost
computed here is an estimate.

Gemini, read 2026-11-21: names from google-genai 3.4.0; ends from "Gemini deprecations"
of ai.google.dev (its state of 2026-11-10); contexts from the models' pages there;
prices from its price list (2026-10-07), also where a lower one is on offer until the
end of 2026. Google Cloud keeps some models longer, and may charge more by region.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from common.transcript import Engine
from common.usage import Estimate

Kind = Literal["speech", "chat"]

# Chosen 2026-11-20. The names in the clients' documents, whisper-1 and gpt-4o-mini,
# end on 2027-02-26 and 2027-01-14 and still work when asked for by name.
DEFAULT_SPEECH_MODEL = "gpt-transcribe"  # the only one of its kind without an end
DEFAULT_CHAT_MODEL = "gpt-5.4-mini"  # the smallest with a sure price and no end
DEFAULT_GEMINI_MODEL = "gemini-3.5-flash-lite"  # for the same reasons

LOCAL = frozenset({"pocketsphinx", "whisper", "extractive"})  # run here, for nothing

# Of gpt-4o-transcribe and its kin: its context, and its longest answer.
_SPEECH_TOKENS_IN, _SPEECH_TOKENS_OUT = 16_000, 2_000

_UPLOAD_BYTES = 25_000_000  # "25 MB", read as the smaller of its two meanings
_UNKNOWN_CONTEXT = 32_000  # most models that run on one's own machine have this


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars: by the minute of audio, or by the million tokens."""

    minute: float | None = None
    million_in: float = 0.0
    million_out: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What one model takes and costs.

    ``max_seconds`` is the longest audio in one call. ``timestamps`` tells whether
    it says when each sentence is spoken; ``many_languages`` whether its language is
    given as a list. ``shutdown`` is the announced last day, ``instead`` what its vendor
    names in its place.
    """

    name: str
    kind: Kind
    vendor: str = "openai"
    max_seconds: int = 0
    max_bytes: int = 0
    context_tokens: int = 0
    timestamps: bool = False
    many_languages: bool = False
    price: Price | None = None
    shutdown: date | None = None
    instead: str | None = None

    def cost_usd_micros(
        self, *, seconds: float = 0, input_tokens: int = 0, output_tokens: int = 0
    ) -> int | None:
        """Return what a call costs, None when its price or its units are not known."""
        if self.price is None:
            return None
        if self.price.minute is not None:
            return round(seconds / 60 * self.price.minute * 1_000_000)
        if not (input_tokens or output_tokens):  # a server that does not count
            return None
        # Dollars per million tokens are millionths of a dollar per token.
        return round(
            input_tokens * self.price.million_in
            + output_tokens * self.price.million_out
        )


def _speech(
    name: str, price: Price | None = None, shutdown: date | None = None
) -> Model:
    """Return a model that gives no times."""
    return Model(
        name=name,
        kind="speech",
        max_seconds=1400,  # the limit of gpt-4o-transcribe; gpt-transcribe states none
        max_bytes=_UPLOAD_BYTES,
        price=price,
        shutdown=shutdown,
    )


def _chat(
    name: str, context_tokens: int, price: Price | None, shutdown: date | None = None
) -> Model:
    return Model(
        name=name,
        kind="chat",
        context_tokens=context_tokens,
        price=price,
        shutdown=shutdown,
    )


def _gemini(name: str, price: Price | None) -> Model:
    return replace(_chat(name, 1_048_576, price), vendor="gemini")


_END_OF_OLD_SPEECH = date(2027, 2, 26)
_END_OF_4O = date(2027, 1, 14)
_END_OF_5 = date(2026, 12, 11)

_END_OF_GEMINI_25 = date(2026, 12, 1)  # 2027-03-31 on Google Cloud, for old projects

_4O_SPEECH = Price(million_in=2.5, million_out=10)
_4O_MINI_SPEECH = Price(million_in=1.25, million_out=5)
_4O_MINI = Price(million_in=0.15, million_out=0.6)
_54_MINI = Price(million_in=0.75, million_out=4.5)
_GEMINI_LITE = Price(million_in=0.3, million_out=2.5)

MODELS: tuple[Model, ...] = (
    replace(_speech("gpt-transcribe", Price(minute=0.0045)), many_languages=True),
    _speech("gpt-4o-transcribe", _4O_SPEECH, _END_OF_OLD_SPEECH),
    _speech("gpt-4o-mini-transcribe", _4O_MINI_SPEECH, _END_OF_OLD_SPEECH),
    _speech("gpt-4o-mini-transcribe-2025-12-15", _4O_MINI_SPEECH, _END_OF_OLD_SPEECH),
    _speech("gpt-4o-transcribe-diarize", None, _END_OF_OLD_SPEECH),
    replace(
        _speech("whisper-1", Price(minute=0.006), _END_OF_OLD_SPEECH),
        max_seconds=600,  # the model states no limit; a piece is held in memory
        timestamps=True,
    ),
    _chat("gpt-5.4-mini", 400_000, _54_MINI),
    _chat("gpt-5.4-mini-2026-03-17", 400_000, _54_MINI),
    # It takes four times as much, but beyond this every token costs more.
    _chat("gpt-5.4", 272_000, None),
    _chat("gpt-5-mini", 400_000, None, _END_OF_5),
    _chat("gpt-4.1", 1_000_000, Price(million_in=2, million_out=8), _END_OF_4O),
    _chat(
        "gpt-4.1-mini", 1_000_000, Price(million_in=0.4, million_out=1.6), _END_OF_4O
    ),
    _chat("gpt-4o", 128_000, None, _END_OF_4O),
    _chat("gpt-4o-mini", 128_000, _4O_MINI, _END_OF_4O),
    _chat("gpt-4o-mini-2024-07-18", 128_000, _4O_MINI, _END_OF_4O),
    _gemini("gemini-3.8-flash", Price(million_in=1.5, million_out=7.5)),
    _gemini("gemini-3.7-flash", Price(million_in=1.5, million_out=7.5)),
    _gemini("gemini-3.6-flash", None),
    _gemini("gemini-3.5-flash", Price(million_in=1.5, million_out=9)),
    _gemini("gemini-3.5-flash-lite", _GEMINI_LITE),
    replace(
        _gemini("gemini-3.1-flash-lite", Price(million_in=0.25, million_out=1.5)),
        shutdown=date(2027, 5, 7),
        instead="gemini-3.5-flash-lite",
    ),
    replace(
        _gemini("gemini-2.5-flash", _GEMINI_LITE),
        shutdown=_END_OF_GEMINI_25,
        instead="gemini-3.5-flash-lite",
    ),
    replace(  # its price depends on the size of the request
        _gemini("gemini-2.5-pro", None),
        shutdown=_END_OF_GEMINI_25,
        instead="gemini-3.8-flash",
    ),
)


# Google's own quotas and price list, read 2026-07-10. No end of any is announced.
_GOOGLE_MINUTE = Price(minute=0.016)  # standard, not the dynamic batch at 0.003
_BATCH_SECONDS = 8 * 3600  # 480 minutes a file, whatever the model


def _google_speech(name: str, max_seconds: int = _BATCH_SECONDS) -> Model:
    """Return a model of Speech-to-Text v2; ``max_seconds`` is that of a batch."""
    return Model(
        name=name,
        kind="speech",
        vendor="google",
        max_seconds=max_seconds,
        timestamps=True,
        price=_GOOGLE_MINUTE,
    )


GOOGLE_SPEECH_MODELS: tuple[Model, ...] = (
    _google_speech("latest_long"),
    _google_speech("long"),
    _google_speech("telephony"),
    _google_speech("chirp_2"),
    _google_speech("chirp_3", 20 * 60),  # as long as it gives times of words
)


def speech_model(name: str) -> Model:
    """Return the recogniser of this name.

    An unknown name is a model behind another base URL. It is trusted to give times
    if it calls itself a Whisper.
    """
    if known := _find(name, "speech"):
        return known
    # 600 s: shorter than any limit in the table.
    return replace(_speech(name), max_seconds=600, timestamps="whisper" in name.lower())


def is_speech_model(name: str) -> bool:
    """Tell whether a name is that of a recogniser of OpenAI's."""
    return _find(name, "speech") is not None


def google_speech_model(name: str) -> Model:
    """Return the recogniser of Google's of this name; an unknown one has no price."""
    known = next((m for m in GOOGLE_SPEECH_MODELS if m.name == name), None)
    return known or replace(_google_speech(name), price=None)


def speech_estimate(engine: Engine, *, seconds: float) -> Estimate:
    """Return what it may cost to have sound recognised, of any provider of ours."""
    if engine.provider in LOCAL:
        return Estimate(engine.provider, engine.model, 0)
    google = engine.provider == "google"
    model = (google_speech_model if google else speech_model)(engine.model)
    if model.price is None or model.price.minute is not None:
        cost = model.cost_usd_micros(seconds=seconds)
    else:  # paid by tokens: as many as one call may take and give
        cost = model.cost_usd_micros(
            input_tokens=_SPEECH_TOKENS_IN, output_tokens=_SPEECH_TOKENS_OUT
        )
    return Estimate(engine.provider, engine.model, cost)


def is_known(name: str) -> bool:
    """Tell whether a model of this name is in the table."""
    return any(m.name == name for m in (*MODELS, *GOOGLE_SPEECH_MODELS))


def chat_model(name: str) -> Model:
    """Return the language model of this name; an unknown one has a small context."""
    return _find(name, "chat") or _chat(name, _UNKNOWN_CONTEXT, None)


def _find(name: str, kind: Kind) -> Model | None:
    return next((m for m in MODELS if (m.name, m.kind) == (name, kind)), None)
