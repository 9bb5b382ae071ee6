"""Signs of life: one thread per process renews every lease that the process holds.

If the thread dies, the process must: a worker that takes jobs but cannot keep them
would pull all work to itself and finish none.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from common import jobs
from common.db import Db
from common.jobs import Lease, LeaseLost

log = logging.getLogger(__name__)

_EXIT_STATUS = 70  # EX_SOFTWARE: the supervisor starts a new process
_MOST_BUGS = 5  # unexpected errors in a row, then the process starts anew
_GRACE_SECONDS = 6  # of the 10 that Cloud Run leaves between SIGTERM and SIGKILL


_SHUTDOWN = jobs.GiveBack("shutdown", counted=False, delay_seconds=0)


class Cancelled(Exception):
    """A person cancelled the job."""


class Draining(Exception):
    """This process is about to stop; the job goes to another one."""


class Pulse:
    """What a handler asks between two steps: may I go on?"""

    def __init__(self, lease: Lease, draining: threading.Event) -> None:
        self.lease = lease
        self.lost = threading.Event()
        self.cancelled = threading.Event()
        self._draining = draining

    def check(self) -> None:
        """Do nothing if the job is still ours to do.

        Raises:
            LeaseLost: write nothing any more.
            Cancelled: stop, the job is not wanted.
            Draining: stop, the process ends.
        """
        if self.lost.is_set():
            raise LeaseLost
        if self.cancelled.is_set():
            raise Cancelled
        if self._draining.is_set():
            raise Draining


class Heart:
    """Renews the leases of this process. Has a database connection of its own."""

    def __init__(
        self,
        db: Db,
        *,
        lease_seconds: float,
        on_given_back: Callable[[], object] = lambda: None,
        die: Callable[[int], object] = os._exit,
    ) -> None:
        """Make a heart that does not beat yet.

        Args:
            db: one connection is enough, and nobody else should use it.
            lease_seconds: how long a lease holds without a sign.
            on_given_back: sends the tasks of jobs that a shutdown gave back.
            die: ends the process.
        """
        self._db = db
        self._on_given_back = on_given_back
        self._die = die
        self.lease_seconds = lease_seconds
        self.draining = threading.Event()
        self._held: dict[UUID, Pulse] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._bugs_in_a_row = 0

    @contextmanager
    def hold(self, lease: Lease) -> Iterator[Pulse]:
        """Keep ``lease`` alive inside the block."""
        pulse = Pulse(lease, self.draining)
        with self._lock:
            self._held[lease.token] = pulse
            if self._thread is None:  # not at import: the thread would not survive fork
                self._thread = threading.Thread(target=self._live, daemon=True)
                self._thread.start()
        try:
            yield pulse
        finally:
            with self._lock:
                self._held.pop(lease.token, None)

    def drain(self) -> None:
        """Have handlers stop at their next step; then take from them what is left.

        After six seconds every lease still held is given back, whatever its handler
        does, and the process ends: until then, the queue would count these deliveries
        as running and start no others in their place.
        """
        self.draining.set()
        timer = threading.Timer(_GRACE_SECONDS, self._give_all_back)
        timer.daemon = True  # when no job is left, the process need not wait for it
        timer.start()

    def count(self, *, bug: bool) -> None:
        """Note how a run ended. A process that only meets bugs is itself the bug."""
        self._bugs_in_a_row = self._bugs_in_a_row + 1 if bug else 0
        if self._bugs_in_a_row >= _MOST_BUGS:
            log.critical("too many unexpected errors in a row")
            self._die(_EXIT_STATUS)

    def beat(self) -> None:
        """Renew all leases once; tell the handlers whose job is lost or cancelled."""
        pulses = self._pulses()
        if not pulses:
            return
        with self._db.begin() as session:
            ours = jobs.beat(
                session, [p.lease for p in pulses], seconds=self.lease_seconds
            )
        for pulse in pulses:
            cancel = ours.get(pulse.lease.job_id)
            if cancel is None:
                pulse.lost.set()
            elif cancel:
                pulse.cancelled.set()

    def _pulses(self) -> list[Pulse]:
        with self._lock:
            return list(self._held.values())

    def _live(self) -> None:
        try:
            self._beat_for_ever()
        finally:
            self._die(_EXIT_STATUS)

    def _beat_for_ever(self) -> None:
        missed = 0
        pause = threading.Event()
        while True:
            pause.wait(self.lease_seconds / 4)
            try:
                self.beat()
                missed = 0
            except (SQLAlchemyError, OSError) as exc:
                missed += 1
                log.warning("heartbeat missed", extra={"error": type(exc).__name__})
            if missed > 1:  # half the lease is gone without a sign
                for pulse in self._pulses():
                    pulse.lost.set()

    def _give_all_back(self) -> None:
        pulses = self._pulses()
        for pulse in pulses:
            pulse.lost.set()
            try:
                with self._db.begin() as session:
                    jobs.give_back(session, pulse.lease, _SHUTDOWN)
            except LeaseLost:
                log.info("job ended before it was given back")
            except SQLAlchemyError as exc:  # its lease will lapse; the others count too
                log.warning("not given back", extra={"error": type(exc).__name__})
        self._on_given_back()
        if pulses:  # what their handlers still do counts no more
            self._die(0)
