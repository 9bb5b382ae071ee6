"""Events are promised with what they tell of, and sent afterwards, in order.

Of one subject, ids follow the order of the commits (``emit`` sees to it), and whoever
sends an event has just sent all earlier ones that were unsent. So a receiver that drops
what it has sees each subject in order, whatever crashed or was slow meanwhile; locks
only keep two senders from doing the same work.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from common.db import Db
from common.errors import ProviderError
from common.events.event import Event
from common.events.facts import Fact
from common.ids import new_id

log = logging.getLogger(__name__)

# A number is drawn while the subject is locked until the transaction ends; so a later
# event cannot be seen before an earlier one. The locks are few, because each takes a
# place in memory that all transactions share and a course may have any number of
# lectures; and sorted, because two transactions may emit for the same subjects. Of the
# advisory locks with two numbers, 1 is ours.
_EMIT = text("""
with given as (
  select * from unnest(:ids, :types, cast(:versions as integer[]), :subjects, :data)
    with ordinality as g (event_id, type, version, subject, data, place)),
bucket as (
  select distinct hashtext(subject) & 255 as number from given order by number),
locked as materialized (
  select number, pg_advisory_xact_lock(1, number) from bucket)
insert into event_outbox (event_id, type, version, subject, data)
select g.event_id, g.type, g.version, g.subject, cast(g.data as jsonb)
  from given g join locked on locked.number = hashtext(g.subject) & 255
 order by g.place
""").bindparams(
    bindparam("ids", type_=ARRAY(Uuid)),
    bindparam("types", type_=ARRAY(Text)),
    bindparam("subjects", type_=ARRAY(Text)),
    bindparam("data", type_=ARRAY(Text)),
)

# The oldest event of a subject carries the subject's lock.
_TAKE = text("""
with oldest as (
  select o.id, o.subject from event_outbox o
   where o.locked_until < now()
     and not exists (select 1 from event_outbox earlier
                      where earlier.subject = o.subject and earlier.id < o.id)
   order by o.id limit :limit for update of o skip locked),
batch as (
  select o.id from event_outbox o join oldest on oldest.subject = o.subject
   order by o.id limit :limit)
update event_outbox o set locked_until = now() + interval '60 seconds'
  from batch where o.id = batch.id
returning o.id, o.locked_until, o.event_id, o.type, o.version, o.subject,
          o.occurred_at, o.data
""")
_SENT = text("delete from event_outbox where id = any(:ids)")
_FAILED = text("""
update event_outbox
   set locked_until = now() + make_interval(secs => least(60, power(2, tries))),
       tries = tries + 1, last_error = :error
 where id = :id and locked_until = :locked_until
""")
_RELEASE = text("""
update event_outbox set locked_until = '-infinity'
 where id = any(:ids) and locked_until = :locked_until
""")

_MOST_FAILURES = 3  # then it is not the subjects; each may cost a deadline of 5 s
_SENDING_SECONDS = 30  # half of the lock: nobody else sends these meanwhile
_ERROR_CHARACTERS = 500  # what a person reads of it


@dataclass(frozen=True, slots=True)
class _Taken:
    """An event that is ours to send until ``locked_until``."""

    id: int
    locked_until: datetime
    event: Event


def emit(session: Session, *facts: Fact) -> None:
    """Promise events in the caller's transaction, in this order.

    It comes last in the transaction: until that ends, whoever emits for the same
    subjects waits, and one that locks rows meanwhile could wait for them in a circle.
    """
    if not facts:
        return
    values = {
        "ids": [new_id() for _ in facts],
        "types": [fact.type for fact in facts],
        "versions": [fact.version for fact in facts],
        "subjects": [fact.subject for fact in facts],
        "data": [json.dumps(fact.model_dump(mode="json")) for fact in facts],
    }
    session.execute(_EMIT, values)


def drain(db: Db, publish: Callable[[Event], None], *, limit: int = 50) -> int:
    """Send what was promised; return how many events were sent.

    At least once, and of each subject in order: after a failure the subject's later
    events wait, and those of others go on. No transaction is open while sending.
    """
    if not (batch := _take(db, limit)):
        return 0
    sent, errors = _send(batch, publish)
    _settle(db, batch, sent, errors)
    return len(sent)


def _take(db: Db, limit: int) -> list[_Taken]:
    with db.begin() as session:
        rows = session.execute(_TAKE, {"limit": limit})
        taken = [_Taken(row[0], row[1], Event(*row[2:])) for row in rows]
    return sorted(taken, key=lambda one: one.id)


def _send(
    batch: Sequence[_Taken], publish: Callable[[Event], None]
) -> tuple[list[int], dict[int, str]]:
    """Return the ids of what was sent, and why some was not."""
    ends = time.monotonic() + _SENDING_SECONDS
    sent: list[int] = []
    errors: dict[int, str] = {}
    stuck: set[str] = set()
    for one in batch:
        if one.event.subject in stuck:
            continue
        if len(errors) == _MOST_FAILURES or time.monotonic() > ends:
            break
        try:
            publish(one.event)
        except ProviderError as exc:
            log.warning("event not sent", extra={"event": one.event.type})
            errors[one.id] = str(exc)[:_ERROR_CHARACTERS]
            stuck.add(one.event.subject)
        else:
            sent.append(one.id)
    return sent, errors


def _settle(
    db: Db, batch: Sequence[_Taken], sent: Sequence[int], errors: dict[int, str]
) -> None:
    """Forget what was sent and let go of the rest, unless our lock had lapsed."""
    mine = {"locked_until": batch[0].locked_until}
    rest = [one.id for one in batch if one.id not in errors and one.id not in sent]
    with db.begin() as session:
        if sent:
            session.execute(_SENT, {"ids": list(sent)})
        for id_, error in errors.items():
            session.execute(_FAILED, {"id": id_, "error": error, **mine})
        if rest:
            session.execute(_RELEASE, {"ids": rest, **mine})
