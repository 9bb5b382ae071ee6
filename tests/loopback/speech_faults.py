"""What goes wrong in the Speech-to-Text on loopback, and how it is ordered."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the next calls of a method (Recognize, BatchRecognize, …).

    ``place``: the call itself, or what the operation that it starts ends with: an error
    of its own, or one for its file. ``stall``: no answer at all.
    """

    method: str
    code: str = "UNAVAILABLE"
    message: str = "on order"
    place: str = "call"
    retry_seconds: float | None = None
    stall: bool = False
    times: int = 1


def status_of(fault: Fault) -> Any:
    status = status_pb2.Status(
        code=code_pb2.Code.Value(fault.code), message=fault.message
    )
    if fault.retry_seconds is not None:
        wait = Duration(
            seconds=int(fault.retry_seconds), nanos=round(fault.retry_seconds % 1 * 1e9)
        )
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=wait))
    return status


class Faulty(Protocol):
    """A server that fails on order."""

    faults: list[Fault]

    def state(self) -> dict[str, Any]:
        """Return what happened so far."""


@contextmanager
def control_server(server: Faulty, port: int = 0) -> Iterator[str]:
    """Let other processes order faults and see what happened; yield the URL."""
    http = ThreadingHTTPServer(("127.0.0.1", port), _control(server))
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def _control(server: Faulty) -> type[BaseHTTPRequestHandler]:
    class Control(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._answer(server.state())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            server.faults.extend(Fault(**one) for one in json.loads(body))
            self._answer({})

        def do_DELETE(self) -> None:
            server.faults.clear()
            self._answer({})

        def _answer(self, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Control
