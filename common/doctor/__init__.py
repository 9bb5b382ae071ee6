"""Says what is wrong, or soon will be, with Pegasus as it is configured here.

A new check is a function in a module of its own kind, and a row of ``CHECKS``.
"""

from collections.abc import Iterator
from datetime import date

from common.deps import Deps
from common.doctor.finding import Check, Finding
from common.doctor.models import keys, lifetimes, names
from common.doctor.money import prices, spending

CHECKS: dict[str, Check] = {
    "keys": keys,
    "models": names,
    "retirement": lifetimes,
    "prices": prices,
    "spending": spending,
}


def examine(deps: Deps, today: date) -> Iterator[tuple[str, Finding]]:
    """Yield what each check finds, in the order of the checks."""
    for name, check in CHECKS.items():
        for finding in check(deps, today):
            yield name, finding
