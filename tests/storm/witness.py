"""A second witness: the database itself writes down each result that is committed."""

from tests.storm.machine import Machine

# The fence may be at fault, so what it let through is kept apart from the jobs.
_WITNESS = """
create table storm_effects (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  what text not null, job_id uuid not null, name text not null,
  transaction bigint not null default txid_current(),
  epoch bigint, state text);
create function storm_witness() returns trigger language plpgsql as $$
begin
  insert into storm_effects (what, job_id, name, epoch, state)
  select tg_table_name, new.job_id, new.object_key, j.lease_epoch, j.state
    from jobs j where j.id = new.job_id;
  return null;
end $$;
create trigger storm_witness after insert on transcripts
  for each row execute function storm_witness();
create trigger storm_witness after insert on artifacts
  for each row execute function storm_witness();
create trigger storm_witness after insert on exports
  for each row execute function storm_witness();
"""


def record_effects(machine: Machine) -> None:
    """Have every insert of a result leave a row that nothing removes."""
    machine.change(_WITNESS)
