"""how long jobs took, and which are replays, kept in their history

What is counted from the history stays right when the jobs themselves are deleted.

Revision: 0004_expand_event_latency, after 0003_expand_threads_and_safety
"""

from alembic import op
import sqlalchemy as sa

revision = "0004_expand_event_latency"
down_revision = "0003_expand_threads_and_safety"
branch_labels = None
depends_on = None

LIVE = "state in ('queued', 'running', 'waiting') and parent_id is null"
GUARD = """
create or replace function job_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into job_events (job_id, kind, to_state, epoch, attempt, crash_count{columns_born})
      values (new.id, new.kind, new.state, new.lease_epoch, new.attempt,
              new.crash_count{values_born});
    return new;
  end if;
  new.updated_at := clock_timestamp();
  if new.lease_epoch < old.lease_epoch then
    raise exception 'lease epoch went back';
  end if;
  if new.lease_token is not null and new.lease_token is distinct from old.lease_token
     and new.lease_epoch <> old.lease_epoch + 1 then
    raise exception 'a new lease needs a new epoch';
  end if;
  if new.state is distinct from old.state then
    if not ((old.state = 'queued' and new.state in ('running', 'cancelled'))
         or (old.state = 'running' and new.state in
               ('queued', 'waiting', 'succeeded', 'failed', 'cancelled'))
         or (old.state = 'waiting' and new.state in ('queued', 'failed', 'cancelled'))
         or (old.state = 'failed' and new.state = 'queued'
             and new.replay_count = old.replay_count + 1)) then
      raise exception 'illegal job transition % -> %', old.state, new.state;
    end if;
    insert into job_events (job_id, kind, from_state, to_state, epoch, attempt,
                            crash_count, prev_expires_at, reason{columns_moved})
      values (new.id, new.kind, old.state, new.state, new.lease_epoch, new.attempt,
              new.crash_count, old.lease_expires_at, new.error_code{values_moved});
  end if;
  return new;
end $$;
"""
OLD = {
    "columns_born": "",
    "values_born": "",
    "columns_moved": "",
    "values_moved": "",
}
NEW = {
    "columns_born": ", reason",
    "values_born": """,
              case when new.replayed_from is not null then 'replayed' end""",
    "columns_moved": ", latency_ms",
    "values_moved": """,
              extract(epoch from new.finished_at - new.created_at) * 1000""",
}


def upgrade() -> None:
    op.add_column("job_events", sa.Column("latency_ms", sa.Double(), nullable=True))
    op.execute(GUARD.format(**NEW))
    op.create_index(
        "ix_jobs_live",
        "jobs",
        ["state"],
        unique=False,
        postgresql_where=sa.text(LIVE),
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_live", table_name="jobs", postgresql_where=sa.text(LIVE))
    op.execute(GUARD.format(**OLD))
    op.drop_column("job_events", "latency_ms")
