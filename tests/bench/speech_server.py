"""A recogniser on this machine that takes as long as it is told, and all who come."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common.local.stack import Stack
from tests.bench.running import pegasus
from tests.loopback.openai_server import KEY, part, verbose

_FLAC = b"fLaC"
_RATE = 16_000


class SpeechServer(ThreadingHTTPServer):
    """Speaks OpenAI's protocol while it is entered; keeps when it was asked.

    It looks no further than at a piece's header, so that the machine is left to us.
    """

    daemon_threads = True
    request_queue_size = 128  # all pieces come at once

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds = seconds
        self.spans: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self.serve_forever)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an ACK
    server: SpeechServer

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Wait, then answer that one thing was said all the time."""
        started = time.monotonic()
        body = self.rfile.read(int(self.headers["content-length"]))
        seconds = _seconds(body)
        del body  # many wait here at once
        time.sleep(self.server.seconds)
        said = verbose(part(0, seconds, " All of it."), seconds=seconds).body
        answer = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.server.spans.append((started, time.monotonic()))


@contextmanager
def pegasus_with(server: SpeechServer, model: str, **settings: str) -> Iterator[Stack]:
    """Yield a running stack that asks ``server`` instead of OpenAI."""
    with pegasus(
        PLC_INGEST_TRANSCRIBE_PROVIDER="openai",
        PLC_INGEST_TRANSCRIBE_MODEL=model,
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY=KEY,
        **settings,
    ) as stack:
        yield stack


def _seconds(body: bytes) -> float:
    """Return the length of the FLAC in a form: the last 36 of 64 bits of its header."""
    start = body.index(_FLAC) + 18
    return (int.from_bytes(body[start : start + 8], "big") & (2**36 - 1)) / _RATE
