"""The protocol withstands every order of events; and the check would see if not."""

import pytest

from tests.model.protocol_model import Fence, Rules, explore


def test_nothing_is_lost_and_nothing_is_done_twice():
    report = explore(Rules())

    assert report.harm == {}
    assert report.states > 10_000, "the search did not go through what can happen"


@pytest.mark.parametrize(
    ("rules", "harm", "last_step"),
    [
        (Rules(fence=Fence.STATE), "committed by a former owner", "commits late"),
        (Rules(fence=Fence.NOTHING), "committed twice", "worker 1 commits"),
        (
            Rules(outbox=False, janitor=False),
            "the job is lost",
            "accept, crash before sending",
        ),
        (Rules(rescue=False), "the job is lost", "is killed"),
        (Rules(janitor=False), "the job is lost", "wipe"),
    ],
    ids=["fence-by-state", "no-fence", "no-outbox", "no-rescue", "no-janitor"],
)
def test_a_protocol_with_a_part_missing_is_seen_to_fail(rules, harm, last_step):
    report = explore(rules)

    assert harm in report.harm
    assert report.harm[harm].endswith(last_step)
