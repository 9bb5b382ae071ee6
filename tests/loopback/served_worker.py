"""The worker's application behind a real port, in this process."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from common.deps import Deps
from common.providers import internal_calls


@dataclass
class Served:
    """Where it is, and how it answered so far."""

    app: Flask
    deps: Deps
    signs: bool  # as the platform would, for who cannot
    url: str = ""
    statuses: list[int] = field(default_factory=list)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        def start(status: str, *rest: Any) -> Any:
            self.statuses.append(int(status.partition(" ")[0]))
            return start_response(status, *rest)

        if self.signs:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token()}"
        return self.app(environ, start)

    def token(
        self, *, email: str = internal_calls.EVENTS, audience: str | None = None
    ) -> str:
        """Sign as the events' service account, or as ``email``."""
        settings = self.deps.settings
        return internal_calls.sign(
            settings.internal_secret,
            audience=audience or settings.worker_url,
            caller=email,
        )


class _Silent(WSGIRequestHandler):
    def log(self, *_args: Any) -> None:
        """Say nothing."""


@contextmanager
def served(app: Flask, deps: Deps, *, signs: bool = False) -> Iterator[Served]:
    """Serve on a free port, with a thread for each request."""
    worker = Served(app, deps, signs)
    server = make_server("127.0.0.1", 0, worker, threaded=True, request_handler=_Silent)
    worker.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield worker
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
