"""The job protocol as a small machine, and a search through all that can happen to it.

One job and two workers. Between any two steps a worker may be killed or stall past its
lease, a task may be delivered twice, the queue may forget everything it holds, and
somebody may cancel the job; how often is limited, so that the states are finite. A
worker may also save a step or give the job back, as often as it likes. What counts of
dispatch numbers and epochs is only whether they are the newest: promises and tasks are
``current`` or ``stale``, and a busy worker owns the lease or owned an earlier one.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

_MANY = 2  # more tasks or commits than this make no difference
_POISON = 3  # lapses without progress
_ENDS = {"succeeded", "failed", "cancelled"}


class Fence(StrEnum):
    """What a worker must show when it writes: a result, a step, or giving back."""

    TOKEN = "its own lease"
    STATE = "that the job is running"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Rules:
    """Which parts of the protocol are in force; all are, unless a test says no."""

    fence: Fence = Fence.TOKEN
    outbox: bool = True
    rescue: bool = True
    janitor: bool = True


class Pile(NamedTuple):
    """How many tasks or promises there are, by whether they are the newest."""

    current: int = 0
    stale: int = 0

    def aged(self) -> "Pile":
        """Return the pile after a newer dispatch number was given out."""
        return Pile(0, min(_MANY, self.current + self.stale))

    def plus(self, *, current: bool) -> "Pile":
        """Return the pile with one more."""
        if current:
            return Pile(min(_MANY, self.current + 1), self.stale)
        return Pile(self.current, min(_MANY, self.stale + 1))

    def minus(self, *, current: bool) -> "Pile":
        """Return the pile with one less."""
        return Pile(self.current - current, self.stale - (not current))


class Trouble(NamedTuple):
    """How often each fault may still happen."""

    kills: int = 2
    duplicates: int = 2
    wipes: int = 1
    stalls: int = 2
    cancels: int = 1


MUCH = Trouble()


class State(NamedTuple):
    """Everything that decides what can happen next."""

    job: str = "absent"
    lapses: int = 0
    promises: Pile = Pile()
    tasks: Pile = Pile()
    workers: tuple[str, ...] = ("idle", "idle")  # or owner, or former owner
    unwanted: bool = False  # cancelled while it was running
    commits: int = 0
    stale_commits: int = 0
    taken_away: bool = False  # from its owner, by one that owned it earlier
    left: Trouble = Trouble()


class Step(NamedTuple):
    """Something that can happen. Faults are not ``fair``: nobody may count on them."""

    name: str
    then: State
    fair: bool = True


def steps(state: State, rules: Rules) -> Iterator[Step]:
    """Yield all that can happen next."""
    if state.job == "absent":
        yield from _accept(state, rules)
    yield from _send(state)
    yield from _lose_tasks(state)
    yield from _cancel(state)
    if rules.janitor:
        yield from _ring_again(state)
    if rules.rescue and state.job == "running":
        yield from _rescue(state)
    for number, worker in enumerate(state.workers):
        if worker == "idle":
            yield from _deliver(state, number)
        else:
            yield from _end(state, number, rules.fence)


def _accept(state: State, rules: Rules) -> Iterator[Step]:
    queued = state._replace(job="queued")
    if rules.outbox:
        yield Step("accept", queued._replace(promises=Pile(1, 0)))
        return
    yield Step("accept and send", queued._replace(tasks=Pile(1, 0)))
    yield Step("accept, crash before sending", queued, fair=False)


def _send(state: State) -> Iterator[Step]:
    for current in (True, False):
        if not (state.promises.current if current else state.promises.stale):
            continue
        sent = state._replace(tasks=state.tasks.plus(current=current))
        kept = sent._replace(promises=state.promises.minus(current=current))
        yield Step("send", kept)
        if state.left.duplicates:
            yield Step(
                "send, crash before forgetting", _less(sent, "duplicates"), False
            )


def _lose_tasks(state: State) -> Iterator[Step]:
    if state.left.wipes and any(state.tasks):
        yield Step("wipe", _less(state, "wipes")._replace(tasks=Pile()), False)


def _cancel(state: State) -> Iterator[Step]:
    """At once if nobody works on it; else its owner is told at its next beat."""
    if not state.left.cancels:
        return
    less = _less(state, "cancels")
    if state.job == "queued":
        yield Step("cancel", less._replace(job="cancelled"), False)
    if state.job == "running":
        yield Step("cancel the running job", less._replace(unwanted=True), False)


def _ring_again(state: State) -> Iterator[Step]:
    if state.job == "queued" and not any(state.promises):
        yield Step(
            "ring again",
            state._replace(promises=Pile(1, 0), tasks=state.tasks.aged()),
        )


def _rescue(state: State) -> Iterator[Step]:
    """The lease lapses: because its owner is dead, or only slow."""
    alive = "owner" in state.workers
    if alive and not state.left.stalls:
        return
    lapsed = state._replace(
        lapses=state.lapses + 1, workers=_owned_by(state.workers, None)
    )
    if alive:
        lapsed = _less(lapsed, "stalls")
    if lapsed.lapses >= _POISON:
        yield Step("rescue: failed", lapsed._replace(job="failed"), not alive)
        return
    if state.unwanted:
        yield Step("rescue: cancelled", lapsed._replace(job="cancelled"), not alive)
        return
    yield Step("rescue: queued", _promised(lapsed._replace(job="queued")), not alive)


def _deliver(state: State, number: int) -> Iterator[Step]:
    for current in (True, False):
        if not (state.tasks.current if current else state.tasks.stale):
            continue
        taken = state._replace(tasks=state.tasks.minus(current=current))
        alone = state.lapses > 0  # in the solo lane, where only the newest task leads
        if state.job == "queued" and (current or not alone):
            mine = _owned_by(state.workers, number)
            yield Step(
                f"worker {number} claims", taken._replace(job="running", workers=mine)
            )
        elif state.job == "running" and current:
            yield Step(f"worker {number} leaves a watch", _promised(taken))
        else:
            yield Step(f"worker {number} has nothing to do", taken)
        if state.left.duplicates:
            twice = state._replace(tasks=state.tasks.plus(current=current))
            yield Step("delivered twice", _less(twice, "duplicates"), False)


def _end(state: State, number: int, fence: Fence) -> Iterator[Step]:
    """A busy worker writes something, is refused, or is killed."""
    owner = state.workers[number] == "owner"
    idle = state._replace(workers=_with(state.workers, number, "idle"))
    allowed = {
        Fence.TOKEN: state.job == "running" and owner,
        Fence.STATE: state.job == "running",
        Fence.NOTHING: True,
    }[fence]
    if allowed:
        yield from _write(state, idle, number)
    else:
        yield Step(f"worker {number} is refused", idle)
    if state.left.kills:
        yield Step(f"worker {number} is killed", _less(idle, "kills"), False)


def _write(state: State, idle: State, number: int) -> Iterator[Step]:
    """What the fence lets through. Nobody may count on a job being given back."""
    owner = state.workers[number] == "owner"
    late = "" if owner else " late"
    yield Step(
        f"worker {number} commits{late}",
        idle._replace(
            job="succeeded",
            commits=min(_MANY, state.commits + 1),
            stale_commits=min(_MANY, state.stale_commits + (not owner)),
        ),
    )
    if state.job != "running":
        return
    yield Step(f"worker {number} saves a step", state._replace(lapses=0), False)
    released = idle._replace(
        taken_away=state.taken_away or not owner,
        workers=_owned_by(idle.workers, None),
    )
    name = f"worker {number} gives back{late}"
    if state.unwanted:  # its owner was told; nobody may wait for it any more
        yield Step(name, released._replace(job="cancelled"), owner)
    else:
        yield Step(name, _promised(released._replace(job="queued")), False)


def _promised(state: State) -> State:
    """A new dispatch number: one promise has it, all others are stale."""
    promises = state.promises.aged()._replace(current=1)
    return state._replace(promises=promises, tasks=state.tasks.aged())


def _owned_by(workers: tuple[str, ...], number: int | None) -> tuple[str, ...]:
    former = tuple("former" if worker == "owner" else worker for worker in workers)
    return former if number is None else _with(former, number, "owner")


def _with(workers: tuple[str, ...], number: int, now: str) -> tuple[str, ...]:
    return (*workers[:number], now, *workers[number + 1 :])


def _less(state: State, fault: str) -> State:
    left = state.left._replace(**{fault: getattr(state.left, fault) - 1})
    return state._replace(left=left)


@dataclass(frozen=True)
class Report:
    """How many states there are, and the shortest way to each kind of harm."""

    states: int
    harm: dict[str, str]


def explore(rules: Rules, trouble: Trouble = MUCH) -> Report:
    """Go through every state that can be reached, the nearest first."""
    start = State(left=trouble)
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    fairly_before: dict[State, list[State]] = defaultdict(list)
    harm: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        for kind in _harm(state):
            harm.setdefault(kind, _way(state, came_from))
        for step in steps(state, rules):
            if step.fair:
                fairly_before[step.then].append(state)
            if step.then not in came_from:
                came_from[step.then] = (state, step.name)
                waiting.append(step.then)
    reaching = _can_end(came_from, fairly_before)
    if stuck := next((state for state in came_from if state not in reaching), None):
        harm["the job is lost"] = _way(stuck, came_from)
    return Report(len(came_from), harm)


def _harm(state: State) -> Iterator[str]:
    if state.commits > 1:
        yield "committed twice"
    if state.stale_commits:
        yield "committed by a former owner"
    if state.taken_away:
        yield "given back by a former owner"
    if state.commits and state.job in {"failed", "cancelled"}:
        yield f"committed and {state.job}"


def _can_end(
    states: dict[State, tuple[State, str] | None],
    fairly_before: dict[State, list[State]],
) -> set[State]:
    """Return the states from which the job can end without the help of a fault."""
    reaching = {state for state in states if state.job in _ENDS}
    waiting = list(reaching)
    while waiting:
        for before in fairly_before[waiting.pop()]:
            if before not in reaching:
                reaching.add(before)
                waiting.append(before)
    return reaching


def _way(state: State, came_from: dict[State, tuple[State, str] | None]) -> str:
    names = []
    while step := came_from[state]:
        state, name = step
        names.append(name)
    return " > ".join(reversed(names))
