"""The trace of each delivery: in its log lines, and as a span when switched on."""

from contextlib import ExitStack

from flask import Flask, Response, g, request

from common import logs, tracing


def register(app: Flask, project: str | None) -> None:
    """Do each request in the trace of its sender; ``project`` is that of the logs."""

    @app.before_request
    def begin() -> None:
        """Runs before the check of the caller, so that refusals are in the trace."""
        name = f"{request.method} {request.url_rule or 'unknown'}"
        opened = ExitStack()
        g.setdefault("open", []).append(opened)  # one in another shares g
        g.span = opened.enter_context(tracing.request(name, request.headers))
        opened.enter_context(logs.bind(**tracing.log_fields(g.span.trace, project)))

    @app.after_request
    def note(response: Response) -> Response:
        g.span.note("http.response.status_code", response.status_code)
        return response

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        if opened := g.get("open"):
            opened.pop().close()
