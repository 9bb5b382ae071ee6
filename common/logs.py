"""Logs: one JSON object a line, as Cloud Logging reads it.

What every line of a request or job should carry is bound once with ``bind``.
"""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_NOTHING: Mapping[str, object] = {}
_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default=_NOTHING)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_NOISY = ("alembic", "sqlalchemy.pool", "fontTools", "httpx2", "openai")


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Add ``fields`` to every line that is logged inside the block."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """Formats a record with its extra fields and those that are bound."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        entry: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        entry |= _bound.get()
        entry |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str, ensure_ascii=False)


def configure(level: int = logging.INFO) -> None:
    """Send all logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
