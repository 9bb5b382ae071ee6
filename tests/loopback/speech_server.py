"""Google's Speech-to-Text v2 on loopback: the real protocol, with faults on order.

In a test: ``with SpeechServer(open_object) as speech``; its ``host``
is PEGASUS_SPEECH_ENDPOINT. As a process::

    python -m tests.loopback.speech_server PORT CONTROL_PORT [--seconds 2]
        [--storage http://127.0.0.1:9000]
    curl -d '[{"method": "Recognize", "code": "UNAVAILABLE", "times": 3}]' \\
        localhost:CONTROL_PORT/faults
    curl -X DELETE localhost:CONTROL_PORT/faults
    curl localhost:CONTROL_PORT/state

It holds its clients to what the real one holds them to: names, sizes, the form of the
sound (which it decodes), one file a batch for an answer in line.
"""

import argparse
import re
import shutil
import signal
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, Self, cast
from urllib.parse import quote

import grpc
from google.cloud import speech_v2 as api
from google.longrunning import operations_pb2
from google.protobuf import any_pb2, empty_pb2
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status

from tests.loopback.speech_faults import Fault, control_server, status_of
from tests.loopback.speech_results import heard, metadata, seconds_of

_RECOGNIZER = re.compile(r"projects/[^/]+/locations/[^/]+/recognizers/_")
_INLINE_BYTES = 10_000_000
_INLINE_SECONDS = 60
_THREADS = 32  # calls that hang must not hold up the others
_OPTIONS = [("grpc.max_receive_message_length", 64 * 1024 * 1024)]

OpenObject = Callable[[str], BinaryIO]
"""From a ``gs://`` URI to what lies there; raises ``OSError`` if nothing does."""


@dataclass
class _Operation:
    answer: Callable[[], operations_pb2.Operation]
    due: float
    polls: int = 0


class SpeechServer:
    """Serves while it is entered.

    Args:
        open_object: gives the recordings that a batch names.
        seconds: how long a batch takes.
        port: 0 is any free one.
    """

    def __init__(
        self,
        open_object: OpenObject | None = None,
        *,
        seconds: float = 0.0,
        port: int = 0,
    ) -> None:
        self.open_object = open_object
        self.seconds = seconds
        self.script: deque[list[Any]] = deque()  # results that are given first
        self.asked: list[Any] = []
        self.faults: list[Fault] = []
        self.operations: dict[str, _Operation] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(_THREADS), options=_OPTIONS)
        self._server.add_generic_rpc_handlers(self._handlers())
        self.host = f"127.0.0.1:{self._server.add_insecure_port(f'127.0.0.1:{port}')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.set()
        self._server.stop(0).wait(10)

    def reset(self) -> None:
        """Forget everything that a test has left."""
        for held in (self.script, self.asked, self.faults, self.operations):
            held.clear()
        self.seconds = 0.0

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(type(one).__name__ == f"{method}Request" for one in self.asked)

    def state(self) -> dict[str, Any]:
        """Return what happened, for another process."""
        methods = ("Recognize", "BatchRecognize", "GetOperation")
        return {
            "calls": {method: self.count(method) for method in methods},
            "faults": [asdict(fault) for fault in self.faults],
        }

    def recognize(self, asked: Any, context: grpc.ServicerContext) -> Any:
        sound = asked.content
        seconds = seconds_of(sound)
        if seconds is None:
            _abort(context, "INVALID_ARGUMENT", "The audio cannot be decoded.")
        elif seconds > _INLINE_SECONDS or len(sound) > _INLINE_BYTES:
            _abort(context, "INVALID_ARGUMENT", "Audio can be of a maximum of 60 s.")
        self._check(asked, context)
        results = self._results(seconds or 0.0)
        return api.RecognizeResponse(results=results, metadata=metadata(seconds or 0))

    def batch_recognize(self, asked: Any, context: grpc.ServicerContext) -> Any:
        self._check(asked, context)
        inline = asked.recognition_output_config.inline_response_config
        if len(asked.files) != 1 or inline is None:
            _abort(context, "INVALID_ARGUMENT", "One file for an inline response.")
        fault = self._fault("BatchRecognize", {"operation", "file"})
        uri = asked.files[0].uri
        name = f"{asked.recognizer.rpartition('/recognizers')[0]}/operations/" + str(
            len(self.operations) + 1
        )
        done = _Operation(lambda: self._done(uri, fault), time.time() + self.seconds)
        self.operations[name] = done
        return operations_pb2.Operation(name=name, metadata=_percent(0))

    def get_operation(self, asked: Any, context: grpc.ServicerContext) -> Any:
        found = self.operations.get(asked.name)
        if found is None:
            _abort(context, "NOT_FOUND", "Operation not found.")
            raise AssertionError
        found.polls += 1
        if time.time() < found.due:
            return operations_pb2.Operation(name=asked.name, metadata=_percent(50))
        answer = found.answer()
        answer.name, answer.done = asked.name, True
        return answer

    def cancel_operation(self, asked: Any, _context: grpc.ServicerContext) -> Any:
        if found := self.operations.get(asked.name):
            cancelled = status_pb2.Status(code=code_pb2.CANCELLED, message="Stopped.")
            found.answer = lambda: operations_pb2.Operation(error=cancelled)
            found.due = 0.0
        return empty_pb2.Empty()

    def _handlers(self) -> tuple[Any, ...]:
        speech = {
            "Recognize": self._method(self.recognize, api.RecognizeRequest.deserialize),
            "BatchRecognize": self._method(
                self.batch_recognize, api.BatchRecognizeRequest.deserialize
            ),
        }
        parse = operations_pb2.GetOperationRequest.FromString
        operations = {"GetOperation": self._method(self.get_operation, parse)}
        parse = operations_pb2.CancelOperationRequest.FromString
        operations["CancelOperation"] = self._method(self.cancel_operation, parse)
        handler = grpc.method_handlers_generic_handler
        return (
            handler("google.cloud.speech.v2.Speech", speech),
            handler("google.longrunning.Operations", operations),
        )

    def _method(self, run: Any, parse: Any) -> Any:
        def guarded(asked: Any, context: grpc.ServicerContext) -> Any:
            self.asked.append(asked)
            method = type(asked).__name__.removesuffix("Request")
            if fault := self._fault(method, {"call"}):
                if fault.stall:
                    self._stall(context)
                context.abort_with_status(rpc_status.to_status(status_of(fault)))
            return run(asked, context)

        return grpc.unary_unary_rpc_method_handler(guarded, parse, _serialized)

    def _stall(self, context: grpc.ServicerContext) -> None:
        gone = threading.Event()
        if context.add_callback(gone.set):
            while not (gone.wait(0.05) or self._closing.is_set()):
                continue

    def _fault(self, method: str, places: set[str]) -> Fault | None:
        with self._lock:
            for place, fault in enumerate(self.faults):
                if fault.method == method and fault.place in places:
                    left = [replace(fault, times=fault.times - 1)]
                    self.faults[place : place + 1] = left if fault.times > 1 else []
                    return fault
        return None

    def _check(self, asked: Any, context: grpc.ServicerContext) -> None:
        if not _RECOGNIZER.fullmatch(asked.recognizer):
            _abort(context, "INVALID_ARGUMENT", "Invalid resource field value.")
        if not asked.config.language_codes or not asked.config.model:
            _abort(context, "INVALID_ARGUMENT", "Language codes and model are needed.")

    def _results(self, seconds: float) -> list[Any]:
        return self.script.popleft() if self.script else heard(seconds)

    def _done(self, uri: str, fault: Fault | None) -> operations_pb2.Operation:
        if fault is not None and fault.place == "operation":
            return operations_pb2.Operation(error=status_of(fault))
        file = self._file(uri) if fault is None else _failed(status_of(fault))
        answer = api.BatchRecognizeResponse(results={uri: file})
        return operations_pb2.Operation(
            response=_packed(answer), metadata=_percent(100)
        )

    def _file(self, uri: str) -> Any:
        try:
            with cast("OpenObject", self.open_object)(uri) as stored:
                seconds = seconds_of(stored)
        except OSError:
            missing = status_pb2.Status(code=code_pb2.NOT_FOUND, message="No object.")
            return _failed(missing)
        if seconds is None:
            bad = status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message="No FLAC.")
            return _failed(bad)
        transcript = api.BatchRecognizeResults(results=self._results(seconds))
        return api.BatchRecognizeFileResult(
            inline_result=api.InlineResult(transcript=transcript),
            metadata=metadata(seconds),
        )


def _failed(status: Any) -> Any:
    return api.BatchRecognizeFileResult(error=status)


def _percent(percent: int) -> any_pb2.Any:
    return _packed(api.OperationMetadata(progress_percent=percent))


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(type(message).pb(message))
    return packed


def _serialized(answer: Any) -> bytes:
    if isinstance(answer, operations_pb2.Operation | empty_pb2.Empty):
        return bytes(answer.SerializeToString())
    return bytes(type(answer).serialize(answer))


def _abort(context: grpc.ServicerContext, code: str, message: str) -> None:
    context.abort(grpc.StatusCode[code], message)


def objects_of(url: str) -> OpenObject:
    """Return what reads the objects of a Cloud Storage on loopback, by HTTP."""

    def open_object(uri: str) -> BinaryIO:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        address = f"{url}/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
        with urllib.request.urlopen(address, timeout=60) as stored:  # noqa: S310
            copy = tempfile.TemporaryFile()  # noqa: SIM115 - the reader closes it
            shutil.copyfileobj(stored, copy)
        copy.seek(0)
        return cast("BinaryIO", copy)

    return open_object


def main() -> None:
    """Serve until the process is stopped."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("control_port", type=int)
    parser.add_argument("--seconds", type=float, default=0.0, help="of a batch")
    parser.add_argument("--storage", help="URL of a Cloud Storage on loopback")
    given = parser.parse_args()
    server = SpeechServer(
        objects_of(given.storage) if given.storage else None,
        seconds=given.seconds,
        port=given.port,
    )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with server, control_server(server, given.control_port):
        stopped.wait()


if __name__ == "__main__":
    main()
