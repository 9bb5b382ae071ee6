"""What goes wrong and when: drawn from a seed, so that a storm can be had again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.storm.machine import LEASE_SECONDS, SOLO, WORKERS
from tests.storm.notes import POINTS

_PAUSE_SECONDS = (0.4, 1.6)  # between two faults
_BETWEEN_RESTARTS = 30.0  # seconds, of the database
# The third blow to one job ends it. Whoever is struck once works in the solo lane from
# then on, so blows to that lane must be rarer than its turns.
_BETWEEN_SOLO = 30.0  # seconds
_SHARE_OF_SOLO = 0.2

# How often each is drawn, in relation to the others.
_KINDS = {
    "kill": 4.0,
    "kill at": 5.0,
    "freeze": 3.0,
    "freeze at": 6.0,
    "terminate": 2.0,
    "refuse tasks": 1.0,
    "hang on tasks": 1.0,
    "take tasks, say nothing": 1.0,
    "deliver nothing": 1.0,
    "forget tasks": 1.0,
    "restart database": 0.8,
    "kill api": 0.6,
    "break storage": 1.5,
}
_STORAGE = ("429", "503", "cut", "lost answer")


@dataclass(frozen=True)
class Fault:
    """One act. ``target`` is a worker, ``detail`` a point or a kind of storage fault.

    Args:
        after: seconds since the fault before.
        kind: one of the above.
        target: whom it befalls.
        detail: how.
        seconds: how long it lasts, where it does.
    """

    after: float
    kind: str
    target: str = ""
    detail: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        words = [self.kind, self.target, self.detail]
        lasting = f"for {self.seconds:.1f} s" if self.seconds else ""
        return " ".join(word for word in (*words, lasting) if word)


def faults(seed: int) -> Iterator[Fault]:
    """Yield faults without end, the same ones for the same seed."""
    drawn = random.Random(f"weather {seed}")
    since_restart = _BETWEEN_RESTARTS / 2
    since_solo = 0.0
    while True:
        after = drawn.uniform(*_PAUSE_SECONDS)
        [kind] = drawn.choices(list(_KINDS), list(_KINDS.values()))
        since_restart += after
        since_solo += after
        if kind == "restart database" and since_restart < _BETWEEN_RESTARTS:
            kind = "kill at"
        if kind == "restart database":
            since_restart = 0.0
        alone = since_solo > _BETWEEN_SOLO and drawn.random() < _SHARE_OF_SOLO
        fault = _drawn(drawn, after, kind, SOLO if alone else drawn.choice([*WORKERS]))
        if fault.target == SOLO:
            since_solo = 0.0
        yield fault


def _drawn(drawn: random.Random, after: float, kind: str, worker: str) -> Fault:
    """Draw all there is to draw, whatever the kind needs of it."""
    point = drawn.choice(POINTS)
    place = drawn.choice(("before_succeed", "after_provider", point))
    ill = drawn.choice(_STORAGE)
    a_while = drawn.uniform(0.5, 3) * LEASE_SECONDS
    too_long = drawn.uniform(1.2, 3) * LEASE_SECONDS
    short = drawn.uniform(1, 3)
    given: dict[str, tuple[str, str, float]] = {
        "kill": (worker, "", 0),
        "terminate": (worker, "", 0),
        "kill at": (worker, point, 0),
        "freeze": (worker, "", a_while),
        "freeze at": (worker, place, too_long),
        "break storage": ("", ill, short),
        "forget tasks": ("", "", 0),
        "restart database": ("", "", 0),
        "kill api": ("", "", 0),
    }
    target, detail, seconds = given.get(kind, ("", "", short))
    return Fault(after, kind, target, detail, seconds)
