"""Writes that a client has named: done once, answered alike each time.

The answer is saved in the transaction that has the effect, so there is no moment at
which one exists without the other. A second call with the key waits for the first.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from flask import request
from sqlalchemy import Select, delete, func, select, text, update
from sqlalchemy.orm import Session

from api_service.context import deps
from common.errors import BadRequest, Conflict
from common.models import IdempotencyKey

_LOCK_SECONDS = 900  # longer than any upload takes; then the caller counts as dead
_WAIT_SECONDS = 30.0  # for the first call to be answered
_LOOK_SECONDS = 0.05
_LONGEST_KEY = 200

# Takes the key if it is new, has expired, or its first caller died; no row: somebody
# else has it.
_BEGIN = text("""
insert into idempotency_keys as k
       (scope, key, fingerprint, locked_until, expires_at)
values (:scope, :key, :fingerprint,
        clock_timestamp() + make_interval(secs => :lock),
        clock_timestamp() + make_interval(secs => :lock + :ttl))
on conflict (scope, key) do update
   set fingerprint = excluded.fingerprint, locked_until = excluded.locked_until,
       expires_at = excluded.expires_at, answer = null, created_at = clock_timestamp()
 where k.expires_at <= clock_timestamp()
    or (k.answer is null and k.locked_until < clock_timestamp())
returning key
""")


class InProgress(Conflict):
    """A request with this Idempotency-Key is still being worked on."""

    code = "idempotency_in_progress"
    retry_after_seconds = 1.0


@dataclass
class Attempt:
    """One call. ``answer`` is set when an earlier call was answered already."""

    scope: str
    key: str | None
    answer: dict[str, Any] | None = None

    def save(self, session: Session, answer: Mapping[str, Any]) -> None:
        """Keep the answer, in the transaction that has the effect."""
        if self.key is None:
            return
        lifetime = text("make_interval(secs => :ttl)").bindparams(
            ttl=deps().settings.idempotency_ttl_sec
        )
        session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.scope == self.scope, IdempotencyKey.key == self.key)
            .values(answer=dict(answer), expires_at=func.clock_timestamp() + lifetime)
        )
        self.answer = dict(answer)


@contextmanager
def attempt(scope: str, fingerprint: Mapping[str, object]) -> Iterator[Attempt]:
    """Begin a write that may have been made before.

    Leaving the block without a saved answer gives the key back: errors are never
    replayed.

    Args:
        scope: the operation; keys of different operations do not meet.
        fingerprint: what makes two requests the same.

    Raises:
        Conflict: the key was used for another request.
        InProgress: the first call takes too long.
    """
    key = _key()
    found = Attempt(scope, key)
    if key is not None:
        found.answer = _begin(scope, key, _hash(fingerprint))
    replayed = found.answer is not None
    try:
        yield found
    finally:
        if key is not None and not replayed and found.answer is None:
            _give_back(scope, key)


def _key() -> str | None:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > _LONGEST_KEY:
        raise BadRequest(f"Idempotency-Key has more than {_LONGEST_KEY} characters.")
    return key or None


def _hash(fingerprint: Mapping[str, object]) -> str:
    return sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()


def _begin(scope: str, key: str, fingerprint: str) -> dict[str, Any] | None:
    """Take the key and return None, or return the answer that it already has."""
    values = {
        "scope": scope,
        "key": key,
        "fingerprint": fingerprint,
        "lock": _LOCK_SECONDS,
        "ttl": deps().settings.idempotency_ttl_sec,
    }
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        with deps().db.begin() as session:
            if session.execute(_BEGIN, values).first() is not None:
                return None
            row = session.execute(_row(scope, key)).first()
        if row is not None:
            if row.fingerprint != fingerprint:
                raise Conflict(
                    "Idempotency-Key reuse with different request payload.",
                    code="idempotency_key_reused",
                )
            if row.answer is not None:
                return dict(row.answer)
        if time.monotonic() > deadline:
            raise InProgress
        time.sleep(_LOOK_SECONDS)  # no connection is held meanwhile


def _row(scope: str, key: str) -> Select[str, dict[str, Any] | None]:
    return select(IdempotencyKey.fingerprint, IdempotencyKey.answer).where(
        IdempotencyKey.scope == scope, IdempotencyKey.key == key
    )


def _give_back(scope: str, key: str) -> None:
    with deps().db.begin() as session:
        session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.scope == scope,
                IdempotencyKey.key == key,
                IdempotencyKey.answer.is_(None),
            )
        )
