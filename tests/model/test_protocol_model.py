"""The protocol withstands every order of events; and the check would see if not."""

import pytest

from tests.model.protocol_model import Fence, Rules, Trouble, explore

SOME = Trouble(kills=1, duplicates=1, wipes=1, stalls=1, cancels=0)  # enough to see
NO_FENCE = Rules(fence=Fence.NOTHING)
NO_OUTBOX = Rules(outbox=False, janitor=False)


def test_nothing_is_lost_and_nothing_is_done_twice():
    report = explore(Rules())

    assert report.harm == {}
    assert report.states > 50_000, "the search did not go through what can happen"


@pytest.mark.parametrize(
    ("rules", "harm", "last_step"),
    [
        (Rules(fence=Fence.STATE), "committed by a former owner", "commits late"),
        (Rules(fence=Fence.STATE), "given back by a former owner", "gives back late"),
        (NO_FENCE, "committed twice", "worker 1 commits"),
        (NO_FENCE, "committed by a former owner", "commits late"),
        (NO_OUTBOX, "the job is lost", "accept, crash before sending"),
        (Rules(rescue=False), "the job is lost", "is killed"),
        (Rules(janitor=False), "the job is lost", "wipe"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_protocol_with_a_part_missing_is_seen_to_fail(rules, harm, last_step):
    report = explore(rules, SOME)

    assert harm in report.harm
    assert report.harm[harm].endswith(last_step)


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        (Rules(fence=Fence.STATE), "stalls"),
        (NO_FENCE, "stalls"),
        (Rules(rescue=False), "kills"),
        (Rules(janitor=False), "wipes"),
    ],
    ids=["fence-by-state", "no-fence", "no-rescue", "no-janitor"],
)
def test_it_is_the_fault_that_brings_it_to_light(rules, fault):
    assert explore(rules, SOME._replace(**{fault: 0})).harm == {}
