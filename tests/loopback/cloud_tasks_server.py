"""A Cloud Tasks on loopback: the real protocol, in memory, with faults on order.

In a test: ``with GoogleSigner() as signer, cloud_tasks_server(signer) as tasks``; its
``host`` is PEGASUS_TASKS_ENDPOINT. As a process:

    python -m tests.loopback.cloud_tasks_server PORT CONTROL_PORT CERTS_PORT \\
        [--seed N] [--backoff MIN MAX] QUEUE[:CONCURRENCY] ...

where a QUEUE is ``projects/…/locations/…/queues/…`` and the certificates are at
``http://127.0.0.1:CERTS_PORT/certs``. ``POST /faults`` at the control port takes a JSON
object of ``Faults`` and ``"wipe": true``; ``GET /state`` tells what is held.
"""

import argparse
import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.cloud.tasks_v2 import types
from google.protobuf import empty_pb2

from tests.loopback.cloud_tasks_delivery import Signer
from tests.loopback.cloud_tasks_service import CloudTasks, Failed, Limits
from tests.loopback.google_signer import GoogleSigner

_HANG_SECONDS = 30.0  # longer than any client of ours waits
_THREADS = 64  # calls that hang must not hold up the others

_CALLS: dict[str, Any] = {
    "CreateQueue": types.CreateQueueRequest,
    "GetQueue": types.GetQueueRequest,
    "PauseQueue": types.PauseQueueRequest,
    "ResumeQueue": types.ResumeQueueRequest,
    "PurgeQueue": types.PurgeQueueRequest,
    "CreateTask": types.CreateTaskRequest,
    "GetTask": types.GetTaskRequest,
    "ListTasks": types.ListTasksRequest,
    "DeleteTask": types.DeleteTaskRequest,
}


@contextmanager
def cloud_tasks_server(
    signer: Signer, *, port: int = 0, **options: Any
) -> Iterator[CloudTasks]:
    """Run one; ``options`` are those of ``CloudTasks``."""
    service = CloudTasks(signer, **options)
    closing = threading.Event()
    server = grpc.server(ThreadPoolExecutor(_THREADS))
    handlers = {name: _handler(service, name, closing) for name in _CALLS}
    whole = grpc.method_handlers_generic_handler(
        "google.cloud.tasks.v2.CloudTasks", handlers
    )
    server.add_generic_rpc_handlers((whole,))
    service.host = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    try:
        yield service
    finally:
        closing.set()
        server.stop(0).wait(10)
        service.close()


@contextmanager
def control_server(service: CloudTasks, port: int = 0) -> Iterator[str]:
    """Let other processes switch the faults; yield the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _control(service))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(
    service: CloudTasks, name: str, closing: threading.Event
) -> grpc.RpcMethodHandler:
    run = getattr(service, _snake(name))

    def guarded(request: Any, context: grpc.ServicerContext) -> Any:
        outage = service.faults.outage if name in ("CreateTask", "GetQueue") else ""
        service.refused += bool(outage)
        if outage == "refuse":
            context.abort(grpc.StatusCode[service.faults.code], "an outage on order")
        if outage == "hang":
            _hang(context, closing)
        try:
            answer = run(request)
        except Failed as exc:
            context.abort(exc.code, str(exc))
        if outage == "lose_answer":
            _hang(context, closing)
        return answer

    return grpc.unary_unary_rpc_method_handler(
        guarded, _CALLS[name].deserialize, _serialized
    )


def _hang(context: grpc.ServicerContext, closing: threading.Event) -> None:
    """Say nothing until the client has given up."""
    gone = threading.Event()
    if context.add_callback(gone.set):
        for _ in range(round(_HANG_SECONDS / 0.1)):
            if gone.wait(0.1) or closing.is_set():
                break
    context.abort(grpc.StatusCode.UNAVAILABLE, "an outage on order")


def _serialized(answer: Any) -> bytes:
    if isinstance(answer, empty_pb2.Empty):
        return bytes(answer.SerializeToString())
    return bytes(type(answer).serialize(answer))


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _control(service: CloudTasks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200, service.state())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                service.break_things(json.loads(body))
            except ValueError as exc:
                self._answer(400, {"error": str(exc)})
            else:
                self._answer(200, {})

        def _answer(self, status: int, document: object) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    return Handler


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A Cloud Tasks on loopback.")
    for name in ("port", "control_port", "certs_port"):
        parser.add_argument(name, type=int)
    parser.add_argument("queues", nargs="+", metavar="QUEUE[:CONCURRENCY]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backoff", type=float, nargs=2, default=(0.1, 3600.0))
    return parser.parse_args()


def main() -> None:
    """Serve until told to stop."""
    wanted = _arguments()
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    least, most = wanted.backoff
    with (
        GoogleSigner(wanted.certs_port) as signer,
        cloud_tasks_server(signer, port=wanted.port, seed=wanted.seed) as service,
    ):
        for queue in wanted.queues:
            name, _, number = queue.partition(":")
            limits = Limits(int(number or 1000), min_backoff=least, max_backoff=most)
            service.add_queue(name, limits)
        with control_server(service, wanted.control_port):
            told.wait()


if __name__ == "__main__":
    main()
