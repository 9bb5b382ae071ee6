"""What workers tell the storm: orders that wait for them, and notes that outlive them.

An order is a file that names a worker and a point of its way through a job; the worker
that gets there carries it out, once. A note is one line, written by one call, so that
it is whole although the writer is killed by the next one.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_now = time.time  # kept: a worker's clock may be moved

POINTS = (
    "after_claim",
    "after_provider",
    "before_succeed",
    "before_commit",
    "after_commit",
    "before_ack",
)


@dataclass(frozen=True)
class Notes:
    """The folder that the storm and its workers share."""

    folder: Path

    def order(self, worker: str, point: str, action: str) -> None:
        """Have the worker do ``kill`` or ``stop SECONDS`` when it gets to the point."""
        file = self.folder / f"{worker}.{point}"
        part = file.with_suffix(".part")
        part.write_text(action)
        part.rename(file)

    def take_order(self, worker: str, point: str) -> str | None:
        """Return the order for this point; of two that ask at once one gets it."""
        file = self.folder / f"{worker}.{point}"
        mine = file.with_name(f"{file.name}.{os.getpid()}.{time.monotonic_ns()}")
        try:
            file.rename(mine)
        except FileNotFoundError:
            return None
        action = mine.read_text()
        mine.unlink()
        return action

    def forget_orders(self) -> None:
        for point in POINTS:
            for file in self.folder.glob(f"*.{point}"):
                file.unlink(missing_ok=True)

    def write(self, event: str, **about: object) -> None:
        line = json.dumps({"event": event, "at": _now()} | about, default=str) + "\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(self.folder / "notes.jsonl", flags, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def read(self) -> Iterator[dict[str, Any]]:
        file = self.folder / "notes.jsonl"
        if file.exists():
            yield from map(json.loads, file.read_text().splitlines())
