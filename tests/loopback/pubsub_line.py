"""What waits for one subscription of the Pub/Sub on loopback."""

import bisect
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from google.pubsub_v1 import types

_MOST_TRIES = 5  # the default of a dead-letter policy


@dataclass(order=True)
class Parcel:
    """A message on its way to one subscription."""

    number: int
    message: types.PubsubMessage = field(compare=False)
    attempts: int = field(default=0, compare=False)
    due: float = field(default=0.0, compare=False)


class Line:
    """What waits for one subscription, and what is out there unanswered."""

    def __init__(self, config: types.Subscription, bury: Callable[..., None]) -> None:
        self.config = config
        self._bury = bury
        self._waiting: list[Parcel] = []
        self._out: dict[str, tuple[Parcel, float]] = {}
        self._numbers = count(1)
        self._changed = threading.Condition()
        self.closed = False

    def add(self, message: types.PubsubMessage) -> None:
        with self._changed:
            self._waiting.append(Parcel(next(self._numbers), message))
            self._changed.notify_all()

    def take(self, most: int, *, wait: float) -> list[tuple[str, Parcel]]:
        """Return what is due, waiting for the first of it at most so long."""
        ends = time.monotonic() + wait
        with self._changed:
            while not (found := self._due()[:most]) and not self.closed:
                if (left := ends - time.monotonic()) <= 0:
                    break
                self._changed.wait(min(left, self._next()))
            return [(self._hand_out(parcel), parcel) for parcel in found]

    def settle(self, ack_id: str, *, acked: bool) -> None:
        """Forget a message, or have it come again, or bury it."""
        with self._changed:
            parcel, _ = self._out.pop(ack_id, (None, 0))
            if parcel is not None and not acked:
                self._again(parcel)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    @property
    def quiet(self) -> bool:
        """Whether nothing waits and nothing is out."""
        with self._changed:
            return not self._waiting and not self._out

    def _due(self) -> list[Parcel]:
        """Return what may go out: with ordering, one message of a key at a time."""
        now = time.monotonic()
        for ack_id, (parcel, until) in list(self._out.items()):
            if until < now:
                del self._out[ack_id]
                self._again(parcel)
        if not self.config.enable_message_ordering:
            return [parcel for parcel in self._waiting if parcel.due <= now]
        taken = {parcel.message.ordering_key for parcel, _ in self._out.values()}
        found = []
        for parcel in self._waiting:
            key = parcel.message.ordering_key
            if key and key in taken:
                continue
            taken.add(key)
            if parcel.due <= now:
                found.append(parcel)
        return found

    def _hand_out(self, parcel: Parcel) -> str:
        self._waiting.remove(parcel)
        parcel.attempts += 1
        ack_id = f"{parcel.number}.{parcel.attempts}"
        until = time.monotonic() + self.config.ack_deadline_seconds
        self._out[ack_id] = (parcel, until)
        return ack_id

    def _again(self, parcel: Parcel) -> None:
        policy = self.config.dead_letter_policy
        most = policy.max_delivery_attempts or _MOST_TRIES
        if policy.dead_letter_topic and parcel.attempts >= most:
            self._bury(self.config, parcel)
            return
        retry = self.config.retry_policy
        least = retry.minimum_backoff.total_seconds() if retry.minimum_backoff else 0
        most_s = retry.maximum_backoff.total_seconds() if retry.maximum_backoff else 600
        wait = min(most_s, least * 2 ** (parcel.attempts - 1))
        parcel.due = time.monotonic() + wait
        bisect.insort(self._waiting, parcel)

    def _next(self) -> float:
        """Return in how many seconds something may become due."""
        now = time.monotonic()
        times = [parcel.due for parcel in self._waiting if parcel.due > now]
        times += [until for _, until in self._out.values()]
        return max(0.001, min(times, default=now + 1) - now)
