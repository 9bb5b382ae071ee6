"""Every failure, in the one error document that all families of clients can read.

``detail`` is what Pegasus clients show, ``message`` what Quiz clients show, ``error``
what VidWiz clients show and machines read. A bug says nothing of itself.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any

from flask import Flask, current_app, g, redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from api_service import quiz, vidwiz
from common.db.outage import RETRY_AFTER_SECONDS, is_away
from common.errors import AppError, TooLarge

log = logging.getLogger(__name__)


class InvalidRequest(AppError):
    """Some parameter or field is not valid."""

    status = 422
    code = "validation_error"

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__()
        self.problems = problems


def register(app: Flask) -> None:
    """Make ``app`` answer every failure with the error document."""
    app.register_error_handler(InvalidRequest, _invalid)
    app.register_error_handler(AppError, _expected)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SQLAlchemyError, _database)
    app.register_error_handler(Exception, _bug)


def _invalid(error: InvalidRequest) -> ResponseReturnValue:
    if vidwiz.is_asked():
        details = vidwiz.details_of(error.problems)
        body = _body(422, vidwiz.INVALID, error.code, details)
        return body | {"detail": vidwiz.problems(error.problems)}, 422
    body = _body(422, str(error), error.code, error.problems)
    if quiz.is_asked():
        body["errors"] = quiz.errors(error.problems)
    return body | {"detail": error.problems}, 422


def _expected(error: AppError) -> ResponseReturnValue:
    headers = {}
    wait = error.retry_after_seconds
    if wait is not None or error.retryable:
        headers["Retry-After"] = str(math.ceil(wait or RETRY_AFTER_SECONDS))
    if isinstance(error, TooLarge):  # what is still being sent is not worth reading
        headers["Connection"] = "close"
    details: vidwiz.Details = error.details
    if vidwiz.is_asked():
        details = vidwiz.details(error.status, details, wait)
    return _document(
        error.status, str(error), error.code, headers=headers, details=details
    )


def _http(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, RequestRedirect):
        return error.get_response()
    if isinstance(error, NotFound) and (target := _without_slash()):
        return redirect(target, 307)
    name = error.name.title()  # "Not Found", as clients have always read it
    headers = {}
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        refused = {"HEAD"} if vidwiz.is_asked() else set()
        headers["Allow"] = ", ".join(sorted(set(error.valid_methods) - refused))
    code = error.name.lower().replace(" ", "_")
    return _document(error.code or 500, name, code, headers=headers)


def _without_slash() -> str | None:
    """Return the path without its last slash if there is a route for that."""
    path = request.path.rstrip("/")
    adapter = current_app.create_url_adapter(request)
    if not path or path == request.path or request.url_rule or adapter is None:
        return None
    try:
        adapter.match(path)
    except HTTPException:
        return None
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query else path


def _database(error: SQLAlchemyError) -> ResponseReturnValue:
    """Answer 503 while the database is away; anything else is a bug of ours.

    Also when it has undone the request because another one was in its way.
    """
    if not is_away(error):
        return _bug(error)
    log.warning("database unavailable", extra={"error": type(error).__name__})
    text = "The database is not available for now; try again shortly."
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return _document(503, text, "unavailable", headers=headers)


def _bug(error: Exception) -> ResponseReturnValue:
    log.error("unexpected", exc_info=error)
    return _document(500, "Internal Server Error", "internal_error")


def _document(
    status: int,
    message: str,
    code: str,
    *,
    headers: Mapping[str, str] | None = None,
    details: vidwiz.Details = None,
) -> ResponseReturnValue:
    return _body(status, message, code, details), status, dict(headers or {})


def _body(
    status: int, message: str, code: str, details: vidwiz.Details
) -> dict[str, Any]:
    if vidwiz.is_asked():
        code = vidwiz.code(status, code)
    document = {
        "detail": message,
        "message": message,
        "error": {"code": code, "message": message, "details": details},
        "request_id": g.get("request_id"),
    }
    return document | ({"errors": {}} if quiz.is_asked() else {})
