"""How long other requests take while many people are being answered by Wiz.

python -m tests.bench.bench_chat [--streams N] [--seconds N]

The model is a stand-in that says a word each half second until the benchmark ends; it
is asked through the real client library, over real HTTP.
"""

import argparse
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from common import db as database
from common import transcripts, videos
from common.local.stack import Stack
from common.transcript import Engine, Segment, Transcript
from tests.bench.bench_streams import connections, memory_mib, show
from tests.bench.closed_loop import Load, measure
from tests.bench.machine import describe
from tests.bench.running import database_url, pegasus

_VIDEO = "chat-00bench"[:11]
_PATHS = [
    "/courses",
    "/lectures?limit=20",
    "/search?q=sentence+number",
    "/health/ready",
]
_THREADS = 4
_ANSWER_SECONDS = 30
_WORD_SECONDS = 0.5
_SENTENCES = 1_200  # an hour and a half of speech
_GUEST = {"X-Guest-Session-ID": "guest-of-the-benchmark"}
_QUESTION = {"message": "What does the sentence say?"}


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with (
        slow_model() as (model_url, be_quiet),
        pegasus(**_settings(model_url)) as stack,
    ):
        print(describe(database_url(stack)))
        speak(stack)
        load = Load(stack.place.url, _PATHS, options.seconds, _THREADS)
        print(f"{'':<28}{'requests/s':>12}{'p50 ms':>8}{'p95 ms':>8}")
        show("nobody asks", measure(load))
        before, memory = connections(stack), memory_mib(stack)
        with asking(stack, options.streams) as lines:
            show(f"{options.streams} are answered", measure(load))
            print(
                f"connections to the database: {before}, with answers"
                f" {connections(stack)}; memory of the API: {memory} MiB, with answers"
                f" {memory_mib(stack)} MiB"
            )
            be_quiet.set()
            whole = sum(
                _rest(line).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for line in lines
            )
            print(f"complete answers: {whole} of {len(lines)}")
        show("nobody asks any more", measure(load))


def _settings(model_url: str) -> dict[str, str]:
    plenty = "100000"
    return {
        "SECRET_KEY": "bench-" + "0123456789abcdef" * 2,
        "PLC_LLM_PROVIDER": "openai",
        "OPENAI_API_KEY": "sk-bench",
        "OPENAI_BASE_URL": model_url,
        "WIZ_GUEST_DAILY_QUOTA": plenty,
        "PEGASUS_WIZ_ADDRESS_DAILY_QUOTA": plenty,
        "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": plenty,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 200

    def handle_error(self, *_args: object) -> None:
        """Say nothing: who asked has hung up."""


@contextmanager
def slow_model() -> Iterator[tuple[str, threading.Event]]:
    """Yield the address of a model that talks until the event is set."""
    be_quiet = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            while not be_quiet.wait(_WORD_SECONDS):
                self._say({"content": "word "}, None)
            self._say({}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")

        def _say(self, delta: dict[str, str], finish: str | None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            event = {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", be_quiet
        finally:
            be_quiet.set()
            server.shutdown()
            thread.join()


def speak(stack: Stack) -> None:
    """Give the video a transcript."""
    segments = tuple(
        Segment(n * 4000, n * 4000 + 3900, f"This is sentence number {n} of the talk.")
        for n in range(_SENTENCES)
    )
    total = 4000 * _SENTENCES
    made = Transcript(segments, "en", Engine("bench", "bench"), total, total)
    db = database.connect(database_url(stack), pool_size=1)
    with db.begin() as session:
        found = videos.ensure(session, _VIDEO)
        transcripts.replace(session, found.recording_id, None, "bench", made)


@contextmanager
def asking(stack: Stack, count: int) -> Iterator[list[socket.socket]]:
    """Have so many questions asked; each has got its first word."""
    made = _post(stack, "/v2/conversations", {"video_id": _VIDEO})
    path = f"/v2/conversations/{made['id']}/messages"
    with ExitStack() as open_lines:
        lines = []
        for _ in range(count):  # one after the other: a class does not ask in step
            line = open_lines.enter_context(closing(_line(stack, path)))
            lines.append(line)
            heard = b""
            while b"data: " not in heard:
                part = line.recv(4096)
                assert part, heard
                heard += part
            assert b"200 OK" in heard, heard
        yield lines


def _line(stack: Stack, path: str) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", stack.place.port), _ANSWER_SECONDS)
    body = json.dumps(_QUESTION)
    head = [f"POST {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in _GUEST.items()]
    line.sendall("\r\n".join([*head, "", body]).encode())
    return line


def _rest(line: socket.socket) -> bytes:
    heard = b""
    while not heard.endswith(b"0\r\n\r\n"):
        part = line.recv(65536)
        if not part:
            break
        heard += part
    return heard


def _post(stack: Stack, path: str, body: dict[str, str]) -> dict[str, int]:
    address = ("127.0.0.1", stack.place.port)
    line = http.client.HTTPConnection(*address, timeout=_ANSWER_SECONDS)
    with closing(line):
        line.request("POST", path, json.dumps(body), _GUEST)
        reply = line.getresponse()
        made: dict[str, int] = json.load(reply)
        assert reply.status == 201, made
        return made


if __name__ == "__main__":
    main()
