"""What a call to an outside service may cost, what it used, and what it cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Units of one call. ``cost_usd_micros`` is None when the price is not known."""

    provider: str
    model: str
    audio_ms: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The most that one call may cost; ``usd_micros`` is None if nobody knows.

    It is 0 for what runs on our own machine.
    """

    provider: str
    model: str
    usd_micros: int | None
