"""How VidWiz clients spell what several of their routes take and give."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from api_service.errors import InvalidRequest

_LAST_ID = 2**31 - 1


class Told(BaseModel):
    """Something was done."""

    message: str


class Strict(BaseModel):
    """A body in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


def moment(at: datetime) -> str:
    """Return a time in UTC as these clients know it: 2026-11-20T20:59:12+0000."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")


def path_id(name: str, text: str) -> int:
    """Return a number that stands in the path.

    Routes take it as text, as it is looked at only after the caller was let in.

    Raises:
        InvalidRequest: it is none, or none that a row can have.
    """
    try:
        number = int(text)
    except ValueError:
        reason = "Input should be a valid integer, unable to parse string as an integer"
        raise _invalid(name, "int_parsing", reason) from None
    if number < 1:
        reason = "Input should be greater than or equal to 1"
        raise _invalid(name, "greater_than_equal", reason)
    if number > _LAST_ID:
        reason = f"Input should be less than or equal to {_LAST_ID}"
        raise _invalid(name, "less_than_equal", reason)
    return number


def _invalid(name: str, kind: str, reason: str) -> InvalidRequest:
    return InvalidRequest([{"type": kind, "loc": ["path", name], "msg": reason}])
