"""A worker on loopback that notes who rings, and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Ring:
    """One call that came in."""

    path: str
    body: Any
    headers: dict[str, str]
    at: datetime

    @property
    def token(self) -> str:
        return self.headers["Authorization"].removeprefix("Bearer ")


@dataclass
class RingingWorker:
    """What came in so far, and what to answer."""

    url: str = ""
    rings: list[Ring] = field(default_factory=list)
    answer: Callable[[Ring], int] = lambda _ring: 200
    busy: int = 0
    most_busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, ring: Ring) -> int:
        with self.lock:
            self.rings.append(ring)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        try:
            return self.answer(ring)
        finally:
            with self.lock:
                self.busy -= 1

    @property
    def paths(self) -> list[str]:
        return [ring.path for ring in list(self.rings)]


@contextmanager
def ringing_worker() -> Iterator[RingingWorker]:
    """Run one on a free port."""
    worker = RingingWorker()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            ring = Ring(self.path, body, dict(self.headers), datetime.now(UTC))
            self.send_response(worker.serve(ring))
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    worker.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield worker
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
