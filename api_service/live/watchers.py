"""One look for all who watch the same kind of thing.

Who watches holds no connection to the database: one thread per watcher asks for all
that is watched, in one query.
"""

import logging
import math
import threading
import time
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Hashable,
    Iterator,
    Mapping,
)
from typing import Generic, TypeVar, cast

from sqlalchemy.exc import SQLAlchemyError

from common.db.outage import is_away

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_EVERY_SECONDS = 0.5  # as late as a change is told; people notice no less
IDLE_SECONDS = 15.0  # proxies close what is silent for 30 s or more
_GLANCE_SECONDS = 2.0  # how long a client may be gone before its thread is free
_NOTHING = object()


class Watcher(Generic[K, V]):
    """Looks again and again at what is watched, all of it in one go.

    Its thread is started by the first reader (one that is started earlier would not
    survive gunicorn's fork) and ends with the last.
    """

    def __init__(
        self,
        look: Callable[[Collection[K]], Mapping[K, V]],
        every_seconds: float = _EVERY_SECONDS,
        *,
        stamps: Callable[[Collection[K]], Mapping[K, object]] | None = None,
        client_left: Callable[[], Callable[[], bool]] = lambda: _never,
    ) -> None:
        """Make a watcher that does nothing yet.

        Args:
            look: from keys to their values now; what it leaves out is gone.
            every_seconds: the pause between two looks.
            stamps: from keys to what is different when a value is, and costs less to
                ask for; then ``look`` is only asked for values that have changed.
            client_left: called by ``watch``; returns what tells when to end.
        """
        self._look = look
        self._every_seconds = every_seconds
        self._stamps = stamps
        self._client_left = client_left
        self._seen: dict[K, tuple[object, V]] = {}  # the thread's own
        self._readers: dict[K, list[_Reader[V]]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(
        self,
        key: K,
        seconds: float | None = None,
        idle_seconds: float = IDLE_SECONDS,
    ) -> Generator[V | None, None, None]:
        """Yield the value as it is now, and then each time that it has changed.

        None is yielded when there was nothing to tell for ``idle_seconds``. Who is slow
        to take a value gets the newest, not those between. Ends after ``seconds``,
        when the key is gone, when the client is, and on ``close``.
        """
        left = self._client_left()  # now: later there may be no request to ask
        return self._values(key, seconds, idle_seconds, left)

    def close(self) -> None:
        """End all that is being watched, and what will be."""
        with self._lock:
            self._closed = True
        self._end_all()

    def _values(
        self,
        key: K,
        seconds: float | None,
        idle_seconds: float,
        left: Callable[[], bool],
    ) -> Generator[V | None, None, None]:
        reader = self._join(key)
        ends = time.monotonic() + (math.inf if seconds is None else seconds)
        try:
            yield from reader.values(ends, idle_seconds, left)
        finally:
            self._leave(key, reader)

    def _join(self, key: K) -> "_Reader[V]":
        reader = _Reader[V]()
        with self._lock:
            if self._closed:
                reader.end()
                return reader
            self._readers.setdefault(key, []).append(reader)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._live, name="watcher", daemon=True
                )
                self._thread.start()
            else:
                self._wake.set()
        return reader

    def _leave(self, key: K, reader: "_Reader[V]") -> None:
        with self._lock:
            readers = self._readers.get(key, [])
            if reader in readers:
                readers.remove(reader)
            if not readers:
                self._readers.pop(key, None)
            last = not self._readers
        if last:
            self._wake.set()

    def _live(self) -> None:
        try:
            while watched := self._watched():
                self._tell(watched)
                self._wake.wait(self._every_seconds)
                self._wake.clear()
        except BaseException:  # a bug: nobody may wait for what will never come
            with self._lock:
                self._thread = None
            self._end_all()
            raise

    def _watched(self) -> dict[K, list["_Reader[V]"]]:
        """Return who watches what; without anybody the thread is no longer ours."""
        with self._lock:
            if not self._readers:
                self._thread = None
            return {key: list(readers) for key, readers in self._readers.items()}

    def _tell(self, watched: Mapping[K, list["_Reader[V]"]]) -> None:
        try:
            self._seen = self._see(watched)
        except (SQLAlchemyError, OSError) as exc:
            if isinstance(exc, SQLAlchemyError) and not is_away(exc):
                raise
            log.warning("watcher.look_failed", extra={"error": type(exc).__name__})
            return
        for key, readers in watched.items():
            for reader in readers:
                if key in self._seen:
                    reader.offer(self._seen[key][1])
                else:
                    reader.end()

    def _see(self, keys: Collection[K]) -> dict[K, tuple[object, V]]:
        """Return values with their stamps, which are never newer than the values."""
        if self._stamps is None:
            return {key: (None, v) for key, v in self._look(list(keys)).items()}
        stamps = self._stamps(list(keys))
        known = {k: self._seen[k] for k in stamps if k in self._seen}
        same = {key: one for key, one in known.items() if one[0] == stamps[key]}
        stale = [key for key in stamps if key not in same]
        found = self._look(stale) if stale else {}
        return same | {key: (stamps[key], value) for key, value in found.items()}

    def _end_all(self) -> None:
        with self._lock:
            waiting = [one for readers in self._readers.values() for one in readers]
            self._readers.clear()
        for reader in waiting:
            reader.end()
        self._wake.set()


class _Reader(Generic[V]):
    """What one stream has not told yet: at most one value, the newest."""

    def __init__(self) -> None:
        self._news = threading.Event()
        self._newest: object = _NOTHING
        self._ended = False

    def offer(self, value: V) -> None:
        """Give it a value; one that it has got already is no news."""
        if value != self._newest:
            self._newest = value
            self._news.set()

    def end(self) -> None:
        """Have it tell nothing more."""
        self._ended = True
        self._news.set()

    def values(
        self, ends: float, idle_seconds: float, left: Callable[[], bool]
    ) -> Iterator[V | None]:
        """Yield values, and None whenever nothing was told for ``idle_seconds``."""
        told: object = _NOTHING
        idle = time.monotonic() + idle_seconds
        while time.monotonic() < ends and not left():
            self._news.wait(_until(min(ends, idle)))
            self._news.clear()
            if self._ended:
                return
            newest = self._newest
            if newest != told:
                told = newest
                yield cast("V", newest)
            elif time.monotonic() >= idle:
                yield None
            else:
                continue
            idle = time.monotonic() + idle_seconds


def _never() -> bool:
    return False


def _until(moment: float) -> float:
    """Return how long to wait for this moment, but not past the next glance."""
    return min(max(moment - time.monotonic(), 0.0), _GLANCE_SECONDS)
