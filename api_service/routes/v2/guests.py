"""Guests: who has no account gets a session id that nobody can guess."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from api_service import rate_limits
from api_service.context import deps
from api_service.openapi import describes
from api_service.people import guests

bp = Blueprint("v2_guests", __name__, url_prefix="/v2/guests")


class Guest(BaseModel):
    """What to send as X-Guest-Session-ID from now on."""

    guest_session_id: str


@bp.post("")
@describes(gives=Guest, status=201, errors=(429,))
def create() -> ResponseReturnValue:
    """Return a new session id for a guest. It is not kept here."""
    rate_limits.take(f"guests:{rate_limits.client_address()}")
    return {"guest_session_id": guests.issue(deps().settings)}, 201
