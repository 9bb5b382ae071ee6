"""Which request caused what: trace contexts, and spans of them when switched on.

A context is made for every request and goes along with its jobs, so that log lines can
be joined. Spans are recorded only after ``start``; without it, OpenTelemetry is not
even imported and ``span`` costs a microsecond.

context     the ids, and the headers that carry them
otlp        spans that are recorded and sent; imported by ``start``
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

from common.settings import Settings
from common.tracing.context import (
    Headers,
    Trace,
    from_headers,
    log_fields,
    new_trace,
    parse,
)

__all__ = [
    "Kind",
    "Recorder",
    "Span",
    "Trace",
    "from_headers",
    "log_fields",
    "parse",
    "request",
    "span",
    "start",
    "stop",
    "traceparent",
]

Kind = Literal["server", "producer", "client"]


class Span(Protocol):
    """A piece of work that is being done; ``trace`` is None if it is in no trace."""

    @property
    def trace(self) -> Trace | None:
        """Its own place, for those that it causes."""

    def note(self, name: str, value: str | int) -> None:
        """Write down how it went. Never content: spans leave this process."""


class Recorder(Protocol):
    """Records spans and sends them away."""

    def span(
        self, name: str, kind: Kind, parent: Trace | None, about: Mapping[str, str]
    ) -> AbstractContextManager[Span]:
        """Record the block as a span, also when it fails."""

    def flush(self) -> None:
        """Send what is recorded. It never fails, and waits half a second at most."""


class _Unrecorded:
    """The span of a process that records none."""

    __slots__ = ("trace",)

    def __init__(self, trace: Trace | None) -> None:
        self.trace = trace

    def note(self, name: str, value: str | int) -> None:
        """Forget it."""


_here: ContextVar[Trace | None] = ContextVar("trace", default=None)
_recorders: list[Recorder] = []  # one, or none when tracing is off


def start(settings: Settings, service: str) -> None:
    """Record spans from now on, if the settings want it."""
    if settings.tracing:
        from common.tracing.otlp import OtlpRecorder

        _recorders[:] = [OtlpRecorder(service)]


def stop() -> None:
    """Record nothing any more."""
    _recorders.clear()


@contextmanager
def request(name: str, headers: Headers) -> Iterator[Span]:
    """Do the block as the answer to a request, in its sender's trace or a new one.

    What was recorded meanwhile is sent before the block is left: afterwards, Cloud Run
    gives no CPU to do so.
    """
    sent = from_headers(headers)
    if not _recorders:
        with _at(sent or new_trace()) as trace:
            yield _Unrecorded(trace)
        return
    [recorder] = _recorders
    try:
        with recorder.span(name, "server", sent, {}) as recorded, _at(recorded.trace):
            yield recorded
    finally:
        recorder.flush()


@contextmanager
def span(
    name: str, kind: Kind, *, parent: Trace | None = None, **about: str
) -> Iterator[Span]:
    """Do the block as a part of ``parent``, by default of the span that we are in."""
    parent = parent or _here.get()
    if not _recorders:
        with _at(parent):
            yield _Unrecorded(parent)
        return
    [recorder] = _recorders
    with recorder.span(name, kind, parent, about) as recorded, _at(recorded.trace):
        yield recorded


def traceparent() -> str | None:
    """Return the header for what we cause; None outside of all traces."""
    trace = _here.get()
    return None if trace is None else trace.traceparent


@contextmanager
def _at(trace: Trace | None) -> Iterator[Trace | None]:
    token = _here.set(trace)
    try:
        yield trace
    finally:
        _here.reset(token)
