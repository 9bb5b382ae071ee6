"""What must hold of all jobs at any time, each as one query that must find nothing."""

from sqlalchemy import text

from common.db import Db

_ALWAYS = {
    "a history starts anywhere but in queued": """
        select distinct on (job_id) job_id, from_state, to_state from job_events
         order by job_id, id""",
    "a step of the history is missing": """
        select * from (select *, lag(to_state) over w as before from job_events
                       window w as (partition by job_id order by id)) e
         where from_state is distinct from before""",
    "the history does not end where the job is": """
        select j.id, j.state, e.to_state from jobs j
          left join lateral (select to_state from job_events where job_id = j.id
                              order by id desc limit 1) e on true
         where e.to_state is distinct from j.state""",
    "something left succeeded or cancelled": """
        select * from job_events where from_state in ('succeeded', 'cancelled')""",
    "an epoch was claimed twice, or left out": """
        select * from (select *, row_number() over (partition by job_id order by id)
                         as turn from job_events where to_state = 'running') e
         where epoch <> turn""",
    "a commit by another epoch than the last": """
        select e.* from job_events e join jobs j on j.id = e.job_id
         where e.to_state = 'succeeded' and e.epoch <> j.lease_epoch""",
    "a rescue before the lease was over": """
        select * from job_events
         where from_state = 'running' and reason in ('worker_lost', 'poison_pill')
           and crash_count > 0 and at < prev_expires_at""",
    "a queued job that can never be claimed": """
        select id from jobs where state = 'queued'
           and (attempt >= max_attempts or cancel_requested)""",
    "two live jobs with one dedupe key": """
        select dedupe_key from jobs
         where state in ('queued', 'running', 'waiting') and dedupe_key is not null
         group by dedupe_key having count(*) > 1""",
    "a parent woke more often than it slept": """
        select job_id from job_events group by job_id
         having count(*) filter (where from_state = 'waiting')
              > count(*) filter (where to_state = 'waiting')""",
    "a sleeping parent counts other children than it has": """
        select p.id from jobs p where p.state = 'waiting' and p.pending_children <>
          (select count(*) from jobs c where c.parent_id = p.id
              and c.state in ('queued', 'running', 'waiting'))""",
    "a promise of the future": """
        select o.id from job_outbox o join jobs j on j.id = o.job_id
         where o.dispatch_seq > j.dispatch_seq""",
}
_AT_REST = {
    "a job is still live": """
        select id, state from jobs where state in ('queued', 'running', 'waiting')""",
    "a promise is left": "select * from job_outbox",
}


def check(db: Db, *, at_rest: bool = False) -> None:
    """Fail if the jobs in the database break a rule of the protocol.

    Args:
        db: where they are.
        at_rest: all work is done, so nothing may be live or promised.
    """
    found = {}
    with db.begin() as session:
        for name, query in (_ALWAYS | (_AT_REST if at_rest else {})).items():
            rows = [row._asdict() for row in session.execute(text(query))]
            if name.startswith("a history starts"):
                rows = [r for r in rows if (r["from_state"], r["to_state"]) != _BIRTH]
            if rows:
                found[name] = rows
    assert not found


_BIRTH = (None, "queued")
