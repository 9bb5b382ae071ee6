"""Whether an error is the database's absence, or a bug of ours."""

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

RETRY_AFTER_SECONDS = 2  # a database that restarts is back within that

# It stops, crashed, starts, is full; undone for a deadlock.
_GONE_AWAY = {"57P01", "57P02", "57P03", "53300", "40P01"}


def is_away(error: SQLAlchemyError) -> bool:
    """Tell whether the same would succeed later.

    Also when the database has undone it because another one was in its way.
    """
    if isinstance(error, (PoolTimeout, OperationalError)):
        return True
    if not isinstance(error, DBAPIError):
        return False
    fields = error.orig.args[0] if error.orig is not None and error.orig.args else None
    if isinstance(fields, dict):
        return fields.get("C") in _GONE_AWAY
    return error.connection_invalidated or type(error.orig).__name__ == "InterfaceError"
