"""What must hold after a storm, each counted; numbers are those of the job protocol.

``of`` counts what was looked at: a check that looked at nothing has shown nothing.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.storm.machine import Machine


@dataclass(frozen=True)
class Finding:
    """One invariant: how often it was put to the test, and where it did not hold."""

    number: str
    name: str
    of: int
    violations: list[str] = field(default_factory=list)
    remark: str = ""


@dataclass(frozen=True)
class Rule:
    """An invariant in SQL: ``of`` returns one number, ``broken`` rows that break it."""

    number: str
    name: str
    of: str
    broken: str


_ENDED = "('succeeded', 'failed', 'cancelled')"
_STEPS = """
with steps as (
  select *, lag(to_state) over w as earlier, lag(epoch) over w as earlier_epoch,
         lag(crash_count) over w as earlier_crashes,
         lead(to_state) over w as later
    from job_events window w as (partition by job_id order by id))
"""

RULES = (
    Rule(
        "1",
        "every job has a history that ends where the job is",
        "select count(*) from jobs",
        """select j.id, j.state, e.to_state from jobs j left join lateral (
             select to_state from job_events where job_id = j.id
              order by id desc limit 1) e on true
            where e.to_state is distinct from j.state""",
    ),
    Rule(
        "1",
        "no history of a job that was never there",
        "select count(distinct job_id) from job_events",
        """select e.job_id, e.kind from job_events e
            where e.from_state is null
              and not exists (select 1 from jobs j where j.id = e.job_id)""",
    ),
    Rule(
        "2",
        "all jobs are terminal",
        "select count(*) from jobs",
        f"select id, kind, state from jobs where state not in {_ENDED}",
    ),
    Rule(
        "3",
        "a result is committed by one transaction",
        "select count(distinct job_id) from storm_effects",
        """select job_id, what, count(distinct transaction) as times from storm_effects
            group by job_id, what having count(distinct transaction) > 1""",
    ),
    Rule(
        "3",
        "who has a result has succeeded",
        "select count(distinct job_id) from storm_effects",
        """select s.job_id, s.what, j.state from storm_effects s
             join jobs j on j.id = s.job_id where j.state <> 'succeeded'""",
    ),
    Rule(
        "3",
        "who has succeeded has a result",
        "select count(*) from jobs where state = 'succeeded'",
        """select j.id, j.kind from jobs j where j.state = 'succeeded'
              and j.kind <> 'transcription_chunk'
              and not exists (select 1 from storm_effects s where s.job_id = j.id)""",
    ),
    Rule(
        "3",
        "a job succeeds once",
        "select count(*) from jobs where state = 'succeeded'",
        """select job_id, count(*) from job_events where to_state = 'succeeded'
            group by job_id having count(*) > 1""",
    ),
    Rule(
        "4",
        "no commit by another epoch than the job's last",
        "select count(*) from storm_effects",
        """select s.job_id, s.name, s.epoch, j.lease_epoch from storm_effects s
             join jobs j on j.id = s.job_id
            where s.epoch <> j.lease_epoch or s.state <> 'succeeded'
               or s.name not like '%' || s.job_id || '.' || j.lease_epoch || '%'""",
    ),
    Rule(
        "5",
        "nothing leaves succeeded or cancelled",
        "select count(*) from job_events where to_state in ('succeeded', 'cancelled')",
        "select * from job_events where from_state in ('succeeded', 'cancelled')",
    ),
    Rule(
        "6",
        "each epoch is claimed once, epochs rise by one",
        "select count(*) from job_events where to_state = 'running'",
        f"""{_STEPS} select job_id, epoch, earlier_epoch from steps
            where (to_state = 'running' and epoch <> coalesce(earlier_epoch, 0) + 1)
               or (to_state <> 'running' and epoch <> coalesce(earlier_epoch, 0))""",
    ),
    Rule(
        "7",
        "no rescue before the lease is over",
        f"""{_STEPS} select count(*) from steps
            where from_state = 'running' and crash_count > earlier_crashes""",
        f"""{_STEPS} select job_id, at, prev_expires_at from steps
            where from_state = 'running' and crash_count > earlier_crashes
              and at < prev_expires_at""",
    ),
    Rule(
        "8",
        "no claim under a live lease",
        "select count(*) from job_events where to_state = 'running'",
        f"""{_STEPS} select job_id, earlier, epoch from steps
            where to_state = 'running' and earlier <> 'queued'""",
    ),
    Rule(
        "9",
        "attempts and crashes are bounded, nothing queued is beyond claiming",
        "select count(*) from job_events",
        """select id, state, attempt, crash_count from jobs
            where attempt > max_attempts or crash_count > 3
               or (state = 'queued' and (attempt >= max_attempts or cancel_requested))
           union all
           select job_id, to_state, attempt, crash_count from job_events
            where attempt > 8 or crash_count > 3""",
    ),
    Rule(
        "13",
        "a parent wakes exactly as often as it slept, at its last child's end",
        "select count(*) from job_events where to_state = 'waiting'",
        f"""{_STEPS} select job_id, later from steps
            where to_state = 'waiting' and (later is null
                  or later not in ('queued', 'cancelled'))
           union all
           select p.job_id, 'too early' from job_events p
             join jobs c on c.parent_id = p.job_id
             join job_events e on e.job_id = c.id and e.to_state in {_ENDED}
            where p.from_state = 'waiting' and p.to_state = 'queued'
              and e.at > p.at""",
    ),
    Rule(
        "14",
        "at rest the outbox holds nothing that anybody could send",
        "select count(*) from jobs",
        # A process that died in the middle of sending holds its rows for 30 s.
        """select id, job_id, tries, last_error from job_outbox
            where locked_until < clock_timestamp() - interval '5 seconds'""",
    ),
    Rule(
        "20",
        "what a shutdown gives back is not counted as an attempt",
        """select count(*) from job_events
            where reason = 'shutdown' and from_state = 'running'""",
        f"""{_STEPS}, turns as (
              select *, lag(attempt) over (partition by job_id order by id) as before
                from steps)
            select job_id, before, attempt from turns
             where reason = 'shutdown' and from_state = 'running'
               and to_state = 'queued' and attempt <> before - 1""",
    ),
)


def by_sql(machine: Machine) -> list[Finding]:
    """Put each rule to the database."""
    return [
        Finding(
            rule.number,
            rule.name,
            machine.rows(rule.of)[0][0],
            in_words(machine.rows(rule.broken)),
        )
        for rule in RULES
    ]


def in_words(rows: list[Any]) -> list[str]:
    named = [row._asdict().items() for row in rows]
    return [", ".join(f"{name}={value}" for name, value in one) for one in named]
