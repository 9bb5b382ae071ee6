"""How long other requests take while many pages watch videos that are not ready.

python -m tests.bench.bench_streams [--streams N] [--seconds N]
"""

import argparse
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psutil
from sqlalchemy import NullPool, text

from common import db as database
from common.local.stack import Stack
from tests.bench.closed_loop import Figures, Load, measure
from tests.bench.machine import describe
from tests.bench.running import database_url, pegasus, pid

_VIDEOS = 20  # that are watched; each by as many pages as the others
_PATHS = ["/courses", "/lectures?limit=20", "/health/ready"]
_THREADS = 4
_ANSWER_SECONDS = 30
_SECRET = "bench-" + "0123456789abcdef" * 2
_CONNECTIONS = text("""
select count(*) from pg_stat_activity
 where application_name = 'pegasus' and datname = current_database()
""")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    with pegasus(SECRET_KEY=_SECRET, PLC_WRITE_RATE_LIMIT_MAX_REQUESTS="1000") as stack:
        print(describe(database_url(stack)))
        load = Load(stack.place.url, _PATHS, options.seconds, _THREADS)
        print(f"{'':<28}{'requests/s':>12}{'p50 ms':>8}{'p95 ms':>8}")
        show("nobody watches", measure(load))
        before = connections(stack)
        memory = memory_mib(stack)
        with watching(stack, options.streams):
            show(f"{options.streams} pages watch", measure(load))
            print(
                f"connections to the database: {before}, with streams"
                f" {connections(stack)}; memory of the API: {memory} MiB,"
                f" with streams {memory_mib(stack)} MiB"
            )
        show("nobody watches any more", measure(load))


@contextmanager
def watching(stack: Stack, count: int) -> Iterator[None]:
    """Have so many guests watch; each has got its first event."""
    headers = {"X-Guest-Session-ID": "guest-of-the-benchmark"}
    ids = [f"video-{number:05}" for number in range(_VIDEOS)]
    for id_ in ids:
        _post(stack, "/v2/conversations", {"video_id": id_}, headers)
    with ExitStack() as lines:
        for number in range(count):
            path = f"/v2/videos/{ids[number % _VIDEOS]}/stream"
            lines.enter_context(closing(_opened(stack, path, headers)))
        yield


def _opened(stack: Stack, path: str, headers: dict[str, str]) -> socket.socket:
    """Return the line of a stream that has begun."""
    line = socket.create_connection(("127.0.0.1", stack.place.port), _ANSWER_SECONDS)
    head = [f"GET {path} HTTP/1.1", "Host: bench"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    line.sendall("\r\n".join([*head, "", ""]).encode())
    heard = b""
    while b"event: snapshot" not in heard:
        part = line.recv(4096)
        assert part, heard
        heard += part
    return line


def _post(
    stack: Stack, path: str, body: dict[str, str], headers: dict[str, str]
) -> None:
    line = http.client.HTTPConnection(
        "127.0.0.1", stack.place.port, timeout=_ANSWER_SECONDS
    )
    with closing(line):
        line.request("POST", path, json.dumps(body), headers)
        reply = line.getresponse()
        assert reply.status == 201, reply.read()


def connections(stack: Stack) -> int:
    """Return how many connections to the database there are."""
    engine = database.engine(database_url(stack), poolclass=NullPool)
    with engine.connect() as connection:
        found: int = connection.scalar(_CONNECTIONS)
    return found - 1  # our own


def memory_mib(stack: Stack) -> int:
    """Return what the processes of the API hold."""
    time.sleep(0.1)
    master = psutil.Process(pid(stack, "api"))
    parts = [master, *master.children(recursive=True)]
    total: int = sum(part.memory_info().rss for part in parts)
    return total // 2**20


def show(what: str, figures: Figures) -> None:
    """Print one row."""
    print(
        f"{what:<28}{figures.requests_per_second:>12.0f}"
        f"{figures.p50_ms:>8.1f}{figures.p95_ms:>8.1f}"
    )


if __name__ == "__main__":
    main()
