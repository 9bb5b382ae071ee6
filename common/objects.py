"""Objects that must go: a durable list, so that no crash leaves a file behind.

Before an object is written whose row does not exist yet, it is doomed for a later
hour; the transaction that writes the row spares it. A transaction that makes an object
superfluous dooms it at once. The sweep removes what is due.
"""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common.models import DoomedObject

GRACE = timedelta(hours=24)  # longer than any job lives that may still spare it


def doom(session: Session, keys: Iterable[str], *, after: timedelta) -> None:
    """Have these objects removed once ``after`` has passed, unless they are spared."""
    rows = [
        {"object_key": key, "due_at": func.now() + after} for key in dict.fromkeys(keys)
    ]
    if not rows:
        return
    statement = insert(DoomedObject).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[DoomedObject.object_key],
            set_={"due_at": statement.excluded.due_at},
        )
    )


def spare(session: Session, keys: Iterable[str]) -> None:
    """Keep these objects: they have rows now."""
    session.execute(delete(DoomedObject).where(DoomedObject.object_key.in_(keys)))


def due(session: Session, *, limit: int) -> list[str]:
    """Return keys whose time has come and lock them for this transaction."""
    query = (
        select(DoomedObject.object_key)
        .where(DoomedObject.due_at <= func.now())
        .order_by(DoomedObject.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(query))
