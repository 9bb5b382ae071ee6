"""What goes wrong on order."""

import random
import threading
from dataclasses import dataclass, replace


@dataclass
class Fault:
    """One kind of trouble for requests that it fits.

    Args:
        status: answer with this instead.
        cut_after: hang up after so many bytes of the body, sent or received.
        damage: change a byte of the body on its way, sent or received.
        lose_answer: do what is asked, then hang up.
        method: only such requests; any, if empty.
        on: only where this stands in path or query.
        times: how often; None is for ever.
        share: how many of the requests that fit, 0 to 1.
    """

    status: int | None = None
    cut_after: int | None = None
    damage: bool = False
    lose_answer: bool = False
    method: str = ""
    on: str = ""
    times: int | None = 1
    share: float = 1.0


class Faults:
    """A list that is asked before each answer; the first that fits is used."""

    def __init__(self, seed: int = 0) -> None:
        self._listed: list[Fault] = []
        self._random = random.Random(seed)  # noqa: S311 - so that a run can be repeated
        self._lock = threading.Lock()
        self.happened = 0

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._listed += faults

    def clear(self) -> None:
        with self._lock:
            self._listed.clear()

    def next(self, method: str, address: str) -> Fault:
        """Return what befalls this request; nothing does if it is empty."""
        with self._lock:
            for fault in self._listed:
                fits = fault.method in ("", method) and fault.on in address
                if fits and self._random.random() < fault.share:
                    self._use(fault)
                    return replace(fault)  # the server notes in it how far it is
        return Fault()

    def _use(self, fault: Fault) -> None:
        self.happened += 1
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times <= 0:
            self._listed.remove(fault)
