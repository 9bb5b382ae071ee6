"""What a route may ask about the request it is serving."""

import json
import math
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from flask import current_app, request
from pydantic import BaseModel, ValidationError
from sqlalchemy.orm import Session

from api_service import vidwiz
from api_service.errors import InvalidRequest
from common import db
from common.deps import Deps

M = TypeVar("M", bound=BaseModel)

_SMALL_BODY_BYTES = 1024 * 1024  # JSON bodies hold names and ids


def deps() -> Deps:
    """Return what the app was built around."""
    return cast("Deps", current_app.extensions["deps"])


def reading() -> AbstractContextManager[Session]:
    """Open a session that only reads; see ``common.db.reading``."""
    return db.reading(deps().db)


def query(model: type[M]) -> M:
    """Return the query string as ``model``; parameters it does not know are ignored.

    Raises:
        InvalidRequest: with one entry per parameter that is not valid.
    """
    return validated(model, request.args.to_dict(), "query")


def form(model: type[M]) -> M:
    """Return the form fields as ``model``, without the files.

    Raises:
        InvalidRequest: with one entry per field that is not valid.
    """
    return validated(model, request.form.to_dict(), "body")


def body(
    model: type[M], *, optional: bool = False, most_bytes: int = _SMALL_BODY_BYTES
) -> M:
    """Return the JSON body as ``model``; keys it does not know are ignored.

    Args:
        model: what the body must be.
        optional: whether an absent body counts as ``{}``.
        most_bytes: of the body; a larger one is refused.

    Raises:
        InvalidRequest: absent, malformed, or some field is not valid.
    """
    document = sent_document(most_bytes)
    if document is not None:
        return validated(model, document[0], "body")
    if optional:
        return model()
    raise InvalidRequest([_problem("missing", ["body"], "Field required", None)])


def sent_document(most_bytes: int = _SMALL_BODY_BYTES) -> tuple[object] | None:
    """Return the JSON of the body, whatever it is; None if there is none.

    Raises:
        InvalidRequest: it is malformed.
    """
    request.max_content_length = most_bytes
    raw = request.get_data()
    if not raw.strip():
        return None
    if vidwiz.is_asked() and request.mimetype and not request.is_json:
        return (raw.decode(errors="replace"),)  # which is no object
    try:
        return (json.loads(raw, parse_constant=_finite, parse_float=_finite),)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest([_malformed(exc)]) from exc


def _finite(number: str) -> float:
    """Refuse NaN and 1e999: an answer that repeats them would not be JSON."""
    if not math.isfinite(value := float(number)):
        raise ValueError(number)
    return value


def validated(model: type[M], document: object, *where: str) -> M:
    """Return a document that was sent as ``model``.

    Raises:
        InvalidRequest: with one entry per field that is not valid; their places begin
            with ``where``.
    """
    try:
        valid = model.model_validate(document)
    except ValidationError as exc:
        raise InvalidRequest(
            [
                {**error, "loc": [*where, *error["loc"]]}
                for error in exc.errors(include_url=False, include_context=True)
            ]
        ) from exc
    problems = [
        _problem("string_nul", [*where, name], "Input should be without NUL", value)
        for name, value in valid
        if isinstance(value, str) and "\0" in value  # PostgreSQL cannot hold it
    ]
    if problems:
        raise InvalidRequest(problems)
    return valid


def _malformed(exc: Exception) -> dict[str, Any]:
    place = exc.pos if isinstance(exc, json.JSONDecodeError) else 0
    text = exc.msg if isinstance(exc, json.JSONDecodeError) else "not JSON"
    problem = _problem("json_invalid", ["body", place], "JSON decode error", {})
    return problem | {"ctx": {"error": text}}


def _problem(kind: str, where: list[object], text: str, sent: object) -> dict[str, Any]:
    return {"type": kind, "loc": where, "msg": text, "input": sent}
