"""Models of outside services: limits, prices and announced ends, in one dated table.

Source, all read 2026-11-20: names and ends from the type literals of openai 3.52.0;
prices of the gpt transcription models and the 25 MB from OpenAI's own pages; other
prices and contexts from what resellers quote as the list price. Where none is sure,
or it depends on the size of the request, the price is None. Prices change: a cost
computed here is an estimate.
"""

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

Kind = Literal["speech", "chat"]

# Chosen 2026-11-20. The names in the clients' documents, whisper-1 and gpt-4o-mini,
# end on 2027-02-26 and 2027-01-14 and still work when asked for by name.
DEFAULT_SPEECH_MODEL = "gpt-transcribe"  # the only one of its kind without an end
DEFAULT_CHAT_MODEL = "gpt-5.4-mini"  # the smallest with a sure price and no end

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
    given as a list. ``shutdown`` is the announced last day.
    """

    name: str
    kind: Kind
    max_seconds: int = 0
    max_bytes: int = 0
    context_tokens: int = 0
    timestamps: bool = False
    many_languages: bool = False
    price: Price | None = None
    shutdown: date | None = None

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


_END_OF_OLD_SPEECH = date(2027, 2, 26)
_END_OF_4O = date(2027, 1, 14)
_END_OF_5 = date(2026, 12, 11)

_4O_SPEECH = Price(million_in=2.5, million_out=10)
_4O_MINI_SPEECH = Price(million_in=1.25, million_out=5)
_4O_MINI = Price(million_in=0.15, million_out=0.6)
_54_MINI = Price(million_in=0.75, million_out=4.5)

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


def chat_model(name: str) -> Model:
    """Return the language model of this name; an unknown one has a small context."""
    return _find(name, "chat") or _chat(name, _UNKNOWN_CONTEXT, None)


def _find(name: str, kind: Kind) -> Model | None:
    return next((m for m in MODELS if (m.name, m.kind) == (name, kind)), None)
