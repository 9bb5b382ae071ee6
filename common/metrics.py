"""What the jobs are doing, counted in the database: right with any number of instances.

Counts of events only ever rise; they outlive the jobs themselves.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

LATENCY_BUCKETS_MS = (
    1_000,
    5_000,
    10_000,
    30_000,
    60_000,
    120_000,
    300_000,
    600_000,
)

_DEPTH = text("""
select state, count(*) from jobs
 where state in ('queued', 'running', 'waiting') group by state
""")
_OLDEST = text("""
select coalesce(extract(epoch from now() - min(available_at)), 0) from jobs
 where state = 'queued' and available_at <= now()
""")
_EVENTS = text("""
select kind, from_state, to_state, count(*) from job_events
 group by kind, from_state, to_state
""")
_REPLAYS = text("""
select kind, count(*) from jobs where replayed_from is not null group by kind
""")
_LATENCIES = text("""
select kind, count(*), avg(ms), max(ms), array[
         count(*) filter (where ms <= 1000), count(*) filter (where ms <= 5000),
         count(*) filter (where ms <= 10000), count(*) filter (where ms <= 30000),
         count(*) filter (where ms <= 60000), count(*) filter (where ms <= 120000),
         count(*) filter (where ms <= 300000), count(*) filter (where ms <= 600000)]
  from (select kind, extract(epoch from finished_at - created_at) * 1000 as ms
          from jobs where state in ('succeeded', 'failed')) finished
 group by kind
""")


@dataclass(frozen=True, slots=True)
class Latency:
    """How long finished jobs of one kind took, from being asked for to their end.

    ``buckets`` counts those that took at most ``LATENCY_BUCKETS_MS`` each.
    """

    count: int
    average_ms: float
    longest_ms: float
    buckets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Metrics:
    """All counts; the keys are job kinds and states of the protocol."""

    depth: dict[str, int]
    oldest_queued_seconds: float
    reached: dict[tuple[str, str], int] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, Latency] = field(default_factory=dict)


def read(session: Session) -> Metrics:
    """Return the counts as they are now."""
    reached: dict[tuple[str, str], int] = defaultdict(int)
    retries: dict[str, int] = defaultdict(int)
    for kind, before, after, count in session.execute(_EVENTS):
        reached[kind, after] += count
        if before == "running" and after == "queued":
            retries[kind] += count
    for kind, count in session.execute(_REPLAYS):
        retries[kind] += count
    return Metrics(
        depth={row[0]: row[1] for row in session.execute(_DEPTH)},
        oldest_queued_seconds=float(session.execute(_OLDEST).scalar_one()),
        reached=dict(reached),
        retries=dict(retries),
        latencies={
            kind: Latency(count, float(average), float(longest), tuple(buckets))
            for kind, count, average, longest, buckets in session.execute(_LATENCIES)
        },
    )
