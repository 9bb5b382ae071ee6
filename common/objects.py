"""Objects that must go: a durable list, so that no crash leaves a file behind.

Before an object is written whose row does not exist yet, it is doomed for a later
hour; the transaction that writes the row spares it. A transaction that makes an object
superfluous dooms it at once. The sweep removes what is due.
"""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import Interval, Text, bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from common.models import DoomedObject

# However many there are, they are one value: those of a course are tens of thousands.
_DOOM = text("""
insert into doomed_objects (object_key, due_at)
select distinct key, now() + :after from unnest(:keys) key
on conflict (object_key) do update set due_at = excluded.due_at
""").bindparams(
    bindparam("keys", type_=ARRAY(Text)), bindparam("after", type_=Interval)
)

GRACE = timedelta(hours=24)  # longer than any job lives that may still spare it


def doom(session: Session, keys: Iterable[str], *, after: timedelta) -> None:
    """Have these objects removed once ``after`` has passed, unless they are spared."""
    if listed := list(keys):
        session.execute(_DOOM, {"keys": listed, "after": after})


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
