"""The guard and the fan-in of jobs, which no code path can go round

Revision: 0002_expand_job_guard, after 0001_expand_first_tables
"""

from alembic import op

revision = "0002_expand_job_guard"
down_revision = "0001_expand_first_tables"
branch_labels = None
depends_on = None

# Refuses every move that the protocol does not have, and writes the history.
GUARD = """
create function job_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into job_events (job_id, kind, to_state, epoch, attempt, crash_count)
      values (new.id, new.kind, new.state, new.lease_epoch, new.attempt,
              new.crash_count);
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
                            crash_count, prev_expires_at, reason)
      values (new.id, new.kind, old.state, new.state, new.lease_epoch, new.attempt,
              new.crash_count, old.lease_expires_at, new.error_code);
  end if;
  return new;
end $$;
"""

# The last child to end wakes its waiting parent, in the child's own transaction.
FAN_IN = """
create function job_fanin() returns trigger language plpgsql as $$
declare parent jobs%rowtype;
begin
  if new.parent_id is null or new.state not in ('succeeded', 'failed', 'cancelled')
     or old.state in ('succeeded', 'failed', 'cancelled') then
    return null;
  end if;
  update jobs set pending_children = pending_children - 1
   where id = new.parent_id and pending_children > 0
     and not (state = 'waiting' and pending_children = 1);
  if found then
    return null;
  end if;
  update jobs set pending_children = 0, state = 'queued', available_at = now(),
         dispatch_seq = dispatch_seq + 1
   where id = new.parent_id and state = 'waiting' and pending_children = 1
  returning * into parent;
  if found then
    insert into job_outbox (job_id, dispatch_seq, queue, lane)
      values (parent.id, parent.dispatch_seq, parent.queue, parent.lane);
  end if;
  return null;
end $$;
"""


def upgrade() -> None:
    op.execute(GUARD)
    op.execute(FAN_IN)
    op.execute(
        "create trigger job_guard before insert or update on jobs"
        " for each row execute function job_guard()"
    )
    op.execute(
        "create trigger job_fanin after update of state on jobs"
        " for each row execute function job_fanin()"
    )


def downgrade() -> None:
    op.execute("drop trigger job_fanin on jobs")
    op.execute("drop trigger job_guard on jobs")
    op.execute("drop function job_fanin()")
    op.execute("drop function job_guard()")
