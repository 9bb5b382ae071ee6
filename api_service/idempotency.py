"""Writes that a client has named: done once, answered alike each time.

The answer is saved in the transaction that has the effect, so there is no moment at
which one exists without the other. A second call with the key waits for the first.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from flask import request
from sqlalchemy import Row, delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from api_service.context import deps, reading
from api_service.people.callers import caller
from common.errors import BadRequest, Conflict
from common.models import IdempotencyKey

_LOCK_SECONDS = 900  # longer than storing any upload takes; then its caller is dead
_WAIT_SECONDS = 30.0  # for the first call to be answered
_LOOK_SECONDS = 0.05
_LONGEST_KEY = 200

# Takes the key if it is new, has expired, or its first caller died; no row: somebody
# else has it.
_TAKE = text("""
insert into idempotency_keys as k
       (scope, key, fingerprint, locked_until, expires_at)
values (:scope, :key, :fingerprint,
        clock_timestamp() + make_interval(secs => :lock),
        clock_timestamp() + make_interval(secs => :life))
on conflict (scope, key) do update
   set fingerprint = excluded.fingerprint, locked_until = excluded.locked_until,
       expires_at = excluded.expires_at, answer = null, created_at = clock_timestamp()
 where k.expires_at <= clock_timestamp()
    or (k.answer is null and k.locked_until < clock_timestamp())
returning locked_until
""")


class InProgress(Conflict):
    """A request with this Idempotency-Key is still being worked on."""

    code = "idempotency_in_progress"
    retry_after_seconds = 1.0


@dataclass
class Attempt:
    """One call. ``answer`` is set when an earlier call was answered already.

    ``locked_until`` is when ours ends to be the one; as no two tries end at the same
    moment, it is also what tells them apart.
    """

    scope: str
    key: str | None
    answer: dict[str, Any] | None = None
    locked_until: datetime | None = None

    def save(self, session: Session, answer: Mapping[str, Any]) -> None:
        """Keep the answer, in the transaction that has the effect.

        Raises:
            InProgress: we took so long that another call has taken our place.
        """
        if self.key is None:
            return
        lifetime = text("make_interval(secs => :ttl)").bindparams(
            ttl=deps().settings.idempotency_ttl_sec
        )
        saved = session.execute(
            update(IdempotencyKey)
            .where(*_ours(self))
            .values(
                answer=json.dumps(dict(answer)),
                expires_at=func.clock_timestamp() + lifetime,
            )
            .returning(IdempotencyKey.key)
        )
        if saved.first() is None:
            raise InProgress
        self.answer = dict(answer)


@contextmanager
def attempt(
    scope: str, fingerprint: Mapping[str, object], *, seconds: float = _LOCK_SECONDS
) -> Iterator[Attempt]:
    """Begin a write that may have been made before.

    Leaving the block without a saved answer gives the key back: errors are never
    replayed.

    Args:
        scope: the operation; keys of different operations do not meet, nor do those
            of different people.
        fingerprint: what makes two requests the same.
        seconds: how long this may take; after that another call may take its place,
            and ``save`` refuses.

    Raises:
        Conflict: the key was used for another request.
        InProgress: the first call takes too long.
    """
    found = Attempt(_of_caller(scope), _key())
    if found.key is not None:
        found.answer = _earlier_answer(found, _hash(fingerprint), seconds)
    kept = False
    try:
        yield found
        kept = found.answer is not None
    finally:
        if found.locked_until is not None and not kept:
            _give_back(found)


def _of_caller(scope: str) -> str:
    user_id = caller().user_id
    return scope if user_id is None else f"{scope}:user:{user_id}"


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > _LONGEST_KEY:
        raise BadRequest(f"Idempotency-Key has more than {_LONGEST_KEY} characters.")
    return key or None


def _hash(fingerprint: Mapping[str, object]) -> str:
    return sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()


def _earlier_answer(
    found: Attempt, fingerprint: str, seconds: float
) -> dict[str, Any] | None:
    """Return the answer that the key has already, or take the key and return None."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not _taken(found, fingerprint, seconds):
        while (row := _row(found)) is not None and not row.free:
            if row.fingerprint != fingerprint:
                raise Conflict(
                    "Idempotency-Key reuse with different request payload.",
                    code="idempotency_key_reused",
                )
            if row.answer is not None:
                answer: dict[str, Any] = json.loads(row.answer)
                return answer
            if time.monotonic() > deadline:
                raise InProgress
            time.sleep(_LOOK_SECONDS)  # no connection is held meanwhile
    return None


def _taken(found: Attempt, fingerprint: str, seconds: float) -> bool:
    values = {
        "scope": found.scope,
        "key": found.key,
        "fingerprint": fingerprint,
        "lock": seconds,
        "life": seconds + deps().settings.idempotency_ttl_sec,
    }
    with deps().db.begin() as session:
        found.locked_until = session.execute(_TAKE, values).scalar()
    return found.locked_until is not None


def _row(found: Attempt) -> Row[str, str | None, bool] | None:
    now = func.clock_timestamp()
    lapsed = IdempotencyKey.answer.is_(None) & (IdempotencyKey.locked_until < now)
    query = select(
        IdempotencyKey.fingerprint,
        IdempotencyKey.answer,
        or_(IdempotencyKey.expires_at <= now, lapsed).label("free"),
    ).where(IdempotencyKey.scope == found.scope, IdempotencyKey.key == found.key)
    with reading() as session:
        return session.execute(query).first()


def _ours(found: Attempt) -> tuple[Any, ...]:
    """Return what is true of the key's row as long as nobody took our place."""
    return (
        IdempotencyKey.scope == found.scope,
        IdempotencyKey.key == found.key,
        IdempotencyKey.locked_until == found.locked_until,
        IdempotencyKey.answer.is_(None),
    )


def _give_back(found: Attempt) -> None:
    with deps().db.begin() as session:
        session.execute(delete(IdempotencyKey).where(*_ours(found)))
