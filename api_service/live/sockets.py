"""WebSockets on gunicorn's threads: they tell, and only hear whether one listens."""

import socket
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self

from flask import Response, request
from websockets.datastructures import Headers
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from werkzeug.wsgi import ClosingIterator

from api_service.live.streams import client_line, give_up_on_the_stuck, streams
from common.errors import AppError

_PING_SECONDS = 20.0  # proxies close what is silent for 30 s or more
_DEAD_SECONDS = 65.0  # three pings without an answer
_FAREWELL_SECONDS = 1.0  # for the client's half of the closing handshake
_MOST_BYTES = 64 * 1024  # of one message of a client's; nobody reads it
_SWITCHING = 101
_HANDSHAKE = ("Upgrade", "Connection", "Sec-WebSocket-Accept")


class NoHandshake(AppError):
    """This is not how a WebSocket is opened."""

    status = 400
    code = "bad_handshake"


def websocket(messages: Iterator[str | None]) -> Response:
    """Return the answer that opens a WebSocket and sends these messages.

    It is closed after the last of them. A None among them is a moment in which there
    is nothing to say; it should come every second or so, because only between messages
    the client is listened to.

    Raises:
        NoHandshake: the request asks for something else.
        TooManyStreams: nothing was started.
    """
    line = client_line()
    if line is None:
        raise NoHandshake("This server speaks no WebSocket.")
    # Open: the request was read by gunicorn, and what follows are frames.
    protocol = ServerProtocol(state=State.OPEN, max_size=_MOST_BYTES)
    accepted = protocol.accept(Request(request.path, Headers(request.headers)))
    if accepted.status_code != _SWITCHING:
        raise NoHandshake
    give_back = streams().take_place()
    give_up_on_the_stuck(line)
    response = _Switched(_Talk(line, protocol, messages))
    for name in _HANDSHAKE:
        response.headers[name] = accepted.headers[name]
    response.call_on_close(give_back)
    return response


class _Switched(Response):
    """A 101, whose connection stays in use."""

    def __init__(self, talk: "_Talk") -> None:
        super().__init__(status=_SWITCHING)
        del self.headers["Content-Type"]
        self._talk = talk
        self._closing = streams().closing

    def get_app_iter(self, environ: Any) -> Iterable[bytes]:  # noqa: ANN401, ARG002 - werkzeug's
        """Return what has gunicorn send the headers, and then talks past it."""
        return ClosingIterator(self._run(), self.close)

    def _run(self) -> Iterator[bytes]:
        yield b""
        with self._talk as talk:
            talk.tell()
            going = self._closing.is_set()
            talk.close(CloseCode.GOING_AWAY if going else CloseCode.NORMAL_CLOSURE)


class _Talk:
    """One open WebSocket and what is to be told over it."""

    def __init__(
        self,
        line: socket.socket,
        protocol: ServerProtocol,
        messages: Iterator[str | None],
    ) -> None:
        self._line = line
        self._protocol = protocol
        self._messages = messages
        self._heard = self._pinged = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if close := getattr(self._messages, "close", None):
            close()
        self._line.close()  # here: gunicorn would linger on the thread of all others

    def tell(self) -> None:
        """Send every message; return early when the client is gone or breaks rules."""
        for message in self._messages:
            if message is not None:
                self._protocol.send_text(message.encode())
            self._ping()
            if not (self._flush() and self._listen()):
                return

    def close(self, code: CloseCode) -> None:
        """Say farewell, and wait a moment for the client to say it, too."""
        if self._protocol.state is not State.OPEN:
            self._flush()
            return
        self._protocol.send_close(code)
        patience = time.monotonic() + _FAREWELL_SECONDS
        while self._flush() and self._protocol.close_rcvd is None:
            self._line.settimeout(max(patience - time.monotonic(), 0.001))
            if time.monotonic() > patience or not self._take(0):
                return

    def _ping(self) -> None:
        now = time.monotonic()
        if now - self._pinged >= _PING_SECONDS:
            self._pinged = now
            self._protocol.send_ping(b"")

    def _listen(self) -> bool:
        """Take what the client has sent, if anything; False: it will hear no more."""
        alive = self._take(socket.MSG_DONTWAIT) and self._flush()
        silent = time.monotonic() - self._heard
        is_open = self._protocol.state is State.OPEN
        return alive and is_open and silent < _DEAD_SECONDS

    def _take(self, flags: int) -> bool:
        try:
            data = self._line.recv(_MOST_BYTES, flags)
        except (BlockingIOError, TimeoutError):
            return True
        except OSError:
            data = b""
        if not data:
            self._protocol.receive_eof()
            return False
        self._heard = time.monotonic()
        self._protocol.receive_data(data)
        self._protocol.events_received()  # pings are answered; the rest is nobody's
        return True

    def _flush(self) -> bool:
        try:
            for data in self._protocol.data_to_send():
                self._line.sendall(data)
        except OSError:
            return False
        return True
