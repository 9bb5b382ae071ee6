"""What the services may do in a database whose tables belong to somebody else."""

from collections.abc import Sequence

from sqlalchemy import Connection

_BY_DEFAULT = "alter default privileges in schema public"

# Rows and nothing else: no tables are made or changed, no triggers are turned off.
_RIGHTS = (
    "grant usage on schema public to {role}",
    "grant select, insert, update, delete on all tables in schema public to {role}",
    "grant usage on all sequences in schema public to {role}",
    "revoke insert, update, delete on alembic_version from {role}",
    # And so for what the owner makes by hand between two migrations.
    f"{_BY_DEFAULT} grant select, insert, update, delete on tables to {{role}}",
    f"{_BY_DEFAULT} grant usage on sequences to {{role}}",
)


def give(connection: Connection, roles: Sequence[str]) -> None:
    """Let each of ``roles`` read and write rows. Safe to run again.

    Args:
        connection: of the role that owns the tables.
        roles: names as PostgreSQL knows them; any characters.
    """
    quote = connection.dialect.identifier_preparer.quote_identifier
    for role in roles:
        for right in _RIGHTS:
            connection.exec_driver_sql(right.format(role=quote(role)))
