"""Says what is wrong, or soon will be, with Pegasus as it is configured here.

A new check is a function in a module of its own kind, and a row of ``PARTS`` if it asks
something that runs, else of ``CONFIGURATION``.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial

from common.deps import Deps
from common.doctor.bounded import Tasks, run
from common.doctor.clocks import api_clock, database_clock
from common.doctor.database import reachable, rights
from common.doctor.finding import Check, Finding
from common.doctor.models import keys, lifetimes, names
from common.doctor.money import prices, spending
from common.doctor.schedules import retention, sweep
from common.doctor.services import api, queue, ring, worker
from common.doctor.storage import usable

CONFIGURATION: Mapping[str, Check] = {
    "keys": keys,
    "models": names,
    "retirement": lifetimes,
    "prices": prices,
}
PARTS: Mapping[str, Check] = {
    "database": reachable,
    "rights": rights,
    "storage": usable,
    "queue": queue,
    "worker": worker,
    "secret": ring,
    "api": api,
    "clock": database_clock,
    "api clock": api_clock,
    "sweep": sweep,
    "retention": retention,
    "spending": spending,
}
CHECKS: Mapping[str, Check] = {**CONFIGURATION, **PARTS}


def examine(
    deps: Deps, today: date, checks: Mapping[str, Check] = CHECKS
) -> Iterator[tuple[str, Finding]]:
    """Yield what each check finds, in the order of the checks."""
    return run(tasks(deps, today, checks))


def tasks(deps: Deps, today: date, checks: Mapping[str, Check]) -> Tasks:
    """Return the checks, ready to be run."""
    return {name: partial(check, deps, today) for name, check in checks.items()}
