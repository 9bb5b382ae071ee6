"""What a storm did and what it did not, for people."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.storm.evidence import by_records
from tests.storm.invariants import Finding, by_sql
from tests.storm.storm import Storm

_SHOWN = 5  # violations of one kind

_NOT_HERE = (
    ("18", "other tenants' rows: there are no tenants"),
    ("21", "events over SSE: the API has none; clients ask for the state"),
    ("23", "retention: not part of the storm, tests/worker/test_retention.py"),
)
_DELAYS = {
    "lease over → rescued": """
select extract(epoch from at - prev_expires_at) from (
  select *, lag(crash_count) over (partition by job_id order by id) as before
    from job_events) e
 where from_state = 'running' and crash_count > before""",
    "rescued → claimed again": """
select extract(epoch from next - at) from (
  select *, lag(crash_count) over w as before, lead(at) over w as next,
         lead(to_state) over w as later
    from job_events window w as (partition by job_id order by id)) e
 where from_state = 'running' and crash_count > before and later = 'running'""",
    "given back at shutdown → claimed again": """
select extract(epoch from next - at) from (
  select *, lead(at) over w as next, lead(to_state) over w as later
    from job_events window w as (partition by job_id order by id)) e
 where from_state = 'running' and to_state = 'queued' and reason = 'shutdown'
   and later = 'running'""",
}


def findings(storm: Storm) -> list[Finding]:
    """Return every invariant, in the order of their numbers."""
    found = [*by_sql(storm.machine), *by_records(storm), _in_time(storm)]
    return sorted(found, key=lambda one: int(one.number.replace("-", "99")))


def lines(storm: Storm, found: Sequence[Finding]) -> Iterator[str]:
    """Yield the report."""
    yield from _acts(storm)
    yield from _numbers(storm)
    yield ""
    yield f"{'':>3} {'invariant':<72} {'checked':>8} {'violations':>10}"
    for one in found:
        yield f"{one.number:>3} {one.name:<72} {one.of:>8} {len(one.violations):>10}"
        if one.remark:
            yield f"      {one.remark}"
        for text in one.violations[:_SHOWN]:
            yield f"    ! {text}"
    for number, why in _NOT_HERE:
        yield f"{number:>3} not checked: {why}"


def _in_time(storm: Storm) -> Finding:
    limit, took = storm.plan.calm_seconds, storm.calm_after
    wrong = [f"not even after {limit:.0f} s"] if took is None else []
    remark = "" if took is None else f"after {took:.1f} s"
    name = "all is ended in time after the last fault"
    return Finding("2", name, 1, wrong, remark)


def _acts(storm: Storm) -> Iterator[str]:
    acts = Counter(fault.kind for _at, fault in storm.acts)
    carried_out = Counter(
        f"{note['order'].split()[0]} {note['point']}"
        for note in storm.machine.notes.read()
        if note["event"] == "order"
    )
    yield f"seed {storm.plan.seed}, {storm.lasted:.0f} s"
    yield f"faults: {_listed(acts)}"
    yield f"orders carried out: {_listed(carried_out)}"
    yield f"started anew: {_listed(storm.revived)}"
    yield f"provider: {_listed(storm.provider.outcomes)}"
    pauses = ", ".join(f"{one:.1f}" for one in storm.restarts)
    yield f"database away for (s): {pauses or 'never'}"


def _numbers(storm: Storm) -> Iterator[str]:
    machine = storm.machine
    states = "select kind || ' ' || state, count(*) from jobs group by 1 order by 1"
    failed = (
        "select kind || ' ' || error_code, count(*) from jobs"
        " where state = 'failed' group by 1 order by 1"
    )
    [[jobs]] = machine.rows("select count(*) from jobs")
    yield f"jobs: {jobs}: {_listed(dict(map(tuple, machine.rows(states))))}"
    yield f"failed: {_listed(dict(map(tuple, machine.rows(failed)))) or 'none'}"
    for what, query in _DELAYS.items():
        yield f"{what}: {_spread([float(row[0]) for row in machine.rows(query)])}"
    yield f"accepted after: {_spread(storm.crowd.accepted.seconds)}"
    yield f"deadlocks: {machine.deadlocks()}"


def _listed(counts: "dict[str, int] | Counter[str]") -> str:
    return ", ".join(f"{name} {times}" for name, times in counts.items())


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "never"
    ordered = sorted(seconds)
    middle, late = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return (
        f"{len(ordered)} times, p50 {middle:.2f} s,"
        f" p99 {late:.2f} s, longest {ordered[-1]:.2f} s"
    )
