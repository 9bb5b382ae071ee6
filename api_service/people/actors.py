"""Who does something, as the evidence of it calls them."""

from flask import g, request

from api_service.people.callers import caller
from common.deletions import Order

_CHARACTERS = 200


def actor() -> str:
    """Return a name. Of somebody who has not logged in it is the client's claim."""
    claimed = request.headers.get("x-actor-id", "").strip()[:_CHARACTERS]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = scheme.lower() == "bearer" and token.strip()
    user_id = caller().user_id
    known = "" if user_id is None else f"user:{user_id}"
    return known or claimed or ("bearer-token" if bearer else "anonymous")


def deletion_order(*, purge_storage: bool = True) -> Order:
    """Return who wants something deleted; the request id is ours."""
    return Order(
        actor=actor(), request_id=g.get("request_id"), purge_storage=purge_storage
    )
