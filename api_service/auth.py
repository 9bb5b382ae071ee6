"""Who may call: checked before a route runs, so that no route can forget it.

A route is open for reading and guarded for writing unless ``ACCESS`` says otherwise.
With ``PLC_READ_API_TOKEN`` set nothing but health and documentation is open.
"""

import hmac
import re
from collections.abc import Sequence
from enum import Enum, auto
from hashlib import sha256

from flask import Flask, current_app, request
from pydantic import SecretStr
from sqlalchemy import func, select, update

from api_service import vidwiz
from api_service.context import deps, reading, sent_document
from api_service.people import guests, sessions
from api_service.people.callers import Caller, recognise
from common.errors import AppError
from common.models import LongTermToken, User
from common.settings import Settings

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_GUEST = re.compile(r"[\x21-\x7e]{16,200}")  # short ones are guessed; theirs are UUIDs


class Unauthorized(AppError):
    """Missing or invalid Authorization header."""

    status = 401
    code = "unauthorized"


class Forbidden(AppError):
    """Invalid API token."""

    status = 403
    code = "forbidden"


class NoAdmin(AppError):
    """Admin token is not configured"""  # noqa: D415 - clients know it like this


class Access(Enum):
    """What a route asks of its caller."""

    OPEN = auto()  # nothing, ever: it tells nothing of anybody
    READ = auto()  # the read token, where the deployment has one, or a person
    WRITE = auto()  # the write token, where the deployment has one, or a person
    USER = auto()  # a person who has logged in
    NOTES = auto()  # a person, or a tool that a person gave a long-term token
    VIEWER = auto()  # a person or a guest
    ADMIN = auto()  # a helper of the operator's


# Only what differs from the rule: reading asks READ, anything else asks WRITE.
ACCESS = {
    "health.health": Access.OPEN,
    "health.live": Access.OPEN,
    "health.ready": Access.OPEN,
    "documentation.description": Access.OPEN,
    "documentation.page": Access.OPEN,
    "documentation.asset": Access.OPEN,
    "deletions.audit": Access.WRITE,
    "project_health.check": Access.OPEN,
    "project_service.show": Access.OPEN,
    "upload_contents.receive": Access.OPEN,  # whoever has its URL may, as a bucket's
    "v2_auth.register": Access.OPEN,
    "v2_auth.login": Access.OPEN,
    "v2_auth.google": Access.OPEN,
    "v2_auth.create_token": Access.USER,
    "v2_auth.revoke_token": Access.USER,
    "v2_users.me": Access.USER,
    "v2_users.change_me": Access.USER,
    "v2_payments.products": Access.OPEN,
    "v2_videos.index": Access.USER,
    "v2_videos.get": Access.USER,
    "v2_videos.stream": Access.VIEWER,
    "v2_notes.of_video": Access.USER,
    "v2_notes.create": Access.NOTES,
    "v2_notes.change": Access.USER,
    "v2_notes.remove": Access.USER,
    "v2_internal_tasks.claim": Access.ADMIN,
    "v2_internal_tasks.submit": Access.ADMIN,
    "v2_internal.waiting_notes": Access.ADMIN,
    "v2_internal.get_video": Access.ADMIN,
    "v2_internal.put_transcript": Access.ADMIN,
    "v2_internal.put_metadata": Access.ADMIN,
    "v2_internal.put_summary": Access.ADMIN,
    "v2_internal.write_note": Access.ADMIN,
    "v2_guests.create": Access.OPEN,
    "v2_conversations.create": Access.VIEWER,
    "v2_conversations.list_all": Access.VIEWER,
    "v2_conversations.get": Access.VIEWER,
    "v2_messages.list_all": Access.VIEWER,
    "v2_messages.ask": Access.VIEWER,
}


def register(app: Flask) -> None:
    """Have every request checked before its route runs."""
    app.before_request(_check)


def access_of(endpoint: str, method: str) -> Access:
    """Return what an endpoint asks of its caller."""
    usual = Access.READ if method in _SAFE_METHODS else Access.WRITE
    return ACCESS.get(endpoint.removeprefix("api_"), usual)  # a twin as its original


def _check() -> None:
    if request.endpoint is None or request.method == "OPTIONS":
        return  # an unknown path or method: there is nothing to guard
    access = access_of(request.endpoint, request.method)
    if access is not Access.ADMIN and vidwiz.is_asked() and _takes_json():
        sent_document()  # those clients are told of malformed JSON before all else
    recognise(_let_in(access))


def _let_in(access: Access) -> Caller:
    """Return who calls, if the caller has what a route asks for."""
    match access:
        case Access.OPEN:
            return Caller()
        case Access.USER:
            return Caller(user_id=_person(_sent()))
        case Access.NOTES:
            return Caller(user_id=_person_or_tool(_sent()))
        case Access.VIEWER:
            return _viewer()
        case Access.ADMIN:
            return _admin()
        case Access.READ | Access.WRITE:
            return _friend(access)


def _takes_json() -> bool:
    view = current_app.view_functions[request.endpoint or ""]
    description = getattr(view, "openapi", None)
    return description is not None and description.body is not None


def _friend(access: Access) -> Caller:
    """Return who has a token of the deployment, or has logged in."""
    settings = deps().settings
    accepted = _accepted(settings, access)
    sent = _bearer()
    if sent and _is_one_of(sent, accepted):
        return Caller()
    if settings.secret_key is not None and sessions.looks_like_one(sent):
        return Caller(user_id=_person(sent))  # who has expired is not nobody
    if accepted:
        raise Forbidden if sent else Unauthorized
    return Caller()


def _accepted(settings: Settings, access: Access) -> list[SecretStr]:
    """Return the tokens that let in; none: the door is open."""
    readers = _valid(settings.read_api_token, settings.old_read_api_token)
    writers = _valid(settings.write_api_token, settings.old_write_api_token)
    if access is Access.WRITE:
        # Who sets only a read token wants no strangers: least of all to write.
        return writers or readers
    return [*readers, *writers] if readers else []


def _valid(token: SecretStr | None, old: SecretStr | None) -> list[SecretStr]:
    """Return the tokens that let in: an old one only beside its successor."""
    return [each for each in (token, old) if token is not None and each is not None]


def _person(token: str) -> int:
    """Return who has logged in with this token, and still exists.

    Raises:
        BadSession: nobody has, or it was ended.
        NotConfigured: this deployment has no accounts.
    """
    if sessions.is_long_term(token):
        text = "Long-term tokens are not allowed for this endpoint"
        raise sessions.BadSession(text)
    said = sessions.read(deps().settings, token)
    with reading() as session:
        version = session.scalar(
            select(User.token_version).where(User.id == said.user_id)
        )
    if version != said.version:
        raise sessions.BadSession
    return said.user_id


def _person_or_tool(token: str) -> int:
    if not sessions.is_long_term(token):
        return _person(token)
    used = (
        update(LongTermToken)
        .where(LongTermToken.sha256 == sessions.digest(token))
        .values(last_used_at=func.now())
        .returning(LongTermToken.user_id)
    )
    with deps().db.begin() as session:
        user_id = session.scalar(used)
    if user_id is None:
        raise sessions.BadSession("Invalid or revoked long-term token")
    return user_id


def _viewer() -> Caller:
    """Return the person or the guest; who has expired does not become a guest."""
    sent, guest = _bearer(), request.headers.get("X-Guest-Session-ID", "").strip()
    known = _GUEST.fullmatch(guest) is not None
    if sent and not (sessions.is_long_term(sent) and not known):
        return Caller(user_id=_person(sent))
    if not known or guests.is_forged(deps().settings, guest):
        raise Unauthorized("Missing Auth or Guest ID")
    return Caller(guest=sessions.digest(guest))


def _admin() -> Caller:
    sent = _sent()
    tokens = deps().settings.admin_tokens
    if not tokens:
        raise NoAdmin
    if not _is_one_of(sent, tokens):
        raise Forbidden("Invalid admin token")
    return Caller()


def _sent() -> str:
    """Return the bearer token.

    Raises:
        Unauthorized: there is none.
    """
    if not (sent := _bearer()):
        raise Unauthorized("Missing or invalid Authorization header")
    return sent


def _bearer() -> str:
    """Return the bearer token of the request, "" if it has none."""
    # A server hands over a header's bytes as Latin-1.
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    return sent.strip(" \t\r\n\f\v") if scheme.lower() == "bearer" else ""


def _is_one_of(sent: str, accepted: Sequence[SecretStr]) -> bool:
    matches = [_same(sent, token) for token in accepted]  # all of them
    return any(matches)


def _same(sent: str, token: SecretStr) -> bool:
    """Compare in a time that tells nothing, not even how long the token is."""
    given = sent.encode("latin-1", "replace")
    expected = token.get_secret_value().strip().encode()
    return hmac.compare_digest(sha256(given).digest(), sha256(expected).digest())
