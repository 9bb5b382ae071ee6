"""What a call to an outside service used, and what it cost."""

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
