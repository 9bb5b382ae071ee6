"""Runs checks: none holds up the others, whatever it meets."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from sqlalchemy.exc import SQLAlchemyError

from common.doctor.finding import Finding
from common.errors import AppError

# A part that is away is given up after 3 s or so, a bucket after 6 s of trying again.
MOST_SECONDS = 15.0

Tasks = Mapping[str, Callable[[], Iterable[Finding]]]


def run(
    tasks: Tasks, *, seconds: float = MOST_SECONDS
) -> Iterator[tuple[str, Finding]]:
    """Yield what each check finds, in order; each has so many seconds."""
    for name, task in tasks.items():
        for finding in _within(seconds, name, task):
            yield name, finding


def _within(
    seconds: float, name: str, task: Callable[[], Iterable[Finding]]
) -> list[Finding]:
    found: list[Finding] = []
    thread = threading.Thread(
        target=_collect, args=(task, found), name=f"check-{name}", daemon=True
    )
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        text = f"This check has no answer after {seconds:.0f} s: what it asks hangs."
        return [*found, Finding("problem", text)]
    return found


def _collect(task: Callable[[], Iterable[Finding]], found: list[Finding]) -> None:
    try:
        for finding in task():
            found.append(finding)  # noqa: PERF402 - what was found before it fails counts
    except (AppError, SQLAlchemyError, OSError, ValueError, ImportError) as exc:
        text = f"This check could not be finished ({type(exc).__name__})."
        found.append(Finding("problem", text))
