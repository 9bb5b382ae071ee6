"""What is pushed to the worker. A new one is a module here and an entry below.

Pub/Sub reads only the status. 2xx: never send it again, be it done or not for us.
Anything else: later again, and after some tries to the dead-letter topic.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from sqlalchemy.exc import SQLAlchemyError

from common import events, jobs
from common.db.outage import is_away
from common.deps import Deps
from common.errors import AppError
from worker_service.events import storage
from worker_service.events.envelope import MAX_BYTES, Malformed, Message

__all__ = ["EVENTS", "MAX_BYTES", "deliver"]

log = logging.getLogger(__name__)

EVENTS: dict[str, Callable[[Message, Deps], None]] = {
    "storage": storage.run,
}


def deliver(name: str, body: bytes, deps: Deps) -> HTTPStatus:
    """Let a pushed message have its effect; return the status for Pub/Sub."""
    run = EVENTS.get(name)
    if run is None:
        return HTTPStatus.NOT_FOUND
    try:
        run(Message.parse(body), deps)
        jobs.drain(deps.db, deps.queue.send)
        events.drain(deps.db, deps.events.publish)
    except Malformed as exc:
        log.warning("event.malformed", extra={"event": name, "detail": str(exc)})
        return HTTPStatus.BAD_REQUEST
    except AppError as exc:
        log.warning("event.failed", extra={"event": name, "error": exc.code})
        busy, refused = HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.UNPROCESSABLE_ENTITY
        return busy if exc.retryable else refused
    except SQLAlchemyError as exc:
        if not is_away(exc):
            raise
        log.warning("database unavailable", extra={"error": type(exc).__name__})
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.NO_CONTENT
