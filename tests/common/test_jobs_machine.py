"""The statements of the job protocol against a model of them, in any order.

The model is a few dictionaries and knows nothing of SQL. Hypothesis draws what happens
next: deliveries that come late or twice, leases that lapse, workers that write although
they have lost their job. After each step every row must be as the model has it.
"""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text
from sqlalchemy.orm import sessionmaker

from common import jobs
from common.errors import ProviderUnavailable
from common.jobs import Busy, GiveBack, Lease, LeaseLost, Task
from tests import invariants
from tests.common.job_steps import Bell, lapse

LIVE = {"queued", "running", "waiting"}
MOST_CRASHES = 3
_MOST_JOBS = 5  # so that things happen to the same one


class Knell(Bell):
    """A job that may be tried twice, so that its end is near."""

    max_attempts = 2


@dataclass
class Known:
    """What the model knows of one job."""

    name: str
    most_attempts: int
    parent: UUID | None = None
    state: str = "queued"
    attempt: int = 0
    crashes: int = 0
    epoch: int = 0
    seq: int = 1
    lane: str = "main"
    due: bool = True
    lapsed: bool = False
    unwanted: bool = False
    pending: int = 0
    token: UUID | None = None
    history: list[str] = field(default_factory=lambda: ["queued"])
    promises: set[int] = field(default_factory=lambda: {1})

    @property
    def row(self) -> tuple[Any, ...]:
        """What the table must show."""
        return (
            self.state,
            self.attempt,
            self.crashes,
            self.epoch,
            self.seq,
            self.lane,
            self.unwanted,
            self.pending,
            self.token,
        )


_NAMES = st.sampled_from(["", "a", "b"])
_REASONS = st.builds(
    GiveBack,
    code=st.just("no"),
    permanent=st.sampled_from([False, False, True]),
    counted=st.booleans(),
    delay_seconds=st.sampled_from([0.0, 0.0, None, 60.0]),
)
_ROWS = text("""
select id, state, attempt, crash_count, lease_epoch, dispatch_seq, lane,
       cancel_requested, pending_children, lease_token from jobs
""")


class Protocol(RuleBasedStateMachine):
    """One database, any number of workers; ``engine`` is set by the test."""

    engine: Engine

    @initialize()
    def begin(self) -> None:
        self.connection = self.engine.connect()
        self.outer = self.connection.begin()
        self.db = sessionmaker(
            self.connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
        )
        self.known: dict[UUID, Known] = {}
        self.tasks: list[tuple[UUID, int]] = []  # sent, and not yet for the last time
        self.leases: list[Lease] = []  # of workers that have not ended, late or not

    def teardown(self) -> None:
        invariants.check(self.db)  # of all histories, so once is enough
        self.outer.rollback()
        self.connection.close()

    # What clients do

    @precondition(lambda self: len(self.known) < _MOST_JOBS)
    @rule(payload=st.builds(Bell, name=_NAMES) | st.builds(Knell, name=_NAMES))
    def enqueue(self, payload: Bell) -> None:
        name = payload.name
        with self.db.begin() as session:
            job_id, new = jobs.enqueue(session, payload)
        twin = [
            id_
            for id_, one in self.known.items()
            if name and one.name == name and one.state in LIVE
        ]
        assert (job_id in self.known, new) == (bool(twin), not twin)
        if new:
            self.known[job_id] = Known(name, payload.max_attempts)
        else:
            assert twin == [job_id]

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(list(self.known)))
        with self.db.begin() as session:
            told = jobs.cancel(session, job_id)
        assert set(told) == set(self._cancel(job_id))

    @precondition(lambda self: self._replayable())
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._replayable()))
        with self.db.begin() as session:
            assert jobs.replay(session, job_id)
        job = self.known[job_id]
        job.attempt, job.crashes, job.lane, job.unwanted = 0, 0, "main", False
        self._queue(job)

    # What the queue does

    @rule(queue_is_there=st.sampled_from([True, True, True, False]))
    def send(self, *, queue_is_there: bool) -> None:
        sent: list[Task] = []

        def take(task: Task) -> None:
            if not queue_is_there:
                raise ProviderUnavailable
            sent.append(task)

        with self.db.begin() as session:
            session.execute(text("update job_outbox set locked_until = '-infinity'"))
        assert jobs.drain(self.db, take) == len(sent)
        promised = [
            (id_, seq) for id_, one in self.known.items() for seq in one.promises
        ]
        made = {(task.job_id, task.dispatch_seq) for task in sent}
        assert made == (set(promised) if queue_is_there else set())
        for job_id, seq in promised if queue_is_there else ():
            self.known[job_id].promises.remove(seq)
            self.tasks.append((job_id, seq))

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: st.DataObject, *, again: bool) -> None:
        task = data.draw(st.sampled_from(self.tasks))
        if not again:
            self.tasks.remove(task)
        self._deliver(*task)

    # What workers do, whether the job is still theirs or not

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def checkpoint(self, data: st.DataObject) -> None:
        lease = self._some_lease(data)
        with self._fence(lease) as mine, self.db.begin() as session:
            jobs.checkpoint(session, lease, {"step": 1}, progress=10)
        if mine.holds:
            mine.job.crashes, mine.job.lane = 0, "main"

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        lease = self._some_lease(data)
        with self._fence(lease) as mine, self.db.begin() as session:
            jobs.succeed(session, lease, {})
        if mine.holds:
            self._leave(mine.job, "succeeded")

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), reason=_REASONS)
    def give_back(self, data: st.DataObject, reason: GiveBack) -> None:
        lease = self._some_lease(data)
        with self._fence(lease) as mine, self.db.begin() as session:
            jobs.give_back(session, lease, reason)
        if not mine.holds:
            return
        job = mine.job
        last = job.attempt >= job.most_attempts
        ends = reason.permanent or (reason.counted and last)
        job.attempt -= not reason.counted
        if ends or job.unwanted:
            job.seq += 1
            self._leave(job, "failed" if ends else "cancelled")
        else:
            self._queue(job, due=reason.delay_seconds == 0)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), count=st.integers(1, 3))
    def fan_out(self, data: st.DataObject, count: int) -> None:
        lease = self._some_lease(data)
        with self._fence(lease) as mine, self.db.begin() as session:
            made = [
                jobs.enqueue(session, Bell(), parent_id=lease.job_id)[0]
                for _ in range(count)
            ]
            jobs.wait_for_children(session, lease, count)
        if not mine.holds:
            return
        for child in made:
            self.known[child] = Known("", Bell.max_attempts, parent=lease.job_id)
        mine.job.attempt -= 1
        mine.job.pending = count
        self._leave(mine.job, "waiting")
        if mine.job.unwanted:
            self._cancel(lease.job_id)

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def fall_silent(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(self._running()))
        lapse(self.db, job_id)
        self.known[job_id].lapsed = True
        self.beat()  # it wakes up before anybody has noticed

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def be_followed(self, data: st.DataObject) -> None:
        """Fall silent, and be rescued and followed by another at once."""
        job_id = data.draw(st.sampled_from(self._running()))
        lapse(self.db, job_id)
        with self.db.begin() as session:
            [rescued] = jobs.rescue(session, job_id)
        self._rescue(self.known[job_id])
        assert rescued.state == self.known[job_id].state
        self._deliver(job_id, self.known[job_id].seq)

    def beat(self) -> None:
        held = self.leases
        with self.db.begin() as session:
            ours = jobs.beat(session, held, seconds=60)
        assert ours == {
            one.job_id: self.known[one.job_id].unwanted
            for one in held
            if self._holds(one) and not self.known[one.job_id].lapsed
        }

    # What the sweep does

    @rule()
    def sweep(self) -> None:
        self.beat()
        self._rescue_all()
        self._ring_again()
        with self.db.begin() as session:
            assert jobs.wake_parents(session) == [], "the trigger is to do this"

    def _rescue_all(self) -> None:
        with self.db.begin() as session:
            found = {one.job_id: one.state for one in jobs.rescue(session)}
        lapsed = [id_ for id_ in self._running() if self.known[id_].lapsed]
        for id_ in lapsed:
            self._rescue(self.known[id_])
        assert found == {id_: self.known[id_].state for id_ in lapsed}

    def _ring_again(self) -> None:
        with self.db.begin() as session:  # time stands still here: a second from now
            rung = jobs.janitor(session, lost_after_seconds=-1)
        lost = [
            id_
            for id_, one in self.known.items()
            if one.state == "queued" and one.due and not one.promises
        ]
        for id_ in lost:
            self._promise(self.known[id_])
        assert set(rung) == set(lost)

    # What must always hold

    @invariant()
    def every_row_is_as_the_model_has_it(self) -> None:
        read = self.connection.execute
        rows = {row[0]: tuple(row[1:]) for row in read(_ROWS)}
        promised = read(text("select job_id, dispatch_seq from job_outbox")).all()
        steps = read(text("select job_id, to_state from job_events order by id")).all()
        assert rows == {id_: one.row for id_, one in self.known.items()}
        assert sorted(map(tuple, promised)) == sorted(
            (id_, seq) for id_, one in self.known.items() for seq in one.promises
        )
        histories: dict[UUID, list[str]] = {}
        for id_, state in steps:
            histories.setdefault(id_, []).append(state)
        assert histories == {id_: one.history for id_, one in self.known.items()}

    # The model

    def _some_lease(self, data: st.DataObject) -> Lease:
        """Draw a worker that is about to write; now and then it ends with that."""
        lease = data.draw(st.sampled_from(self.leases))
        if not self._holds(lease) and data.draw(st.booleans()):
            self.leases.remove(lease)
        return lease

    def _deliver(self, job_id: UUID, seq: int) -> None:
        job = self.known[job_id]
        free = job.state == "queued" and not job.unwanted
        free &= job.attempt < job.most_attempts and (
            seq == job.seq or (job.due and job.lane == "main")
        )
        try:
            with self.db.begin() as session:
                lease = jobs.claim(session, job_id, seq, owner="test", seconds=60)
        except Busy:
            assert job.state == "running"
            assert not job.lapsed
            self._watch(job_id, seq)
            return
        except LeaseLost:
            assert job.state == "running"
            assert job.lapsed
            with self.db.begin() as session:
                [rescued] = jobs.rescue(session, job_id)
            self._rescue(job)
            assert rescued.state == job.state
            return
        assert (lease is not None) == free
        if lease is None:
            assert job.state != "running"
            return
        job.attempt += 1
        job.epoch += 1
        job.token, job.lapsed = lease.token, False
        self._go(job, "running")
        self.leases.append(lease)

    def _watch(self, job_id: UUID, seq: int) -> None:
        with self.db.begin() as session:
            jobs.watch(session, job_id, seq)
        if seq == self.known[job_id].seq:
            self._promise(self.known[job_id])

    def _rescue(self, job: Known) -> None:
        job.crashes += 1
        job.lane = "solo"
        if job.crashes >= MOST_CRASHES or job.attempt >= job.most_attempts:
            job.seq += 1
            self._leave(job, "failed")
        elif job.unwanted:
            job.seq += 1
            self._leave(job, "cancelled")
        else:
            self._queue(job)

    def _cancel(self, job_id: UUID) -> list[UUID]:
        family = [job_id, *(i for i, j in self.known.items() if j.parent == job_id)]
        live = [id_ for id_ in family if self.known[id_].state in LIVE]
        for id_ in live:
            job = self.known[id_]
            job.unwanted = True
            if job.state != "running":
                self._leave(job, "cancelled")
        return live

    def _leave(self, job: Known, state: str) -> None:
        """Let go of the job; who was the last child wakes its parent."""
        job.token = None
        self._go(job, state)
        if job.parent is None or state in LIVE:
            return
        parent = self.known[job.parent]
        if parent.state == "waiting" and parent.pending == 1:
            parent.pending = 0
            self._queue(parent)
        elif parent.pending:
            parent.pending -= 1

    def _queue(self, job: Known, *, due: bool = True) -> None:
        job.token, job.due = None, due
        self._go(job, "queued")
        self._promise(job)

    def _promise(self, job: Known) -> None:
        job.seq += 1
        job.promises.add(job.seq)

    def _go(self, job: Known, state: str) -> None:
        job.state = state
        job.history.append(state)

    def _holds(self, lease: Lease) -> bool:
        return self.known[lease.job_id].token == lease.token

    def _running(self) -> list[UUID]:
        return [id_ for id_, one in self.known.items() if one.state == "running"]

    def _replayable(self) -> list[UUID]:
        live = {one.name for one in self.known.values() if one.state in LIVE} - {""}
        return [
            id_
            for id_, one in self.known.items()
            if one.state == "failed" and one.parent is None and one.name not in live
        ]

    def _fence(self, lease: Lease) -> "_Fence":
        return _Fence(self.known[lease.job_id], self._holds(lease))


@dataclass
class _Fence:
    """Expects ``LeaseLost`` of a write by somebody who is not the owner."""

    job: Known
    holds: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        assert (kind is LeaseLost) == (not self.holds), (kind, self.job)
        return kind is LeaseLost


@pytest.mark.parametrize("steps", [50])
def test_the_statements_do_what_the_model_does(engine, steps):
    """Some seconds of it; the same database for all tries, emptied by rolling back."""
    machine = type("Here", (Protocol,), {"engine": engine})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
