"""A client that asks again as soon as it has an answer, on many threads at once.

It runs as a process of its own, so that it shares no interpreter with what it measures,
and reads no more of HTTP than it must: on a small machine the client's own work would
be counted against the server.
"""

import json
import random
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

_ANSWER_SECONDS = 30  # no answer takes so long, unless the server is gone
_WARM_UP_SHARE = 0.2  # connections are opened and caches filled meanwhile


class NotAnswered(RuntimeError):
    """The server gave something else than 200."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask, how long and by how many threads."""

    url: str
    paths: list[str]
    seconds: float
    threads: int = 8


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests per second, and how long one took."""

    requests: int  # all of them, those of the warm-up too
    requests_per_second: float
    p50_ms: float
    p95_ms: float


def measure(load: Load) -> Figures:
    """Put the load on the server, from another process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.closed_loop"],
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Figures(**json.loads(done.stdout))


def main() -> None:
    """Run the load given on standard input; print the figures."""
    load = Load(**json.load(sys.stdin))
    print(json.dumps(asdict(_run(load))))


def _run(load: Load) -> Figures:
    started = time.perf_counter()
    begin = started + load.seconds * _WARM_UP_SHARE
    end = started + load.seconds
    answers: list[tuple[float, float]] = []
    errors: list[Exception] = []
    threads = [
        threading.Thread(target=_ask_until, args=(load, seed, end, answers, errors))
        for seed in range(load.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    took = sorted(t for finished, t in answers if begin <= finished <= end)
    return Figures(
        requests=len(answers),
        requests_per_second=len(took) / (end - begin),
        p50_ms=1000 * took[len(took) // 2],
        p95_ms=1000 * took[len(took) * 95 // 100],
    )


def _ask_until(load, seed, end, answers, errors) -> None:
    address = urlsplit(load.url)
    choose = random.Random(seed).choice  # noqa: S311 - any path will do
    requests = [
        f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
        for path in load.paths
    ]
    try:
        with socket.create_connection(
            (address.hostname, address.port), timeout=_ANSWER_SECONDS
        ) as connection:
            while (started := time.perf_counter()) < end:
                connection.sendall(choose(requests))
                _read_answer(connection)
                finished = time.perf_counter()
                answers.append((finished, finished - started))
    except (OSError, NotAnswered) as exc:
        errors.append(exc)


def _read_answer(connection: socket.socket) -> None:
    """Read one answer to its end, as its content-length says."""
    head, found, body = b"", b"", b""
    while not found:
        piece = connection.recv(65536)
        if not piece:
            raise NotAnswered("the server hung up")
        head, found, body = (head + piece).partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise NotAnswered(head.partition(b"\r\n")[0].decode())
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(65536))


if __name__ == "__main__":
    main()
