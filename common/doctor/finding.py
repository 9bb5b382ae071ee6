"""What an examination finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from common.deps import Deps

Level = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the report: a ``problem`` asks somebody to act, a ``note`` does not."""

    level: Level
    text: str


Check = Callable[[Deps, date], Iterable[Finding]]
"""Looks at one thing, on a day, and raises nothing for what is wrong with it."""
