"""What clients ask first: who is there, and is it well?"""

from datetime import UTC, datetime
from typing import Literal

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import text

from api_service import views
from api_service.context import deps, reading
from api_service.openapi import describes

bp = Blueprint("project_service", __name__)
health = Blueprint("project_health", __name__, url_prefix="/api")


class ServiceOut(BaseModel):
    """Name and version of the service."""

    name: str
    version: str
    debug: Literal[False]


class Healthy(BaseModel):
    """It answers, and so does its database."""

    status: Literal["healthy"]
    timestamp: str


@bp.get("/info")
@describes(gives=ServiceOut)
def show() -> ResponseReturnValue:
    """Tell who answers; there is no mode that would tell more of an error."""
    settings = deps().settings
    return {
        "name": settings.app_name,
        "version": settings.app_version,
        "debug": False,
    }


@health.get("/health")
@describes(gives=Healthy)
def check() -> ResponseReturnValue:
    """Tell that process and database answer; 503 while the database does not."""
    with reading() as session:
        session.execute(text("select 1"))
    return {"status": "healthy", "timestamp": views.timestamp(datetime.now(UTC))}
