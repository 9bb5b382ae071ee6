"""Messages come at least once; their effect happens once.

A key is who sent a message and what it is called there; one message may have several.
Where the effect is rows, ``note`` is called in its transaction, and a copy that arrives
meanwhile waits for the end of it. Where the effect is more, it must bear being
repeated: then ``seen`` is asked before it, and ``note`` called after it.
"""

from datetime import timedelta

from sqlalchemy import Text, bindparam, delete, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from common.models import InboxMessage

Key = tuple[str, str]  # source, message id

_KEPT = timedelta(days=14)  # Pub/Sub keeps 7 days, and 7 more on a dead-letter topic

_NOTE = text("""
insert into inbox (source, message_id)
select * from unnest(:sources, :ids) as k (source, message_id) order by 1, 2
on conflict do nothing returning message_id
""").bindparams(
    bindparam("sources", type_=ARRAY(Text)), bindparam("ids", type_=ARRAY(Text))
)


def note(session: Session, *keys: Key) -> bool:
    """Note that a message had its effect; False if any of its keys was known."""
    values = {"sources": [key[0] for key in keys], "ids": [key[1] for key in keys]}
    return len(session.execute(_NOTE, values).all()) == len(keys)


def seen(session: Session, *keys: Key) -> bool:
    """Return whether any of the keys is known."""
    known = tuple_(InboxMessage.source, InboxMessage.message_id).in_(keys)
    return session.scalar(select(InboxMessage.source).where(known).limit(1)) is not None


def forget_old(session: Session) -> None:
    """Drop what is older than any copy can be."""
    old = InboxMessage.received_at < func.now() - _KEPT
    session.execute(delete(InboxMessage).where(old))
