"""One file that was made to do harm, and what must become of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Make = Callable[[random.Random], bytes]

# A listener stands here while the corpus is sent; ``corpus`` puts its port in.
_PORT = b":00009/"
NOBODY = "http://127.0.0.1:00009/playlist-was-followed.wav"


class Fate(StrEnum):
    """What the front door may say of a file."""

    REFUSED = "refused"  # it is certainly no recording and no document
    TAKEN = "taken"  # or refused: there may be sound or text in it, if not all of it


@dataclass(frozen=True)
class Bad:
    """A file by its label; ``make`` is given dice that fall alike on every run."""

    label: str
    make: Make
    fate: Fate = Fate.REFUSED
    filename: str = ""  # as the client calls it; the label unless it says another
    content_type: str = ""

    @property
    def name(self) -> str:
        return self.filename or self.label

    @property
    def said_type(self) -> str:
        pdf = self.name.endswith(".pdf")
        return self.content_type or ("application/pdf" if pdf else "audio/mpeg")

    def body(self, seed: int, listener_port: int = 9) -> bytes:
        made = self.make(random.Random(f"{seed} {self.label}"))  # noqa: S311
        return made.replace(_PORT, b":%05d/" % listener_port)


def same(body: bytes) -> Make:
    """Return a maker of these bytes."""
    return lambda _dice: body


def refused(**makers: Make) -> tuple[Bad, ...]:
    """Return files that must be refused; ``a__wav`` stands for ``a.wav``."""
    return tuple(Bad(_label(key), make) for key, make in makers.items())


def taken(**makers: Make) -> tuple[Bad, ...]:
    """Return files that may be taken, labelled as ``refused`` does."""
    return tuple(Bad(_label(key), make, Fate.TAKEN) for key, make in makers.items())


def _label(key: str) -> str:
    return key.replace("__", ".").replace("_", "-")
