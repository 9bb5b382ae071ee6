"""``python -m tests.storm``: break a whole Pegasus, then count what it broke."""

import argparse
import random
import signal
import sys

from tests.e2e.machine import new_home
from tests.storm.running import run
from tests.storm.storm import Plan

_CALM_SECONDS = 600  # waits between tries are drawn up to this long
_REST_SECONDS = 35  # a process that died holds its promises for 30


def main() -> int:
    """Return 0 if every invariant held."""
    plan = _plan()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    with new_home() as home:
        found = run(plan, home)
    return 1 if any(one.violations for one in found) else 0


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="scripts/storm", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="at least")
    parser.add_argument("--jobs", type=int, default=0, help="at least")
    parser.add_argument("--seed", type=int, help="any, unless given")
    parser.add_argument("--clients", type=int, default=16, help="at the same time")
    parser.add_argument("--pace", type=float, default=0.6, help="of faults; 1 a second")
    parser.add_argument("--pieces", type=int, default=6, help="of a recording")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    return Plan(
        seed=seed,
        seconds=given.seconds,
        jobs=given.jobs,
        clients=given.clients,
        most_pieces=given.pieces,
        calm_seconds=_CALM_SECONDS,
        rest_seconds=_REST_SECONDS,
        pace=given.pace,
    )


if __name__ == "__main__":
    sys.exit(main())
