"""Read ahead: the producer of an iterator works in a thread of its own."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")

_LOOK_SECONDS = 0.1  # how often a producer with a full queue sees that nobody reads on
_END = None  # no item is None


@contextmanager
def ahead(items: Iterator[Item], *, at_most: int) -> Iterator[Iterator[Item]]:
    """Yield the same items; up to ``at_most`` of them wait to be taken.

    What ``items`` raises is raised when that place is reached. The thread has ended
    when the block has, so what the producer reads from may then be closed.
    """
    queue: Queue[Item | None] = Queue(at_most)
    over = threading.Event()
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        try:
            yield _taken(queue, pool.submit(_produce, items, queue, over))
        finally:
            over.set()


def _produce(
    items: Iterator[Item], queue: "Queue[Item | None]", over: threading.Event
) -> None:
    try:
        for item in items:
            if not _put(queue, item, over):
                return
    finally:
        _put(queue, _END, over)


def _put(queue: "Queue[Item | None]", item: Item | None, over: threading.Event) -> bool:
    """Return whether the item was taken into the queue; not if nobody reads on."""
    while not over.is_set():
        try:
            queue.put(item, timeout=_LOOK_SECONDS)
        except Full:
            continue
        return True
    return False


def _taken(queue: "Queue[Item | None]", producer: "Future[None]") -> Iterator[Item]:
    while (item := queue.get()) is not _END:
        yield item
    producer.result()  # raises what ended it
