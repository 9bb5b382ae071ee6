"""Is it alive, and can it work? And what is said while it cannot."""

import logging

from flask import Flask
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from common.db import reading
from common.db.outage import RETRY_AFTER_SECONDS, is_away
from common.deps import Deps

log = logging.getLogger(__name__)


def register(app: Flask, deps: Deps) -> None:
    """Answer probes, and 503 to everybody while the database is away."""

    @app.get("/health")
    def health() -> ResponseReturnValue:
        """Tell that the process answers; nothing else is touched."""
        return {"status": "ok"}

    @app.get("/health/ready")
    def ready() -> ResponseReturnValue:
        """Tell whether the database answers. Providers have outages of their own."""
        with reading(deps.db) as session:
            session.execute(text("select 1"))
        return {"status": "ok"}

    app.register_error_handler(SQLAlchemyError, _database)


def _database(error: SQLAlchemyError) -> ResponseReturnValue:
    """Have the queue and the scheduler come again; a bug of ours is not hidden."""
    if not is_away(error):
        raise error
    log.warning("database unavailable", extra={"error": type(error).__name__})
    return {"status": "degraded"}, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}
