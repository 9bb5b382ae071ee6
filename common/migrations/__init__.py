"""The database schema, step by step.

``python -m common.migrations`` brings a database up to date. It is run by
``scripts/dev`` and ``scripts/demo`` and by the deploy job, never by a service.
"""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, NullPool, text

from common import db
from common.migrations import auditing, grants
from common.settings import Settings

_LOCK = 7_034_2001  # any number that nothing else in this database locks


def upgrade(url: str, *, app_roles: Sequence[str] = ()) -> None:
    """Bring the database at ``url`` to the newest revision.

    Safe when many processes start at once: an advisory lock lets one work while the
    others wait, and those then find nothing left to do. All steps are one transaction.
    In the end each of ``app_roles`` may read and write rows.
    """
    _upgrade(db.engine(url, timeout_seconds=None, poolclass=NullPool), app_roles)


def upgrade_from(settings: Settings) -> None:
    """As ``upgrade``, for the database of the settings, wherever it is."""
    engine = db.engine_from(settings, timeout_seconds=None, poolclass=NullPool)
    _upgrade(engine, settings.database_roles)


def _upgrade(engine: Engine, app_roles: Sequence[str]) -> None:
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        auditing.begin(connection)
        command.upgrade(config(connection), "head")
        grants.give(connection, app_roles)


def config(connection: Connection) -> Config:
    """Return Alembic's configuration for an open connection."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings
