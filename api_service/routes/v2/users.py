"""What a person may know and change about the own account."""

from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, field_validator
from sqlalchemy import exists, select

from api_service.context import body, deps, reading
from api_service.openapi import describes
from api_service.people.callers import caller
from api_service.routes.v2.schemas import moment
from common.errors import NotFound
from common.models import LongTermToken, User

bp = Blueprint("v2_users", __name__, url_prefix="/v2/users")

_CREDITS = 100  # what clients show to people who never pay: nothing here costs any
_SHORTEST_NAME, _LONGEST_NAME = 2, 100


class Me(BaseModel):
    """A person's own account. The long-term token itself is shown once, when made."""

    id: int
    email: str
    name: str
    profile_image_url: str | None
    ai_notes_enabled: bool
    token_exists: bool
    credits_balance: int
    long_term_token: None
    created_at: str


class ChangeMe(BaseModel):
    """What is null or missing stays as it is."""

    ai_notes_enabled: bool | None = None
    name: str | None = None

    @field_validator("name", mode="after")
    @classmethod
    def _name_is_one(cls, value: str | None) -> str | None:
        if value is None:
            return None
        name = value.strip()
        if len(name) < _SHORTEST_NAME:
            raise ValueError("Name must be at least 2 characters long")
        if len(name) > _LONGEST_NAME:
            raise ValueError("Name must be less than 100 characters")
        return name


@bp.get("/me")
@describes(gives=Me, errors=(404,))
def me() -> ResponseReturnValue:
    """Return the caller's account."""
    has_token = exists().where(LongTermToken.user_id == User.id)
    query = select(User, has_token).where(User.id == caller().user_id)
    with reading() as session:
        row = session.execute(query).first()
    if row is None:
        raise NotFound("User not found")
    user, token_exists = row
    return _shown(user, token_exists=token_exists)


@bp.patch("/me")
@describes(body=ChangeMe, gives=Me, errors=(404,))
def change_me() -> ResponseReturnValue:
    """Change the caller's name, or whether notes are written for it."""
    wanted = body(ChangeMe)
    user_id = caller().user_id
    with deps().db.begin() as session:
        user = session.get(User, user_id, with_for_update=True)
        if user is None:
            raise NotFound("User not found")
        for name, value in wanted.model_dump(exclude_none=True).items():
            setattr(user, name, value)
        token_exists = session.get(LongTermToken, user_id) is not None
    return _shown(user, token_exists=token_exists)


def _shown(user: User, *, token_exists: bool) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "profile_image_url": user.picture_url,
        "ai_notes_enabled": user.ai_notes_enabled,
        "token_exists": token_exists,
        "credits_balance": _CREDITS,
        "long_term_token": None,
        "created_at": moment(user.created_at),
    }
