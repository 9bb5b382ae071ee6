"""What is particular to the paths of VidWiz clients, all of which start with /v2."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

Details = Sequence[Mapping[str, object]] | Mapping[str, object] | None

_PREFIX = "/v2/"
_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    422: "VALIDATION_ERROR",
    429: "RATE_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
}
_NO_OBJECT = {
    "type": "model_attributes_type",
    "msg": "Input should be a valid dictionary or object to extract fields from",
}
INVALID = "Request validation failed"


def register(app: Flask) -> None:
    """Refuse what those clients' server refuses, and mark its answers."""
    app.before_request(_refuse_head)
    app.after_request(_mark)


def is_asked() -> bool:
    """Return whether the present request is for one of these paths."""
    return request.path.startswith(_PREFIX)


def code(status: int, usual: str) -> str:
    """Return the word by which these clients know a failure."""
    return _CODES.get(status, usual.upper())


def problems(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is wrong with a request, without what was sent: it may be secret."""
    plain = [
        {**one, **_NO_OBJECT} if one["type"] == "model_type" else one for one in found
    ]
    return [
        {"loc": one["loc"], "msg": one["msg"], "type": one["type"]} for one in plain
    ]


def details_of(found: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Return the same as ``error.details`` has it: ``body.email`` and so on."""
    return [
        {
            "field": ".".join(str(part) for part in one["loc"]),
            "message": one["msg"],
            "type": one["type"],
        }
        for one in problems(found)
    ]


def details(status: int, found: Details, wait_seconds: float | None) -> Details:
    """Return the details of an error; of a limit also when it will be over."""
    if status != 429 or found is not None or wait_seconds is None:  # noqa: PLR2004 - a limit
        return found
    return {"reset_in_seconds": math.ceil(wait_seconds)}


def _refuse_head() -> None:
    if request.method == "HEAD" and is_asked() and request.url_rule is not None:
        methods = (request.url_rule.methods or set()) - {"HEAD"}
        raise MethodNotAllowed(valid_methods=sorted(methods))


def _mark(response: Response) -> Response:
    if is_asked():
        response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
    return response
