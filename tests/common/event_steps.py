"""The steps that tests of events are told in."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import text

from common import events
from common.db import Db
from common.errors import ProviderUnavailable
from common.events import CourseDeleted, Event
from common.models import EventOutbox


def fact(name: str = "c1", number: int = 0) -> CourseDeleted:
    """Return a small fact about a course; ``number`` tells it from others."""
    return CourseDeleted(course_id=name, lectures=number, purge_storage=False)


def emit(db: Db, name: str = "c1", *numbers: int) -> None:
    """Emit facts of one course, each in a transaction of its own."""
    for number in numbers or (0,):
        with db.begin() as session:
            events.emit(session, fact(name, number))


def outbox(db: Db) -> list[EventOutbox]:
    with db.begin() as session:
        return session.query(EventOutbox).order_by(EventOutbox.id).all()


def told(sent: Iterable[Event]) -> list[tuple[str, int]]:
    """Return what was sent, as it was emitted."""
    return [(e.data["course_id"], e.data["lectures"]) for e in sent]


def understood(sent: Iterable[Event]) -> dict[str, list[int]]:
    """Return what a receiver understands that drops what it has, by subject."""
    once = {event.id: event for event in sent}  # the place is that of the first
    found = defaultdict(list)
    for name, number in told(once.values()):
        found[name].append(number)
    return dict(found)


def refuse(_event: Event) -> None:
    raise ProviderUnavailable("Pub/Sub is away.")


def let_locks_lapse(db: Db, seconds: float = 61) -> None:
    """Shift all locks into the past by so much."""
    with db.begin() as session:
        session.execute(
            text(
                "update event_outbox"
                " set locked_until = locked_until - make_interval(secs => :by)"
                " where locked_until > '-infinity'"
            ),
            {"by": seconds},
        )
