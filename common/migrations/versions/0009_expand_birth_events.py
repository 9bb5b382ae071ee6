"""a job's history begins when its row is really there

A trigger before an insert also fires for a row that ON CONFLICT DO NOTHING then drops,
so each deduplicated request left the beginning of a job that never was.

Revision: 0009_expand_birth_events, after 0008_expand_trace
"""

from alembic import op

revision = "0009_expand_birth_events"
down_revision = "0008_expand_trace"
branch_labels = None
depends_on = None

GUARD = """
create or replace function job_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then{born}
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
                            crash_count, prev_expires_at, reason, latency_ms)
      values (new.id, new.kind, old.state, new.state, new.lease_epoch, new.attempt,
              new.crash_count, old.lease_expires_at, new.error_code,
              extract(epoch from new.finished_at - new.created_at) * 1000);
  end if;
  return new;
end $$;
"""
BIRTH = """
    insert into job_events (job_id, kind, to_state, epoch, attempt, crash_count, reason)
      values (new.id, new.kind, new.state, new.lease_epoch, new.attempt,
              new.crash_count,
              case when new.replayed_from is not null then 'replayed' end);"""
BORN = f"""
create function job_born() returns trigger language plpgsql as $$
begin{BIRTH}
  return null;
end $$;
"""


def upgrade() -> None:
    op.execute(GUARD.format(born=""))
    op.execute(BORN)
    op.execute(
        "create trigger job_born after insert on jobs"
        " for each row execute function job_born()"
    )


def downgrade() -> None:
    op.execute("drop trigger job_born on jobs")
    op.execute("drop function job_born()")
    op.execute(GUARD.format(born=BIRTH))
