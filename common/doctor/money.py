"""Whether the budget of a day can be kept, and how much of it is left."""

from collections.abc import Iterable
from datetime import date

from sqlalchemy.exc import SQLAlchemyError

from common import budget
from common.db import reading
from common.deps import Deps
from common.doctor.finding import Finding
from common.doctor.models import InUse, in_use


def prices(deps: Deps, _today: date) -> Iterable[Finding]:
    """Tell which model has no price, and so cannot be kept within a budget."""
    for one in in_use(deps.settings):
        if one.model.price is None:
            yield _without_price(
                one, limited=deps.settings.daily_budget_usd is not None
            )


def _without_price(one: InUse, *, limited: bool) -> Finding:
    if limited:
        rule = "it is refused while PEGASUS_DAILY_BUDGET_USD is set"
        return Finding("problem", f"{one} has no known price: {rule}.")
    return Finding("note", f"{one} has no known price: its cost is not counted.")


def spending(deps: Deps, _today: date) -> Iterable[Finding]:
    """Tell what today has cost, by the database."""
    try:
        with reading(deps.db) as session:
            spent = budget.spent_today(session) / 1_000_000
    except SQLAlchemyError as exc:  # its text may hold the address: only its kind
        kind = type(exc).__name__
        yield Finding("note", f"What today has cost cannot be read ({kind}).")
        return
    limit = deps.settings.daily_budget_usd
    of_limit = "there is no limit" if limit is None else f"of {limit:.2f} at most"
    full = limit is not None and spent >= limit
    text = f"Today has cost {spent:.2f} US dollars; {of_limit}."
    yield Finding("problem" if full else "ok", text)
