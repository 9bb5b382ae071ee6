"""Whether the clockwork runs: only what it leaves undone tells."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from common.db import reading
from common.deps import Deps
from common.doctor.finding import Finding, Level

_LATE_SECONDS = 600  # a sweep comes each minute and removes all of these
_LATE_DAYS = 2  # retention comes once a day, and may fail once

_UNSWEPT = text("""
select coalesce(extract(epoch from clock_timestamp() - min(since)), 0) from (
  select min(lease_expires_at) from jobs where state = 'running'
  union all select min(expires_at) from rate_windows
  union all select min(expires_at) from idempotency_keys) t (since)
""")
_KEPT = text("""
select count(*) from lectures l join recordings r on r.id = l.recording_id
  left join transcripts t on t.recording_id = r.id
 where (r.object_key is not null
        and l.created_at < now() - make_interval(days => :audio_days))
    or (t.object_key is not null
        and l.created_at < now() - make_interval(days => :transcript_days))
""")


def sweep(deps: Deps, _today: date) -> Iterator[Finding]:
    """Tell whether something waits for the sweep that it should have taken."""
    late = _asked(deps, _UNSWEPT)
    if late is None:
        return
    if late > _LATE_SECONDS:
        lag = f"What the sweep removes each minute is {late / 60:.0f} minutes old"
        advice = "see that the scheduler calls POST /schedules/sweep on the worker"
        yield Finding("problem", f"{lag}: {advice}.")
    else:
        yield Finding("ok", "Nothing waits for the sweep.")


def retention(deps: Deps, _today: date) -> Iterator[Finding]:
    """Tell whether something is kept longer than it may be."""
    given = deps.settings
    kept = _asked(
        deps,
        _KEPT,
        audio_days=given.retention_raw_audio_days + _LATE_DAYS,
        transcript_days=given.retention_transcript_days + _LATE_DAYS,
    )
    if kept is None:
        return
    if kept:
        lag = f"{kept:.0f} lectures hold files longer than PLC_RETENTION_… allows"
        advice = "run python -m worker_service.schedules.retention each day"
        # On a laptop nobody calls it: whose machine it is decides.
        level: Level = "problem" if given.queue == "cloud_tasks" else "note"
        yield Finding(level, f"{lag}: {advice}.")
    else:
        yield Finding("ok", "Nothing is kept longer than it may be.")


def _asked(deps: Deps, query: Any, **values: int) -> float | None:  # noqa: ANN401
    """Return the answer; None if there is none: the database check tells why."""
    try:
        with reading(deps.db) as session:
            return float(session.execute(query, values).scalar_one())
    except (SQLAlchemyError, OSError):
        return None
