"""What those who watch cost the others: 200 event streams and 100 WebSockets at once.

python -m tests.bench.bench_live [--seconds N]
"""

import argparse
import selectors
import socket
import threading
import time
from contextlib import contextmanager
from uuid import UUID

import psutil
from sqlalchemy import text

from common import db as database
from tests.bench.closed_loop import Figures, Load, measure
from tests.bench.machine import describe
from tests.bench.running import database_url, pegasus, pid

_STREAMS, _SOCKETS = 200, 100
_PAUSE_SECONDS = 0.01  # between two changes, beside what a change takes
_ASKING = 4  # clients that ask for other things, each as fast as it can
_HANDSHAKE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
_JOBS = """
insert into jobs (id, kind, subject, queue, project_id, retry_delay_seconds, payload)
select gen_random_uuid(), 'ingest', 'asset:' || n, 'media', 'demo', 1,
       jsonb_build_object('project_id', 'demo', 'asset_id', gen_random_uuid())
  from generate_series(1, :jobs) n returning id
"""


class Audience:
    """All who watch, on one thread: it counts the states that they are told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lines = selectors.DefaultSelector()
        self._open: list[socket.socket] = []
        self._ended = threading.Event()
        self.told = 0
        self.left = 0

    def join(self, path: str, headers: str = "") -> None:
        """Watch one job."""
        line = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n"
        line.sendall(request.encode())
        self._lines.register(line, selectors.EVENT_READ, line)
        self._open.append(line)

    @contextmanager
    def listening(self):
        thread = threading.Thread(target=self._listen)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()
            self._lines.close()
            for line in self._open:
                line.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._lines.select(0.2):
                data = key.data.recv(65536)
                self.told += data.count(b'"progress": ')
                if not data:
                    self.left += 1
                    self._lines.unregister(key.fileobj)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds / 3
    with pegasus() as stack:
        url, api = database_url(stack), f"http://127.0.0.1:{stack.place.port}"
        print(describe(url))
        engine = database.engine(url)
        with engine.begin() as connection:
            values = {"jobs": _STREAMS + _SOCKETS}
            jobs = list(connection.execute(text(_JOBS), values).scalars())
        load = Load(api, ["/presets/exam-mode", "/projects"], seconds, _ASKING)
        _show("nobody watches", measure(load), stack)
        with _watching(stack.place.port, jobs) as audience:
            _show("300 watch, nothing happens", measure(load), stack)
            before = audience.told
            with _changing(engine, jobs) as changes:
                _show("300 watch, jobs change", measure(load), stack)
            assert audience.left == 0
            told, rate = audience.told - before, len(changes) / seconds
            print(f"\n{told} states told of {len(changes)} changes ({rate:.0f}/s);")
            print("who is told each half second gets the newest; nobody left")


def _show(name: str, found: Figures, stack) -> None:
    [worker] = psutil.Process(pid(stack, "api")).children()
    memory = worker.memory_info().rss / 2**20
    print(
        f"{name:<28}{found.requests_per_second:>8.0f}/s"
        f"   p50 {found.p50_ms:>6.1f} ms   p95 {found.p95_ms:>6.1f} ms"
        f"   {worker.num_threads():>4} threads {memory:>6.0f} MiB"
    )


@contextmanager
def _watching(port: int, jobs: list[UUID]):
    audience = Audience(port)
    for number, job in enumerate(jobs):
        path = f"/projects/demo/jobs/{job}"
        if number < _STREAMS:
            audience.join(f"{path}/events")
        else:
            audience.join(f"{path}/ws", _HANDSHAKE)
    with audience.listening():
        deadline = time.monotonic() + 60
        while audience.told < len(jobs):
            assert time.monotonic() < deadline, f"{audience.told} of {len(jobs)} told"
            time.sleep(0.1)
        yield audience


@contextmanager
def _changing(engine, jobs: list[UUID]):
    """Move the progress of one job after the other."""
    ended = threading.Event()
    done: list[int] = []
    change = text("update jobs set progress = mod(progress + 1, 100) where id = :id")

    def run() -> None:
        while not ended.wait(_PAUSE_SECONDS):
            with engine.begin() as connection:
                connection.execute(change, {"id": jobs[len(done) % len(jobs)]})
            done.append(1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
