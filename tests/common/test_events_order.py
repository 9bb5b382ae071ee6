"""Whatever happens while events are sent, each subject is understood in order."""

import random
from collections import defaultdict

import pytest

from common import events
from common.errors import ProviderUnavailable
from common.events import Event
from tests.common.event_steps import emit, let_locks_lapse, outbox, understood
from tests.common.job_steps import together

SUBJECTS = [f"c{n}" for n in range(10)]


def drain_until_empty(db, publish):
    while outbox(db):
        if not events.drain(db, publish, limit=7):
            let_locks_lapse(db)


def test_four_drainers_keep_the_order_of_each_subject(committed_db):
    for number in range(20):
        for name in SUBJECTS:
            emit(committed_db, name, number)
    sent: list[Event] = []

    together(*[lambda: drain_until_empty(committed_db, sent.append)] * 4)

    assert understood(sent) == {name: list(range(20)) for name in SUBJECTS}


def test_so_they_do_while_events_are_still_emitted(committed_db):
    sent: list[Event] = []

    def emit_all(names):
        for number in range(20):
            for name in names:
                emit(committed_db, name, number)

    def drain_often():
        for _ in range(30):
            events.drain(committed_db, sent.append, limit=7)

    writers = [lambda n=n: emit_all(SUBJECTS[n::2]) for n in range(2)]
    together(*writers, *[drain_often] * 4)
    drain_until_empty(committed_db, sent.append)

    assert understood(sent) == {name: list(range(20)) for name in SUBJECTS}
    assert len({event.id for event in sent}) == 200


class World:
    """Emits, sends, fails, dies and lets time pass, in any order."""

    def __init__(self, db, seed):
        self.db = db
        self.random = random.Random(seed)  # noqa: S311 - not for secrets
        self.emitted = defaultdict(list)
        self.sent = []

    def emit(self):
        name = self.random.choice(SUBJECTS[:4])
        number = len(self.emitted[name])
        emit(self.db, name, number)
        self.emitted[name].append(number)

    def drain(self):
        try:
            events.drain(self.db, self.publish, limit=self.random.randint(1, 6))
        except KeyboardInterrupt:
            return

    def wait(self):
        let_locks_lapse(self.db, self.random.choice([1, 5, 61]))

    def publish(self, event):
        """Take the event, or not; the answer may be lost, and we may die."""
        luck = self.random.random()
        if luck > 0.1:
            self.sent.append(event)
        if luck < 0.2:
            raise ProviderUnavailable
        if luck < 0.3:
            raise KeyboardInterrupt
        if luck < 0.4:
            self.drain()  # another instance, at the same moment
        if luck < 0.5:
            self.wait()  # we were slow, and our locks have lapsed


@pytest.mark.parametrize("seed", range(25))
def test_so_they_do_whatever_fails(committed_db, seed):
    world = World(committed_db, seed)
    steps = [world.emit, world.emit, world.drain, world.wait]
    for _ in range(40):
        world.random.choice(steps)()

    drain_until_empty(committed_db, world.sent.append)

    assert understood(world.sent) == dict(world.emitted)
