"""Live answers: how many there may be, how they are sent, and how they end.

A stream occupies a thread for as long as its client stays, but no connection to the
database, see ``watchers``.
"""

import socket
import struct
import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from typing import Any, TypeVar, cast

from flask import Flask, Response, current_app, has_request_context, request
from sqlalchemy.orm import Session

from api_service.context import deps
from api_service.live.watchers import Watcher
from common.db import reading
from common.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LONGEST_SECONDS = 3300.0  # below the hour after which Cloud Run cuts any request
_STUCK_SECONDS = 5  # less than the 8 s that a process has for its end


class TooManyStreams(Unavailable):
    """Too many clients are watching; try again shortly."""

    code = "too_many_streams"


class Streams:
    """All streams of one app: how many there may be, who looks, and their end."""

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._watchers: dict[Hashable, Watcher[Any, Any]] = {}
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def take_place(self) -> Callable[[], None]:
        """Return what gives the place back; call it once.

        Raises:
            TooManyStreams: the rest of the threads is for those who do not stay.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyStreams
        return self._places.release

    def watcher(
        self, name: Hashable, make: Callable[[], Watcher[Any, Any]]
    ) -> Watcher[Any, Any]:
        """Return the one watcher of this name."""
        with self._lock:
            if name not in self._watchers:
                self._watchers[name] = make()
                if self.closing.is_set():
                    self._watchers[name].close()
            return self._watchers[name]

    def close(self) -> None:
        """End every stream; those that are opened later end at once."""
        self.closing.set()
        with self._lock:
            watchers = list(self._watchers.values())
        for each in watchers:
            each.close()


def register(app: Flask, most: int) -> None:
    """Let ``app`` serve up to this many streams at a time."""
    app.extensions["streams"] = Streams(most)


def streams() -> Streams:
    """Return the streams of this app."""
    return cast("Streams", current_app.extensions["streams"])


def watcher(
    look: Callable[[Session, Collection[K]], Mapping[K, V]],
    stamps: Callable[[Session, Collection[K]], Mapping[K, object]] | None = None,
) -> Watcher[K, V]:
    """Return the app's watcher for ``look``.

    ``look`` and ``stamps`` are those of ``Watcher``, with a session that only reads.
    """
    db = deps().db

    def bound(
        ask: Callable[[Session, Collection[K]], Mapping[K, Any]],
    ) -> Callable[[Collection[K]], Mapping[K, Any]]:
        def asked(keys: Collection[K]) -> Mapping[K, Any]:
            with reading(db) as session:
                return ask(session, keys)

        return asked

    def make() -> Watcher[K, V]:
        return Watcher(
            bound(look),
            stamps=bound(stamps) if stamps else None,
            client_left=client_left,
        )

    return streams().watcher((look, db), make)


def sse(frames: Iterator[str]) -> Response:
    """Return the answer that sends these frames as Server-Sent Events.

    ``frames`` is closed when the client has left.

    Raises:
        TooManyStreams: nothing was started.
    """
    give_back = streams().take_place()
    response = Response(frames, content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect the frames
    response.call_on_close(give_back)
    if (line := client_line()) is not None:
        give_up_on_the_stuck(line)
    return response


def client_line() -> socket.socket | None:
    """Return the connection of this request, None where the server tells of none."""
    found: socket.socket | None = request.environ.get("gunicorn.socket")
    return found


def give_up_on_the_stuck(line: socket.socket) -> None:
    """Have a write fail when the client takes nothing for some seconds.

    Otherwise it would keep its thread until the network gives it up, and the process
    from stopping in time.
    """
    patience = struct.pack("ll", _STUCK_SECONDS, 0)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)


def client_left() -> Callable[[], bool]:
    """Return what tells whether the client of this request has hung up.

    Writing alone would tell at the second heartbeat.
    """
    line = client_line() if has_request_context() else None
    if line is None:
        return _never

    def left() -> bool:
        try:
            return not line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    return left


def _never() -> bool:
    return False
