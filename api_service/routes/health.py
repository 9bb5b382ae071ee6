"""Is it alive, and can it work?"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api_service.context import deps
from api_service.openapi import describes
from common.errors import AppError

bp = Blueprint("health", __name__, url_prefix="/health")

_PROBE_KEY = "health/probe"


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]
    time: str
    timestamp: str


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Check(BaseModel):
    """One part that Pegasus needs."""

    status: Literal["ok", "error", "skipped"]
    reason: str | None = None


class Checks(BaseModel):
    """All parts that Pegasus needs."""

    database: Check
    queue: Check
    storage: Check


class Ready(BaseModel):
    """Whether everything that is needed answers."""

    status: Literal["ok", "degraded"]
    time: str
    checks: Checks


@bp.get("")
@describes(gives=Health)
def health() -> ResponseReturnValue:
    """Tell that the process answers; nothing else is touched."""
    now = datetime.now(UTC).isoformat()
    return {"status": "ok", "time": now, "timestamp": now}


@bp.get("/live")
@describes(gives=Live)
def live() -> ResponseReturnValue:
    """Tell that the process answers, for liveness probes."""
    return {"status": "ok"}


@bp.get("/ready")
@describes(gives=Ready, also={503: Ready})
def ready() -> ResponseReturnValue:
    """Tell whether database, queue and storage answer; 503 when one does not."""
    checks = {
        "database": _check(_database),
        "queue": _queue(),
        "storage": _check(_storage),
    }
    degraded = any(check["status"] == "error" for check in checks.values())
    body = {
        "status": "degraded" if degraded else "ok",
        "time": datetime.now(UTC).isoformat(),
        "checks": checks,
    }
    return body, 503 if degraded else 200


def _check(probe: Callable[[], object]) -> dict[str, str]:
    try:
        probe()
    except (AppError, SQLAlchemyError, OSError) as exc:
        return {"status": "error", "reason": _reason(exc)}
    return {"status": "ok"}


def _reason(exc: Exception) -> str:
    """Say what is down. A database error's text may hold its address: only its kind."""
    return str(exc) if isinstance(exc, AppError) else type(exc).__name__


def _database() -> None:
    with deps().db.begin() as session:
        session.execute(text("select 1"))


def _queue() -> dict[str, str]:
    if deps().settings.inline_jobs:
        return {"status": "skipped", "reason": "PLC_INLINE_JOBS is enabled."}
    return _check(deps().queue.check)


def _storage() -> None:
    deps().storage.size_bytes(_PROBE_KEY)
