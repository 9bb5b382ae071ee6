"""A place in a trace, and the headers that carry it (W3C, and Google's older one)."""

import re
import secrets
from dataclasses import dataclass
from typing import Protocol

_W3C = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_GOOGLE = re.compile(r"([0-9a-f]{32})/([0-9]{1,20})(?:;o=([01]))?")
_SAMPLED = 1  # the lowest bit of the flags
_LAST_SPAN = 2**64


class Headers(Protocol):
    """The headers of a request; upper and lower case are the same."""

    def get(self, name: str, /) -> str | None:
        """Return one, None if it is absent."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace and the span in it where we are; both ids in hexadecimal."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """The header for those that we call.

        Source: www.w3.org/TR/trace-context, read 2026-11.
        """
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


def new_trace() -> Trace:
    """Return a trace that nobody knows yet."""
    return Trace(secrets.token_hex(16), secrets.token_hex(8), sampled=False)


def parse(traceparent: str | None) -> Trace | None:
    """Return what a ``traceparent`` says; None if it is absent or not valid."""
    found = _W3C.fullmatch(traceparent or "")
    if found is None or (traceparent or "").startswith("ff"):
        return None
    trace_id, span_id, flags, _more = found.groups()
    return _valid(trace_id, span_id, sampled=bool(int(flags, 16) & _SAMPLED))


def from_headers(headers: Headers) -> Trace | None:
    """Return the trace of a request's sender, if it named one."""
    return parse(headers.get("traceparent")) or _google(
        headers.get("X-Cloud-Trace-Context") or ""
    )


def log_fields(trace: Trace | None, project: str | None) -> dict[str, object]:
    """Return what a log line must carry for Cloud Logging to show it in its trace.

    Source: cloud.google.com/logging/docs/structured-logging, read 2026-11.
    """
    if trace is None:
        return {}
    if project is None:  # nobody reads Google's names here
        return {"trace_id": trace.trace_id}
    return {
        "logging.googleapis.com/trace": f"projects/{project}/traces/{trace.trace_id}",
        "logging.googleapis.com/spanId": trace.span_id,
        "logging.googleapis.com/trace_sampled": trace.sampled,
    }


def _google(header: str) -> Trace | None:
    found = _GOOGLE.fullmatch(header)
    if found is None or int(found[2]) >= _LAST_SPAN:
        return None
    return _valid(found[1], f"{int(found[2]):016x}", sampled=found[3] == "1")


def _valid(trace_id: str, span_id: str, *, sampled: bool) -> Trace | None:
    if not (int(trace_id, 16) and int(span_id, 16)):  # zero means none
        return None
    return Trace(trace_id, span_id, sampled)
