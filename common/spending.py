"""Money is set aside before a paid call, and given back if the call was free."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from common import budget
from common.deps import Deps
from common.errors import ProviderError
from common.usage import Estimate


@contextmanager
def set_aside(deps: Deps, most: Estimate) -> Iterator[UUID | None]:
    """Hold the most that a call may cost while it is made.

    Yields the reservation, for ``budget.settle`` beside ``ledger.record``. If the call
    fails, the money is given back only where the provider surely charges nothing.

    Raises:
        BudgetExhausted: nothing was called; go on tomorrow.
        BudgetRefused: nothing was called, and never will be.
    """
    held = hold(deps, most)
    try:
        yield held
    except ProviderError as exc:
        give_back(deps, held, exc)
        raise


def hold(deps: Deps, most: Estimate) -> UUID | None:
    """Set aside what a call may cost; None where nothing has to be.

    Raises:
        BudgetExhausted: go on tomorrow.
        BudgetRefused: on no day.
    """
    limit_usd = deps.settings.daily_budget_usd
    if limit_usd is None:
        return None
    with deps.db.begin() as session:
        return budget.reserve(session, limit_usd, most)


def give_back(deps: Deps, held: UUID | None, failure: ProviderError) -> None:
    """Give back what was held for a call that failed, if it surely cost nothing."""
    if held is not None and not failure.may_cost:
        with deps.db.begin() as session:
            budget.release(session, held)
