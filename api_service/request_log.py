"""The request's id and trace, on every line of its log; one line per request."""

import logging
import re
import time
from contextlib import ExitStack
from uuid import uuid4

from flask import Flask, Response, g, request

from api_service.context import deps
from common import logs, tracing

log = logging.getLogger(__name__)

# What a client sends goes into our logs and back into a header.
_ACCEPTABLE = re.compile(r"[\x21-\x7e]{1,200}")


def register(app: Flask) -> None:
    """Give each request an id and log how it ended."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_unbind)


def _begin() -> None:
    sent = request.headers.get("x-request-id", "")
    g.request_id = sent if _ACCEPTABLE.fullmatch(sent) else str(uuid4())
    g.started = time.perf_counter()
    name = f"{request.method} {request.url_rule or 'unknown'}"
    opened = ExitStack()
    g.setdefault("open", []).append(opened)  # a request made inside another shares g
    g.span = opened.enter_context(tracing.request(name, request.headers))
    fields = tracing.log_fields(g.span.trace, deps().settings.google_cloud_project)
    opened.enter_context(logs.bind(request_id=g.request_id, **fields))


def _end(response: Response) -> Response:
    response.headers["x-request-id"] = g.request_id
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    g.span.note("http.response.status_code", response.status_code)
    log.info(
        "request.complete",
        extra={
            "method": request.method,
            "path": request.path,
            "status_code": response.status_code,
            "duration_ms": round((time.perf_counter() - g.started) * 1000, 1),
        },
    )
    return response


def _unbind(_error: BaseException | None) -> None:
    if opened := g.get("open"):
        opened.pop().close()
