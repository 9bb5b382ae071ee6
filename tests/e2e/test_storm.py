"""A short storm over everything; ``scripts/storm`` makes long ones."""

import random

from tests.storm.running import run
from tests.storm.storm import Plan


def test_a_storm_loses_nothing_and_does_nothing_twice(home):
    plan = Plan(
        seed=random.SystemRandom().randrange(10**6),
        seconds=12,
        jobs=0,
        clients=6,
        most_pieces=3,
        calm_seconds=120,
        rest_seconds=0,
        hurry=True,
    )

    found = run(plan, home)

    assert {one.name: one.violations for one in found if one.violations} == {}
    assert {one.number for one in found if one.of} >= {"1", "2", "3", "4", "6", "8"}
