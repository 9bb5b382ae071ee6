"""People register, log in, and give their tools tokens."""

from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, field_validator
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from api_service import rate_limits
from api_service.context import body, deps, reading
from api_service.openapi import describes
from api_service.people import google_sign_in, passwords, sessions
from api_service.people.callers import caller
from api_service.people.email_addresses import Email
from api_service.routes.v2.schemas import Told
from common.errors import AppError, BadRequest, Conflict, NotFound
from common.models import LongTermToken, User

bp = Blueprint("v2_auth", __name__, url_prefix="/v2/auth")

_HAS_ONE = (
    "A long-term token already exists."
    " Please revoke the existing token before generating a new one."
)
_KEPT: Any = {"read": True, "key_share": True}  # nobody deletes the row meanwhile
_LONGEST_PASSWORD = 1000  # a passphrase; more is no person's

Password = Annotated[str, Field(max_length=_LONGEST_PASSWORD)]


class BadCredentials(AppError):
    """Invalid email or password"""  # noqa: D415 - clients know it like this

    status = 401
    code = "unauthorized"


class NewPerson(BaseModel):
    """Who wants an account."""

    email: Email
    password: Annotated[Password, Field(min_length=7)]
    name: Annotated[str, Field(min_length=2, max_length=100)]

    @field_validator("name", mode="after")
    @classmethod
    def _name_is_not_blank(cls, value: str) -> str:
        if not (name := value.strip()):
            raise ValueError("name cannot be empty")
        return name


class Credentials(BaseModel):
    """Who says to be somebody."""

    email: Email
    password: Annotated[Password, Field(min_length=1)]


class GoogleCredential(BaseModel):
    """What Google gave the browser: an ID token."""

    credential: Annotated[str, Field(min_length=1, max_length=10_000)]


class Token(BaseModel):
    """What to send as bearer from now on."""

    token: str


class NewToken(Told):
    """A token for a tool. It is shown this once; only its hash is kept."""

    token: str


@bp.post("/register")
@describes(body=NewPerson, gives=Told, status=201, errors=(409, 429))
def register() -> ResponseReturnValue:
    """Make an account."""
    wanted = body(NewPerson)
    rate_limits.take_try("register", wanted.email)
    kept = passwords.derive(wanted.password)  # before it is known who is there already
    new = (
        insert(User)
        .values(email=wanted.email, name=wanted.name, password_hash=kept)
        .on_conflict_do_nothing(index_elements=[User.email])
        .returning(User.id)
    )
    with deps().db.begin() as session:
        if session.scalar(new) is None:
            raise Conflict("Email already exists")
    return {"message": "User created successfully"}, 201


@bp.post("/login")
@describes(body=Credentials, gives=Token, errors=(401, 429))
def login() -> ResponseReturnValue:
    """Begin a session. Who is unknown is refused in the same time as who errs."""
    sent = body(Credentials)
    rate_limits.take_try("login", sent.email)
    with reading() as session:
        user = session.scalar(select(User).where(User.email == sent.email))
    kept = user.password_hash if user else None
    if not passwords.matches(sent.password, kept) or user is None or kept is None:
        raise BadCredentials
    if passwords.is_outdated(kept):
        _derive_anew(user.id, sent.password, kept)
    return {"token": sessions.begin(deps().settings, user)}


@bp.post("/google")
@describes(body=GoogleCredential, gives=Token, errors=(400, 401, 409, 429))
def google() -> ResponseReturnValue:
    """Begin a session for whom Google vouches, with a new account if need be."""
    sent = body(GoogleCredential)
    rate_limits.take_try("google")
    person = google_sign_in.vouched_for(deps().people, sent.credential)
    with deps().db.begin() as session:
        user = google_sign_in.account(session, person)
        return {"token": sessions.begin(deps().settings, user)}


@bp.post("/tokens")
@describes(gives=NewToken, errors=(400, 404))
def create_token() -> ResponseReturnValue:
    """Make the long-term token with which a tool may write notes."""
    token = sessions.long_term_token()
    user_id = caller().user_id
    new = (
        insert(LongTermToken)
        .values(user_id=user_id, sha256=sessions.digest(token))
        .on_conflict_do_nothing(index_elements=[LongTermToken.user_id])
        .returning(LongTermToken.user_id)
    )
    with deps().db.begin() as session:
        if session.get(User, user_id, with_for_update=_KEPT) is None:
            raise NotFound("User not found")
        if session.scalar(new) is None:
            raise BadRequest(_HAS_ONE)
    return {"message": "Long-term token generated successfully", "token": token}


@bp.delete("/tokens")
@describes(gives=Told, errors=(404,))
def revoke_token() -> ResponseReturnValue:
    """End the long-term token at once."""
    mine = LongTermToken.user_id == caller().user_id
    gone = delete(LongTermToken).where(mine).returning(LongTermToken.user_id)
    with deps().db.begin() as session:
        if session.scalar(gone) is None:
            raise NotFound("No long-term token found")
    return {"message": "Long-term token revoked successfully"}


def _derive_anew(user_id: int, password: str, kept: str) -> None:
    """Keep a password at today's cost, unless it was changed meanwhile."""
    same = User.id == user_id, User.password_hash == kept
    derived = passwords.derive(password)
    with deps().db.begin() as session:
        session.execute(update(User).where(*same).values(password_hash=derived))
