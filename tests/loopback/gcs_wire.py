"""Requests and answers of the Cloud Storage on loopback, and how they go wrong."""

import json
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from re import fullmatch
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.loopback.gcs_faults import Fault, Faults
from tests.loopback.gcs_signing import Account
from tests.loopback.gcs_store import Refused, Store, Stored

_PIECE_BYTES = 1 << 18


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; ``headers`` by their names in lower case."""

    method: str
    address: str
    headers: dict[str, str]


class Owner(Protocol):
    """Whom the requests are for."""

    store: Store
    account: Account
    faults: Faults
    asked: list[Asked]

    @property
    def url(self) -> str:
        """Where it listens."""

    def credentials(self) -> dict[str, str]:
        """Return a key file."""


class Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    owner: Owner

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the client hung up
            super().handle_error(request, client_address)


class HangUp(Exception):
    """The connection is to be cut."""


class Wire(BaseHTTPRequestHandler):
    server: Http
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an ACK

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        self.route, self.query_text = parts.path, parts.query
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.named = {name.lower(): value for name, value in self.headers.items()}
        self.left = int(self.named.get("content-length", 0))
        self.origin: str | None = None
        self.fault = Fault()
        try:
            self.answer()
            self._drain()
        except HangUp:
            linger = struct.pack("ii", 1, 0)  # RST instead of FIN
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def answer(self) -> None:
        """Do what is asked."""
        raise NotImplementedError

    def _pieces(self) -> Iterator[bytes]:
        """Yield the body; a fault may damage it or cut it off."""
        budget, damaged = self.fault.cut_after, not self.fault.damage
        while self.left:
            piece = self.rfile.read(min(self.left, _PIECE_BYTES, budget or 1 << 30))
            if not piece:
                raise HangUp
            self.left -= len(piece)
            yield piece if damaged else changed(piece)
            damaged = True
            if budget is not None and (budget := budget - len(piece)) <= 0:
                raise HangUp

    def _body(self) -> bytes:
        return b"".join(self._pieces())

    def _json(self) -> Any:
        return json.loads(self._body() or b"{}")

    def _drain(self) -> None:
        self.fault = Fault(lose_answer=self.fault.lose_answer)
        for _ in self._pieces():
            continue

    def _send(self, status: int, document: Any = None, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        headers["content-length"] = str(len(body))
        if document is not None:
            headers["content-type"] = "application/json; charset=UTF-8"
        self._start(status, headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        if self.fault.lose_answer:
            raise HangUp
        self.send_response(status)
        if self.origin is not None:
            headers["access-control-allow-origin"] = self.origin
            headers["access-control-expose-headers"] = "Location, Range"
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _send_bytes(self, stored: Stored) -> None:
        start, stop, status = self._range(stored.size)
        resource = stored.resource
        headers = {
            "content-length": str(stop - start),
            "content-type": self.query.get("response-content-type")
            or resource["contentType"],
            "accept-ranges": "bytes",
            "etag": resource["etag"],
            "x-goog-generation": resource["generation"],
            "x-goog-hash": f"crc32c={resource['crc32c']},md5={resource['md5Hash']}",
        }
        if status == 206:
            headers["content-range"] = f"bytes {start}-{stop - 1}/{stored.size}"
        if shown := self.query.get("response-content-disposition"):
            headers["content-disposition"] = shown
        with stored.path.open("rb") as file:  # it stays readable if deleted meanwhile
            self._start(status, headers)
            if self.command != "HEAD":
                file.seek(start)
                self._copy(file, stop - start)

    def _copy(self, file: Any, left: int) -> None:
        cut, damaged = self.fault.cut_after, not self.fault.damage
        if cut is not None:
            left = min(left, cut)
        while left:
            piece = file.read(min(left, _PIECE_BYTES))
            left -= len(piece)
            self.wfile.write(piece if damaged else changed(piece))
            damaged = True
        if cut is not None:
            raise HangUp

    def _range(self, size: int) -> tuple[int, int, int]:
        asked = fullmatch(r"bytes=(\d*)-(\d*)", self.named.get("range", ""))
        if not asked or not (asked[1] or asked[2]):
            return 0, size, 200
        if not asked[1]:
            return max(0, size - int(asked[2])), size, 206
        start = int(asked[1])
        if start >= size:
            raise Refused(416, "The requested range cannot be satisfied.")
        return start, min(int(asked[2] or size) + 1, size), 206


def changed(piece: bytes) -> bytes:
    return bytes([piece[0] ^ 1]) + piece[1:]
