"""The task queue as a process: ``python -m common.local.task_queue_server PORT``.

Environment: PEGASUS_WORKER_URL, PEGASUS_QUEUE_URL and PEGASUS_INTERNAL_SECRET, as for
the services; PEGASUS_QUEUE_CONCURRENCY deliveries at once per queue;
PEGASUS_SWEEP_SECONDS between two sweeps; PEGASUS_BIND is the address to listen on, for
containers; PEGASUS_QUEUE_FAULTS=1 lets tests break it.
"""

import json
import os
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pydantic import SecretStr, ValidationError

from common import logs
from common.local.task_queue import TaskIn, TaskQueue
from common.providers import internal_calls

_MAX_BODY_BYTES = 1024 * 1024  # Cloud Tasks takes no more either


class _Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True  # or each answer waits 40 ms for an ACK
    protocol_version = "HTTP/1.1"
    queue: TaskQueue
    secret: SecretStr
    url: str
    with_faults: bool

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _MAX_BODY_BYTES)
        body = self.rfile.read(length)
        status = self._answer(body) if self._is_ours() else HTTPStatus.FORBIDDEN
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _is_ours(self) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            caller = internal_calls.caller(self.secret, token, audience=self.url)
        except internal_calls.BadToken:
            return False
        return caller == internal_calls.SERVICES

    def _answer(self, body: bytes) -> HTTPStatus:
        if self.path == "/tasks":
            try:
                return self.queue.create(TaskIn.model_validate_json(body))
            except ValidationError:
                return HTTPStatus.BAD_REQUEST
        if self.path == "/check":
            down = self.queue.faults.outage
            return HTTPStatus.SERVICE_UNAVAILABLE if down else HTTPStatus.OK
        if self.path == "/faults" and self.with_faults:
            return self._break(json.loads(body))
        return HTTPStatus.NOT_FOUND

    def _break(self, wanted: dict[str, float | bool]) -> HTTPStatus:
        if wanted.pop("wipe", False):
            self.queue.wipe()
        for name, value in wanted.items():
            setattr(self.queue.faults, name, value)
        return HTTPStatus.OK

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: a line for each task would drown the services' logs."""


class _ServerOverIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def _sweep_for_ever(queue: TaskQueue, seconds: float) -> None:
    while queue.sweep(lost_after_seconds=0) != HTTPStatus.OK:
        time.sleep(0.5)  # the worker is still starting
    while True:
        time.sleep(seconds)
        queue.sweep()


def main() -> None:
    """Serve until told to stop."""
    logs.configure()
    secret = SecretStr(os.environ["PEGASUS_INTERNAL_SECRET"])
    queue = TaskQueue(
        os.environ["PEGASUS_WORKER_URL"],
        secret,
        concurrency=int(os.environ.get("PEGASUS_QUEUE_CONCURRENCY", "4")),
    )
    _Handler.queue, _Handler.secret = queue, secret
    _Handler.url = os.environ["PEGASUS_QUEUE_URL"].rstrip("/")
    _Handler.with_faults = os.environ.get("PEGASUS_QUEUE_FAULTS") == "1"
    sweep_seconds = float(os.environ.get("PEGASUS_SWEEP_SECONDS", "5"))
    threading.Thread(
        target=_sweep_for_ever, args=(queue, sweep_seconds), daemon=True
    ).start()
    host = os.environ.get("PEGASUS_BIND", "127.0.0.1").strip("[]")  # as in a URL
    server = _ServerOverIPv6 if ":" in host else ThreadingHTTPServer
    server((host, int(sys.argv[1])), _Handler).serve_forever()


if __name__ == "__main__":
    main()
