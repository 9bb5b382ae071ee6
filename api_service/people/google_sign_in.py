"""Accounts of people for whom Google vouches."""

from pydantic_core import PydanticCustomError
from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api_service.people.email_addresses import normalised
from common.errors import AppError, BadRequest, Conflict
from common.models import User
from common.providers.identity import BadToken, People, Person


class BadGoogleToken(AppError):
    """Invalid Google credential"""  # noqa: D415 - clients know it like this

    status = 401
    code = "unauthorized"


class NoGoogle(AppError):
    """Google OAuth not configured"""  # noqa: D415 - clients know it like this


def vouched_for(people: People | None, credential: str) -> Person:
    """Return the person for whom Google vouches in a token for us.

    Raises:
        BadGoogleToken: it does not, or not for the e-mail.
        BadRequest: it tells no e-mail.
        NoGoogle: this deployment knows nobody of Google.
        ProviderUnavailable: its certificates cannot be had for now.
    """
    if people is None:
        raise NoGoogle
    try:
        person = people.person(credential)
    except BadToken as exc:
        raise BadGoogleToken from exc
    if person.email is None:
        raise BadRequest("Email is required for Google Sign-In")
    return person


def account(session: Session, person: Person) -> User:
    """Return the person's account, made if there is none.

    An account is the person's only if it was made by Google. One with the same e-mail
    and a password may be somebody else's, who registered it without owning the
    address: it is neither entered nor changed.

    Raises:
        Conflict: there is such an account.
    """
    user = session.scalar(_made_by_google(person)) or _made(session, person)
    if person.picture_url:
        user.picture_url = person.picture_url
    session.flush()
    return user


def _made_by_google(person: Person) -> Select[User]:
    return select(User).where(User.google_subject == person.subject).with_for_update()


def _made(session: Session, person: Person) -> User:
    email = _address(person)
    values = {
        "email": email,
        "name": (person.name or email.partition("@")[0])[:100],
        "google_subject": person.subject,
        "picture_url": person.picture_url,
    }
    session.execute(insert(User).values(values).on_conflict_do_nothing())
    # Another sign-in of the same person may have been first.
    if user := session.scalar(_made_by_google(person)):
        return user
    raise Conflict("An account with this email exists. Please log in with its password")


def _address(person: Person) -> str:
    try:
        return normalised(person.email or "")
    except PydanticCustomError as exc:
        raise BadGoogleToken from exc
