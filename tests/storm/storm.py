"""The storm itself: services up, clients at work, faults as drawn, then calm."""

import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from tests.loopback.gcs_faults import Fault as StorageFault
from tests.storm.load import Crowd
from tests.storm.machine import SOLO, WORKERS, Machine
from tests.storm.provider import Provider
from tests.storm.weather import Fault, faults
from tests.storm.witness import record_effects

_TICK_SECONDS = 0.02
_REVIVE_SECONDS = 0.3
_LOOK_SECONDS = 1.0
_TELL_SECONDS = 30.0
_HURRY_SECONDS = 3.0
_TROUBLE = 0.12  # share of provider calls that fail
_ALWAYS = {"duplicate": 0.2, "drop_ack": 0.1, "early": 0.1, "late": 0.1}
_WELL: dict[str, float | bool | str] = dict.fromkeys(_ALWAYS, 0.0)
_WELL |= {"outage": "", "pause": False}
_OUTAGES = {
    "refuse tasks": "refuse",
    "hang on tasks": "hang",
    "take tasks, say nothing": "lose_answer",
}
_OFTEN: dict[str, Any] = {"times": None, "share": 0.3}
_STORAGE = {
    "429": StorageFault(status=429, **_OFTEN),
    "503": StorageFault(status=503, **_OFTEN),
    "cut": StorageFault(cut_after=1000, **_OFTEN),
    "lost answer": StorageFault(lose_answer=True, **_OFTEN),
}
_HURRY = """
with waiting as (update jobs set available_at = now() where state = 'queued')
update job_outbox set locked_until = '-infinity', not_before = now()
"""
_LIVE = "select count(*) from jobs where state in ('queued', 'running', 'waiting')"
_DONE = """
select count(*),
       count(*) filter (where state in ('succeeded', 'failed', 'cancelled')) from jobs
"""
_LOOK = """
select coalesce((select extract(epoch from clock_timestamp() - min(not_before))
                   from job_outbox where not_before < now()), 0),
       (select string_agg(dedupe_key, ' ') from (
          select dedupe_key from jobs where state in ('queued', 'running', 'waiting')
           group by dedupe_key having count(*) > 1) t)
"""


@dataclass(frozen=True)
class Plan:
    """How large a storm is wanted: it ends when it has lasted and has jobs enough."""

    seed: int
    seconds: float
    jobs: int
    clients: int
    most_pieces: int
    calm_seconds: float  # until all is ended, or something is wrong
    rest_seconds: float  # then, for promises in the hands of processes that died
    pace: float = 1.0  # faults come so much faster
    hurry: bool = False  # waits end when the storm does


@dataclass
class Storm:
    """A storm over a running machine. Run it in the main thread."""

    machine: Machine
    provider: Provider
    plan: Plan
    acts: list[tuple[float, Fault]] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)  # seconds without a database
    revived: Counter[str] = field(default_factory=Counter)
    oldest_promise: float = 0.0  # seconds
    twins: list[str] = field(default_factory=list)  # dedupe keys with two live jobs
    looks: int = 0
    lasted: float = 0.0  # seconds, without the calm
    calm_after: float | None = None  # seconds from the last fault to the last end
    began: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        plan = self.plan
        self.crowd = Crowd(self.machine.port, plan.seed, plan.clients, plan.most_pieces)
        self._later: list[tuple[float, int, str, str]] = []
        self._calm = threading.Event()
        self._number = self._count = 0
        self._counted_at = self._revived_at = self._told_at = 0.0
        self._hurried_at = 0.0

    def run(self) -> None:
        """Let it rage, then wait until every job has ended."""
        record_effects(self.machine)
        lookout = threading.Thread(target=self._look_out)
        lookout.start()
        self.crowd.start()
        try:
            self._rage()
            self._settle()
        finally:
            self.crowd.stop_soon()
            self._calm.set()
            lookout.join()

    # The storm

    def _rage(self) -> None:
        self.provider.trouble = _TROUBLE
        self.machine.break_queue(**_ALWAYS)
        began = time.monotonic()
        coming = faults(self.plan.seed)
        fault = next(coming)
        due = began + fault.after / self.plan.pace
        while not self._has_raged(time.monotonic() - began):
            if time.monotonic() >= due:
                self._do(fault)
                fault = next(coming)
                due += fault.after / self.plan.pace
            self._tell(time.monotonic() - began)
            self._look_after()
        self.lasted = time.monotonic() - began

    def _tell(self, seconds: float) -> None:
        """Say now and then how far it is: a long storm takes its time."""
        if seconds < self._told_at + _TELL_SECONDS:
            return
        self._told_at = seconds
        done = self.machine.rows(_DONE)[0]
        print(
            f"{seconds:.0f} s: {len(self.acts)} faults, {done[1]}/{done[0]} jobs",
            flush=True,
        )

    def _has_raged(self, seconds: float) -> bool:
        if seconds < self.plan.seconds:
            return False
        return self._jobs() >= self.plan.jobs

    def _jobs(self) -> int:
        """Return how many jobs there are; asked for now and then only."""
        if time.monotonic() > self._counted_at + 1:
            [[count]] = self.machine.rows("select count(*) from jobs")
            self._count, self._counted_at = int(count), time.monotonic()
        return self._count

    def _do(self, fault: Fault) -> None:
        self.acts.append((time.time(), fault))
        machine, name = self.machine, fault.target
        match fault.kind:
            case "kill":
                machine.kill(name)
            case "kill api":
                machine.kill("api")
            case "terminate":
                machine.ask_to_stop(name)
            case "kill at":
                machine.notes.order(name, fault.detail, "kill")
            case "freeze at":
                order = f"stop {fault.seconds:.2f}"
                machine.notes.order(name, fault.detail, order)
            case "freeze":
                machine.signal(name, signal.SIGSTOP)
                self._in(fault.seconds, "thaw", name)
            case "restart database":
                self.restarts.append(machine.crash_database())
            case _:
                self._trouble_others(fault)

    def _trouble_others(self, fault: Fault) -> None:
        match fault.kind:
            case "deliver nothing":
                self.machine.break_queue(pause=True)
                self._in(fault.seconds, "deliver")
            case "forget tasks":
                self.machine.break_queue(wipe=True)
            case "break storage":
                self.machine.break_storage(_STORAGE[fault.detail])
                self._in(fault.seconds, "mend storage")
            case outage:
                self.machine.break_queue(outage=_OUTAGES[outage])
                self._in(fault.seconds, "take tasks")

    # What goes on meanwhile

    def _look_after(self) -> None:
        now = time.monotonic()
        while self._later and self._later[0][0] <= now:
            _at, _number, what, name = heappop(self._later)
            self._end(what, name)
        if now > self._revived_at + _REVIVE_SECONDS:
            self.revived.update(self.machine.revive())
            self._revived_at = now
        time.sleep(_TICK_SECONDS)

    def _end(self, what: str, name: str) -> None:
        match what:
            case "thaw":
                self.machine.signal(name, signal.SIGCONT)
            case "deliver":
                self.machine.break_queue(pause=False)
            case "take tasks":
                self.machine.break_queue(outage="")
            case "mend storage":
                self.machine.mend_storage()

    def _in(self, seconds: float, what: str, name: str = "") -> None:
        self._number += 1
        heappush(self._later, (time.monotonic() + seconds, self._number, what, name))

    def _look_out(self) -> None:
        """Look for what may never be, even for a moment."""
        while not self._calm.wait(_LOOK_SECONDS):
            with suppress(SQLAlchemyError):  # the database is away
                self._look()

    def _look(self) -> None:
        [(oldest, twins)] = self.machine.rows(_LOOK)
        self.oldest_promise = max(self.oldest_promise, float(oldest))
        self.twins += [str(twins)] if twins else []
        self.looks += 1

    # The calm

    def _settle(self) -> None:
        """Mend everything, and wait for the last client and the last job."""
        self.provider.trouble = 0.0
        self.crowd.stop_soon()
        self.machine.notes.forget_orders()
        for name in (*WORKERS, SOLO):
            self.machine.signal(name, signal.SIGCONT)
        self.machine.break_queue(**_WELL)
        self.machine.mend_storage()
        self._later.clear()
        ended = time.monotonic()
        while time.monotonic() < ended + self.plan.calm_seconds:
            self._look_after()
            self._hurry(time.monotonic())
            if not self.crowd.busy and not self._live():
                self.calm_after = time.monotonic() - ended
                break
        rested = time.monotonic() + self.plan.rest_seconds
        while time.monotonic() < rested and self._promises():
            self._look_after()

    def _hurry(self, now: float) -> None:
        """Have it later by half a minute, if nobody has the time to wait for that."""
        if self.plan.hurry and now > self._hurried_at + _HURRY_SECONDS:
            self.machine.change(_HURRY)
            self._hurried_at = now

    def _promises(self) -> int:
        [[promises]] = self.machine.rows("select count(*) from job_outbox")
        return int(promises)

    def _live(self) -> int:
        [[live]] = self.machine.rows(_LIVE)
        return int(live)
