"""The API behind a real port, in this process, around a test's own parts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.serving import WSGIRequestHandler, make_server

from common.deps import Deps
from tests.conftest import make_api


class _Silent(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def served(deps: Deps) -> Iterator[str]:
    """Yield the address of an API that is gone afterwards, with its streams."""
    app = make_api(deps).application
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        app.extensions["streams"].close()
        server.shutdown()
        thread.join()
        server.server_close()
