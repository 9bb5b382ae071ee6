"""What comes in: lectures that are drawn from the seed, and their recordings."""

import io
import random
import wave
from dataclasses import dataclass

import numpy as np

RATE = 16_000
_SPOKEN_SECONDS = 1.2
_PAUSE_SECONDS = 10.2  # a pause of ten seconds ends a piece
_QUIET, _LOUD = 3000, 9000  # noise of either is told apart by the provider

# Of each dozen of lectures so many, in an order that is drawn.
_DOZEN = {"plain": 5, "twice": 2, "replaced": 2, "short": 2, "poisoned": 1}


@dataclass(frozen=True)
class Lecture:
    """One lecture and what is done with it; drawn from the seed and its number."""

    number: int
    kind: str
    pieces: int
    seed: str

    @property
    def id(self) -> str:
        return f"storm-{self.number}-{self.kind}"

    @property
    def poisoned(self) -> bool:
        return self.kind == "poisoned"


def draw(seed: int, number: int, most_pieces: int) -> Lecture:
    """Return a lecture of this storm."""
    dozen, place = divmod(number - 1, 12)
    kinds = [kind for kind, times in _DOZEN.items() for _ in range(times)]
    random.Random(f"dozen {seed} {dozen}").shuffle(kinds)
    if dozen == 0:  # a short storm sees one of each, the one that takes longest first
        kinds.sort(key=_DOZEN.__getitem__)
        kinds = [*dict.fromkeys(kinds), *kinds[len(_DOZEN) :]]
    kind = kinds[place]
    drawn = random.Random(f"lecture {seed} {number}")
    pieces = 1 if kind == "short" else drawn.randint(2, most_pieces)
    return Lecture(number, kind, pieces, f"{seed} {number}")


def talk_of(lecture: Lecture, take: int) -> bytes:
    """Return a recording of bursts of noise with long pauses, unlike any other."""
    random_ = np.random.default_rng([*f"{lecture.seed} {take}".encode()])
    pause = np.zeros(int(RATE * _PAUSE_SECONDS), "<i2")
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        for number in range(lecture.pieces):
            loud = lecture.poisoned and number == 0
            size = int(RATE * _SPOKEN_SECONDS)
            noise = random_.normal(0, _LOUD if loud else _QUIET, size)
            file.writeframes(noise.clip(-32_000, 32_000).astype("<i2").tobytes())
            file.writeframes(pause.tobytes())
    return target.getvalue()


def form(fields: dict[str, str], file: bytes) -> tuple[dict[str, str], bytes]:
    """Return header and body of an upload."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    name = 'form-data; name="audio"; filename="talk.wav"\r\n\r\n'
    parts.append(f"--b\r\nContent-Disposition: {name}")
    body = "".join(parts).encode() + file + b"\r\n--b--\r\n"
    return {"Content-Type": "multipart/form-data; boundary=b"}, body
