"""How many questions somebody may ask in a day, counted so that no race gets one more.

Days are those of UTC, by the database's clock.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from common.errors import AppError

_TODAY = "(clock_timestamp() at time zone 'utc')::date"
_LEFT = f"extract(epoch from {_TODAY} + 1 - (clock_timestamp() at time zone 'utc'))"

# One statement decides, and its row is locked until it is committed.
_TAKE = text(f"""
insert into chat_quotas as q (owner, day, used) values (:owner, {_TODAY}, 1)
on conflict (owner, day) do update set used = q.used + 1 where q.used < :most
returning day
""")  # noqa: S608 - made of our own words

_FULL = text(f"""
select owner from chat_quotas
 where day = {_TODAY} and owner = :owner and used >= :most
""")  # noqa: S608 - made of our own words

_RESET = text(f"select {_LEFT}")

_GIVE_BACK = text("""
update chat_quotas set used = used - 1
 where owner = :owner and day = :day and used > 0
""")

_FORGET = text(f"delete from chat_quotas where day < {_TODAY}")  # noqa: S608 - as above


class DailyLimit(AppError):
    """Daily limit reached."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, reset_in_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds: float = reset_in_seconds
        self.details = {"reset_in_seconds": reset_in_seconds}


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whose questions are counted, how many a day, and what is said beyond them."""

    owner: str
    most: int
    refusal: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A question that was counted, so that it can be given back."""

    owners: tuple[str, ...]
    day: date


def require(session: Session, allowances: Sequence[Allowance]) -> None:
    """Count nothing, but refuse whoever has asked enough today.

    Raises:
        DailyLimit: with the time until the next day.
    """
    for one in allowances:
        asked = {"owner": one.owner, "most": one.most}
        if session.execute(_FULL, asked).first() is not None:
            raise _limit(session, one)


def take(session: Session, allowances: Sequence[Allowance]) -> Taken:
    """Count one question against all of these, or against none.

    Raises:
        DailyLimit: the transaction must not be committed.
    """
    days = []
    for one in allowances:
        taken = session.execute(_TAKE, {"owner": one.owner, "most": one.most}).first()
        if taken is None:
            raise _limit(session, one)
        days.append(taken.day)
    return Taken(tuple(one.owner for one in allowances), days[0])


def give_back(session: Session, taken: Taken) -> None:
    """Count a question no more: it was not answered."""
    for owner in taken.owners:
        session.execute(_GIVE_BACK, {"owner": owner, "day": taken.day})


def forget_old(session: Session) -> None:
    """Drop the counts of days that are over."""
    session.execute(_FORGET)


def _limit(session: Session, allowance: Allowance) -> DailyLimit:
    left = float(session.execute(_RESET).scalar_one())
    return DailyLimit(allowance.refusal, max(1, math.floor(left)))
