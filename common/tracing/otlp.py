"""Spans by OpenTelemetry, sent by OTLP over HTTP to ``OTEL_EXPORTER_OTLP_ENDPOINT``.

Nothing runs in the background, because Cloud Run gives no CPU between requests: each
request sends its spans at its end. A collector that is down costs one request half a
second now and then, and nobody an answer.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace import (
    format_span_id as hex_span,
)
from opentelemetry.trace import (
    format_trace_id as hex_trace,
)

from common.tracing.context import Trace

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.5  # a collector nearby answers in milliseconds; a client waits
_PAUSE_SECONDS = 30  # after a failure, so that an outage slows few requests
_MOST_SPANS = 2000  # of an outage, are kept: 2 MB; the oldest are lost
_TIMEOUT_VARIABLES = (
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
)
_KINDS = {
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "client": SpanKind.CLIENT,
}


class OtlpRecorder:
    """Records and sends spans. ``OTEL_`` variables say where to and how many."""

    def __init__(self, service: str) -> None:
        given = any(name in os.environ for name in _TIMEOUT_VARIABLES)
        exporter = OTLPSpanExporter(timeout=None if given else _PATIENCE_SECONDS)
        self._outgoing = _Outgoing(exporter)
        named = "OTEL_SERVICE_NAME" in os.environ
        provider = TracerProvider(
            resource=Resource.create({} if named else {SERVICE_NAME: service}),
            shutdown_on_exit=False,  # there is nothing left to send
        )
        provider.add_span_processor(self._outgoing)
        self._tracer = provider.get_tracer("pegasus")

    @contextmanager
    def span(
        self, name: str, kind: str, parent: Trace | None, about: Mapping[str, str]
    ) -> Iterator["_Recorded"]:
        """Record the block as a span; of an exception only the kind is recorded."""
        started = self._tracer.start_span(
            name,
            context=set_span_in_context(_remote(parent)),
            kind=_KINDS[kind],
            attributes=about,
            record_exception=False,
            set_status_on_exception=False,
        )
        try:
            yield _Recorded(started)
        except BaseException as exc:
            started.set_status(Status(StatusCode.ERROR, type(exc).__name__))
            raise
        finally:
            started.end()

    def flush(self) -> None:  # noqa: D102
        self._outgoing.send()


class _Recorded:
    """A span that is recorded, unless the sampler decided otherwise."""

    def __init__(self, span: Span) -> None:
        self._span = span
        own = span.get_span_context()
        self.trace: Trace | None = Trace(
            hex_trace(own.trace_id), hex_span(own.span_id), own.trace_flags.sampled
        )

    def note(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)


class _Outgoing(SpanProcessor):
    """Spans that ended and are still to be sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._spans: deque[ReadableSpan] = deque(maxlen=_MOST_SPANS)
        self._sending = threading.Lock()
        self._not_before = 0.0

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self._spans.append(span)

    def send(self) -> None:
        """Send all at once; who finds another request sending waits for it."""
        if not self._spans or time.monotonic() < self._not_before:
            return
        if not self._sending.acquire(timeout=_PATIENCE_SECONDS):
            return  # they stay for the next request
        try:
            self._send(self._taken())
        finally:
            self._sending.release()

    def _taken(self) -> list[ReadableSpan]:
        return [self._spans.popleft() for _ in range(len(self._spans))]

    def _send(self, spans: list[ReadableSpan]) -> None:
        if not spans or self._exporter.export(spans) is SpanExportResult.SUCCESS:
            return
        self._spans.extendleft(reversed(spans))
        self._not_before = time.monotonic() + _PAUSE_SECONDS
        log.warning("trace.not_sent", extra={"spans": len(spans)})


def _remote(parent: Trace | None) -> Span:
    """Return the parent as a span of somebody else; an invalid one for a new trace."""
    if parent is None:
        return NonRecordingSpan(SpanContext(0, 0, is_remote=False))
    return NonRecordingSpan(
        SpanContext(
            int(parent.trace_id, 16),
            int(parent.span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(int(parent.sampled)),
        )
    )
