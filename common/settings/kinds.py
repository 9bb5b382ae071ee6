"""Kinds of environment variables, and what is said of a wrong value."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError


def problem(text: str) -> PydanticCustomError:
    """Return the error that ends up as a line for the operator; it shows no value."""
    return PydanticCustomError("environment", "{text}", {"text": text})


def env(name: str, default: Any) -> Any:  # noqa: ANN401 - as Field itself
    """Return a field that is read from the variable ``name``."""
    return Field(default, validation_alias=name)


def _integer(value: object) -> int:
    try:
        return int(str(value).strip())
    except ValueError:
        raise problem("must be an integer.") from None


def _positive(value: object) -> int:
    if (number := _integer(value)) <= 0:
        raise problem("must be a positive integer.")
    return number


def _not_negative(value: object) -> int:
    if (number := _integer(value)) < 0:
        raise problem("must be zero or greater.")
    return number


def _limit(value: object) -> int | None:
    """Return a limit; blank is none."""
    return None if value is None or not str(value).strip() else _positive(value)


def _switch(value: object) -> bool:
    return str(value).strip().lower() in {"1", "true", "yes", "on"}


def _blank_is_absent(value: object) -> object:
    if isinstance(value, str):
        return value.strip() or None
    return value


def _money(value: object) -> object:
    """Return dollars as a number; blank is no limit."""
    if value is None or not str(value).strip():
        return None
    try:
        dollars = float(str(value))
    except ValueError:
        raise problem("must be a number.") from None
    if not 0 <= dollars < float("inf"):
        raise problem("must be zero or greater.")
    return dollars


Positive = Annotated[int, BeforeValidator(_positive)]
Limit = Annotated[int | None, BeforeValidator(_limit)]
NotNegative = Annotated[int, BeforeValidator(_not_negative)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Word = Annotated[str | None, BeforeValidator(_blank_is_absent)]
Secret = Annotated[SecretStr | None, BeforeValidator(_blank_is_absent)]
Dollars = Annotated[float | None, BeforeValidator(_money)]
