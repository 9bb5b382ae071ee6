"""What may be spent on outside services in one day, kept by the database for all.

Before a paid call its highest cost is set aside by one statement that fails beyond the
limit, so any number of processes together stay within it. When the answer is saved, the
real cost takes its place. A process that dies in between leaves it set aside for that
day: the call may have been charged. Days are those of UTC, by the database's clock.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from common.errors import BudgetExhausted, BudgetRefused
from common.ids import new_id
from common.usage import Estimate

# A bill comes within a month; older days are in the ledger as well.
_DAYS_KEPT = 90

_TODAY = "(clock_timestamp() at time zone 'utc')::date"

_RESERVE = text(f"""
with taken as (
  insert into budget_days (day, usd_micros) values ({_TODAY}, :amount)
  on conflict (day) do update set usd_micros = budget_days.usd_micros + :amount
   where budget_days.usd_micros + :amount <= :most
  returning day)
insert into budget_reservations (id, day, usd_micros)
select :id, day, cast(:amount as bigint) from taken returning id
""")  # noqa: S608 - made of our own words

_LEFT_OF_DAY = text(f"""
select extract(epoch from {_TODAY} + 1 - (clock_timestamp() at time zone 'utc'))
""")  # noqa: S608 - made of our own words

_END = text("""
delete from budget_reservations where id = :id returning day, usd_micros
""")

_CORRECT = text("""
update budget_days set usd_micros = usd_micros + :change where day = :day
""")

_SPEND = text(f"""
insert into budget_days (day, usd_micros) values ({_TODAY}, :amount)
on conflict (day) do update set usd_micros = budget_days.usd_micros + :amount
""")  # noqa: S608 - made of our own words

_SPENT = text(f"""
select coalesce(max(usd_micros), 0) from budget_days where day = {_TODAY}
""")  # noqa: S608 - made of our own words

_FORGET = text(f"""
with gone as (
  delete from budget_reservations where day < {_TODAY} - {_DAYS_KEPT})
delete from budget_days d where d.day < {_TODAY} - {_DAYS_KEPT} and not exists (
  select from budget_reservations r where r.day = d.day)
""")  # noqa: S608 - made of our own words


def reserve(session: Session, limit_usd: float | None, most: Estimate) -> UUID | None:
    """Set aside the most that a call may cost; to be committed before the call.

    The transaction should do nothing else: it holds the day until it ends.

    Args:
        session: of an open transaction.
        limit_usd: what may be spent in a day; None sets no limit and nothing aside.
        most: what the call may cost.

    Returns:
        The reservation, for ``settle`` or ``release``; None if none is needed.

    Raises:
        BudgetExhausted: not today any more.
        BudgetRefused: on no day: it alone exceeds the limit, or its price is unknown.
    """
    if limit_usd is None or most.usd_micros == 0:
        return None
    named = f"{most.provider}/{most.model}"
    if most.usd_micros is None:
        raise BudgetRefused(
            f"The price of {named} is not known, so it cannot be used while"
            " PEGASUS_DAILY_BUDGET_USD is set.",
            code="price_unknown",
        )
    limit = round(limit_usd * 1_000_000)
    if most.usd_micros > limit:
        raise BudgetRefused(
            f"One call of {named} may cost {_usd(most.usd_micros)}, more than the"
            f" budget of {_usd(limit)} a day."
        )
    reservation = new_id()
    values = {"id": reservation, "amount": most.usd_micros, "most": limit}
    if session.execute(_RESERVE, values).first() is None:
        raise BudgetExhausted(
            f"Today's budget of {_usd(limit)} is used up; it goes on at 00:00 UTC.",
            retry_after_seconds=float(session.execute(_LEFT_OF_DAY).scalar_one()),
        )
    return reservation


def settle(session: Session, reservation: UUID | None, usd_micros: int | None) -> None:
    """Count what a call did cost, in place of what was set aside for it.

    Belongs into the transaction that saves the answer. A cost of None leaves what was
    set aside as spent. Without a reservation, or with one that is gone, the cost is
    counted today.
    """
    ended = reservation and session.execute(_END, {"id": reservation}).first()
    if ended and usd_micros is not None:
        change = usd_micros - ended.usd_micros
        session.execute(_CORRECT, {"change": change, "day": ended.day})
    elif not ended and usd_micros:
        session.execute(_SPEND, {"amount": usd_micros})


def release(session: Session, reservation: UUID) -> None:
    """Give back what was set aside for a call that surely cost nothing.

    Twice is as good as once.
    """
    if ended := session.execute(_END, {"id": reservation}).first():
        session.execute(_CORRECT, {"change": -ended.usd_micros, "day": ended.day})


def spent_today(session: Session) -> int:
    """Return what was spent or is set aside today, in millionths of a dollar."""
    return int(session.execute(_SPENT).scalar_one())


def forget_old(session: Session) -> None:
    """Drop the days that nobody asks for any more."""
    session.execute(_FORGET)


def _usd(micros: int) -> str:
    """Return an amount for people: cents, or all digits of what is less."""
    return f"{micros / 1_000_000:.{2 if micros >= 10_000 else 6}f} US dollars"  # noqa: PLR2004 - a cent
