"""Mend what a crash left behind. Called each minute; calling it more often is fine."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func

from common import budget, events, jobs, ledger, metrics, objects, uploads
from common.db import reading
from common.deps import Deps
from common.errors import AppError
from common.events import inbox
from common.models import IdempotencyKey, RateWindow
from common.wiz import guests, quotas
from worker_service import operations
from worker_service.handlers import fail_rescued

log = logging.getLogger(__name__)

LOST_AFTER_SECONDS = 600  # a due job without a task for so long has lost its task
_MOST_ROUNDS = 20  # of 50 tasks, 50 events or 100 objects; the rest waits a minute
_BATCH = 100
_REFUSED_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows one sweep mended."""

    rescued: int
    rung_again: int
    woken: int
    sent: int
    events_sent: int
    operations_ended: int
    uploads_ended: int
    objects_removed: int


def run(deps: Deps, *, lost_after_seconds: float = LOST_AFTER_SECONDS) -> Swept:
    """Rescue lapsed jobs, ring again for lost tasks, send, remove doomed objects."""
    _tell_age(deps)
    with deps.db.begin() as session:
        rescued = jobs.rescue(session)
        fail_rescued(session, rescued)
    with deps.db.begin() as session:
        woken = jobs.wake_parents(session)
    if woken:
        log.error("parents slept on", extra={"job_ids": [str(id_) for id_ in woken]})
    with deps.db.begin() as session:
        rung = jobs.janitor(session, lost_after_seconds=lost_after_seconds)
    _forget_expired(deps)
    swept = Swept(
        rescued=len(rescued),
        rung_again=len(rung),
        woken=len(woken),
        sent=_repeat(lambda: jobs.drain(deps.db, deps.queue.send)),
        events_sent=_repeat(lambda: events.drain(deps.db, deps.events.publish)),
        operations_ended=operations.end_unwanted(deps),
        uploads_ended=uploads.sweep(deps).abandoned,  # which dooms objects
        objects_removed=_remove_doomed(deps),
    )
    if any((swept.rescued, swept.rung_again, swept.woken)):
        log.info("swept", extra={"rescued": swept.rescued, "rung": swept.rung_again})
    return swept


def _tell_age(deps: Deps) -> None:
    """Log how long work has waited: an alert counts on this line, and on its lack."""
    with reading(deps.db) as session:
        seconds = metrics.oldest_due_seconds(session)
    log.info("queue", extra={"oldest_due_seconds": round(seconds, 3)})


def _forget_expired(deps: Deps) -> None:
    """Drop what has no meaning any more: windows, keys, messages, answers, days."""
    with deps.db.begin() as session:
        inbox.forget_old(session)
        ledger.forget_old(session)
        budget.forget_old(session)
        quotas.forget_old(session)
        guests.forget_old(session)
        for model in (RateWindow, IdempotencyKey):
            session.execute(
                delete(model).where(model.expires_at < func.clock_timestamp())
            )


def _repeat(drain: Callable[[], int]) -> int:
    total = 0
    for _ in range(_MOST_ROUNDS):
        sent = drain()
        total += sent
        if not sent:
            break
    return total


def _remove_doomed(deps: Deps) -> int:
    """Remove objects whose hour has come; a missing one counts as removed.

    One that storage refuses to remove waits an hour and holds up nobody.
    """
    total = 0
    for _ in range(_MOST_ROUNDS):
        with deps.db.begin() as session:
            keys = objects.due(session, limit=_BATCH)
        if not keys:
            break
        refused = [key for key in keys if not _removed(deps, key)]
        with deps.db.begin() as session:
            objects.spare(session, keys)
            objects.doom(session, refused, after=_REFUSED_AGAIN)
        total += len(keys) - len(refused)
    return total


def _removed(deps: Deps, key: str) -> bool:
    try:
        deps.storage.delete(key)
    except (AppError, OSError) as exc:
        log.warning("object not removed", extra={"error": str(exc)})
        return False
    return True
