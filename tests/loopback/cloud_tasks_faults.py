"""What a queue may do wrong on order; shares are 0 to 1."""

import random
import threading
from dataclasses import dataclass, field
from typing import Any

OUTAGES = ("", "refuse", "hang", "lose_answer")


@dataclass
class Faults:
    """Read at each event, so that a change holds from then on.

    Args:
        duplicate: share of deliveries that are made twice at once.
        drop_ack: share of the worker's good answers that get lost.
        early: share of tasks that do not wait for their time.
        late: share of tasks that come ``late_seconds`` after their time.
        late_seconds: how late these are.
        code: what new tasks are refused with, as gRPC names it.
        outage: of new tasks: "refuse" them, "hang" on them without taking them, take
            them and "lose_answer"; none if empty.
        pause: nothing is delivered.
        seed: the same one draws the same lots.
    """

    duplicate: float = 0.0
    drop_ack: float = 0.0
    early: float = 0.0
    late: float = 0.0
    late_seconds: float = 2.0
    code: str = "UNAVAILABLE"
    outage: str = ""
    pause: bool = False
    seed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - a run can be repeated

    def drawn(self, name: str) -> bool:
        """Tell whether the fault ``name`` happens this time."""
        with self._lock:
            return self._random.random() < float(getattr(self, name))

    def change(self, wanted: dict[str, Any]) -> None:
        """Set some of them; an outage may be given as a switch, too.

        Raises:
            ValueError: there is no such fault.
        """
        for name, value in wanted.items():
            if name.startswith("_") or not hasattr(self, name) or name == "seed":
                raise ValueError(name)
            kind = type(getattr(self, name))
            setattr(self, name, _outage(value) if name == "outage" else kind(value))


def _outage(value: object) -> str:
    word = {True: "refuse", False: ""}.get(value) if isinstance(value, bool) else value
    if word not in OUTAGES:
        raise ValueError(f"outage {value}")
    return str(word)
