"""The database schema, step by step.

``python -m common.migrations`` brings a database up to date. It is run by
``scripts/dev`` and ``scripts/demo`` and by the deploy job, never by a service.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, text

from common import db

_LOCK = 7_034_2001  # any number that nothing else in this database locks


def upgrade(url: str) -> None:
    """Bring the database at ``url`` to the newest revision.

    Safe when many processes start at once: an advisory lock lets one work while the
    others wait, and those then find nothing left to do. All steps are one transaction.
    """
    engine = db.engine(url, timeout_seconds=None, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(config(connection), "head")


def config(connection: Connection) -> Config:
    """Return Alembic's configuration for an open connection."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.attributes["connection"] = connection
    return settings
