"""Whether the database answers, fits to this code, and lets us work."""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from common import migrations
from common.db import reading
from common.deps import Deps
from common.doctor.finding import Finding
from common.models import Base
from common.settings import Settings

_OLDEST_MAJOR = 15  # README: PostgreSQL 15 or newer
_SHOWN = 3  # tables in one line; the first tell enough
_NO_TABLE = "42P01"
_MIGRATE = "run python -m common.migrations"
# PostgreSQL's codes (its manual, appendix A), and what somebody can do.
_MEANING = {
    "28P01": "refuses our password: correct DATABASE_URL",
    "28000": "does not let our role in: correct DATABASE_URL, or its pg_hba.conf",
    "3D000": "has no database of this name: create it, or correct DATABASE_URL",
    "42501": "refuses our role a right: set PEGASUS_DATABASE_APP_ROLES and migrate",
    "53300": "is full of connections: lower PEGASUS_DATABASE_POOL_SIZE or instances",
    "57P01": "is stopping: wait, or start it",
    "57P03": "is starting: wait a moment",
    "57014": "took too long: look for what holds it up in pg_stat_activity",
}
_MISSING_RIGHTS = text("""
select name, string_agg(word, ', ' order by word)
  from unnest(cast(:names as text[])) n (name),
       unnest(array['select', 'insert', 'update', 'delete']) w (word)
 where not has_table_privilege(to_regclass(quote_ident(name)), word)
 group by name order by name
""")


def reachable(deps: Deps, _today: date) -> Iterator[Finding]:
    """Tell whether the database answers, and whether its tables are this code's."""
    try:
        with reading(deps.db) as session:
            number = session.execute(text("show server_version_num")).scalar_one()
    except (SQLAlchemyError, OSError) as exc:
        yield Finding("problem", f"{_name(deps.settings)} {meaning(exc)}.")
        return
    major = int(number) // 10_000
    if major < _OLDEST_MAJOR:
        wanted = f"Pegasus needs {_OLDEST_MAJOR} or newer"
        yield Finding("problem", f"The database is PostgreSQL {major}: {wanted}.")
    else:
        yield Finding("ok", f"PostgreSQL {major} answers.")
    yield _revision(deps)


def rights(deps: Deps, _today: date) -> Iterable[Finding]:
    """Tell which rows our role may not read or write."""
    names = [table.name for table in Base.metadata.sorted_tables]
    try:
        with reading(deps.db) as session:
            missing = session.execute(_MISSING_RIGHTS, {"names": names}).all()
    except (SQLAlchemyError, OSError):  # said by ``reachable``
        return
    if not missing:
        yield Finding("ok", "Our role may read and write every table.")
        return
    listed = "; ".join(f"{words} in {name}" for name, words in missing[:_SHOWN])
    more = f", nor in {len(missing) - _SHOWN} more" if missing[_SHOWN:] else ""
    advice = f"set PEGASUS_DATABASE_APP_ROLES and, as the owner, {_MIGRATE}"
    yield Finding("problem", f"Our role may not {listed}{more}: {advice}.")


def meaning(exc: Exception) -> str:
    """Say what a failure means; its text may hold the address, so never that."""
    code = _code(exc)
    if code is not None:
        return _MEANING.get(code, f"refuses (PostgreSQL's code {code})")
    return "does not answer: start it, or correct DATABASE_URL"


def _code(exc: Exception) -> str | None:
    args = exc.orig.args if isinstance(exc, DBAPIError) and exc.orig else ()
    fields = args[0] if args else None
    return fields.get("C") if isinstance(fields, dict) else None


def _name(settings: Settings) -> str:
    """Return how people name the database, without who we are there."""
    if settings.cloud_sql_instance:
        return f"The Cloud SQL instance {settings.cloud_sql_instance}"
    url = make_url(settings.database_url.get_secret_value())
    return f"The database at {url.host}:{url.port or 5432}"


def _revision(deps: Deps) -> Finding:
    try:
        with reading(deps.db) as session:
            found = session.scalar(text("select version_num from alembic_version"))
    except SQLAlchemyError as exc:
        if _code(exc) == _NO_TABLE:
            return Finding("problem", f"The database is not migrated: {_MIGRATE}.")
        return Finding("problem", f"The database {meaning(exc)}.")
    newest, known = _revisions()
    if found == newest:
        return Finding("ok", f"Its tables are at {newest}, as this code wants.")
    if found is None or found in known:
        lag = f"is at {found or 'the beginning'}, older than this code ({newest})"
        return Finding("problem", f"The database {lag}: {_MIGRATE}.")
    lead = f"is at {found}, which is newer than this code ({newest})"
    fine = "right after a rollback that is fine; else deploy the newer release"
    return Finding("note", f"The database {lead}: {fine}.")


@cache
def _revisions() -> tuple[str, frozenset[str]]:
    """Return this code's newest revision, and all of them."""
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    known = frozenset(one.revision for one in scripts.walk_revisions())
    return str(scripts.get_current_head()), known
