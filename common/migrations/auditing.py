"""Have the server write down who changes tables and roles, where it is able to."""

import logging

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

log = logging.getLogger(__name__)

# The setting is known where the server has the library loaded; without it the extension
# could not be made. Flags of Cloud SQL load it, and leave the rest to the database.
_WANTED = text("""
select exists (select from pg_available_extensions
                where name = 'pgaudit' and installed_version is null)
   and current_setting('pgaudit.log', true) is not null
""")


def begin(connection: Connection) -> None:
    """Make pgAudit, if this server has it. Safe to run again.

    Who may not make it goes on without: a database must not stay behind for that.
    """
    if not connection.scalar(_WANTED):
        return
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("create extension if not exists pgaudit")
    except DBAPIError as exc:
        log.warning("database not audited", extra={"error": str(exc.orig)})
