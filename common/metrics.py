"""What the jobs are doing, counted in the database: right with any number of instances.

Counts of events only ever rise; they outlive the jobs themselves.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from common import budget

LATENCY_BUCKETS_MS = (
    1_000,
    5_000,
    10_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
    900_000,  # the promise of docs/runbooks/alerting.md
)
_WITHIN = ", ".join(
    f"count(*) filter (where latency_ms <= {limit})" for limit in LATENCY_BUCKETS_MS
)

# A job that waits for its pieces is one job: they are work, not more to wait for.
_DEPTH = text("""
select state, count(*) from jobs
 where state in ('queued', 'running', 'waiting') and parent_id is null group by state
""")
# Of ours: what waits for helpers outside, who may be away for days, is no late worker.
_OLDEST = text("""
select coalesce(extract(epoch from now() - min(available_at)), 0) from jobs
 where state = 'queued' and available_at <= now() and queue <> 'pull'
""")
_EVENTS = text(f"""
select kind, from_state, to_state, count(*) as events,
       count(*) filter (where from_state is null and reason = 'replayed') as replays,
       count(latency_ms) as ended,
       coalesce(sum(latency_ms), 0) as total_ms,
       coalesce(max(latency_ms), 0) as longest_ms,
       array[{_WITHIN}] as within
  from job_events group by kind, from_state, to_state
""")  # noqa: S608 - made of our own numbers


@dataclass(frozen=True, slots=True)
class Latency:
    """How long jobs of one kind took that were done or failed, since asked for.

    ``buckets`` counts those that took at most ``LATENCY_BUCKETS_MS`` each.
    """

    count: int = 0
    total_ms: float = 0.0
    longest_ms: float = 0.0
    buckets: tuple[int, ...] = (0,) * len(LATENCY_BUCKETS_MS)

    @property
    def average_ms(self) -> float:
        """The mean; 0 of none."""
        return self.total_ms / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """All counts; the keys are job kinds and states of the protocol."""

    depth: dict[str, int]
    oldest_queued_seconds: float
    reached: dict[tuple[str, str], int] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)
    spent_today_usd_micros: int = 0


def oldest_due_seconds(session: Session) -> float:
    """Return how long the oldest job that is due has waited; 0 if none is."""
    return float(session.execute(_OLDEST).scalar_one())


def read(session: Session) -> Metrics:
    """Return the counts as they are now."""
    reached: dict[tuple[str, str], int] = defaultdict(int)
    retries: dict[str, int] = defaultdict(int)
    latencies: dict[str, Latency] = {}
    for row in session.execute(_EVENTS):
        reached[row.kind, row.to_state] += row.events
        retries[row.kind] += row.replays
        if (row.from_state, row.to_state) == ("running", "queued"):
            retries[row.kind] += row.events
        if row.to_state in ("succeeded", "failed"):
            latencies[row.kind] = _with(latencies.get(row.kind, Latency()), row)
    return Metrics(
        depth={row[0]: row[1] for row in session.execute(_DEPTH)},
        oldest_queued_seconds=oldest_due_seconds(session),
        reached=dict(reached),
        retries={kind: count for kind, count in retries.items() if count},
        latencies=latencies,
        spent_today_usd_micros=budget.spent_today(session),
    )


def _with(latency: Latency, row: Row[Any]) -> Latency:
    """Add the jobs that ended in one way to those that ended in others."""
    pairs = zip(latency.buckets, row.within, strict=True)
    return Latency(
        count=latency.count + row.ended,
        total_ms=latency.total_ms + row.total_ms,
        longest_ms=max(latency.longest_ms, row.longest_ms),
        buckets=tuple(before + more for before, more in pairs),
    )
