"""What operators and their monitoring ask for."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from api_service import views
from api_service.context import deps, reading
from api_service.openapi import describes
from common import metrics
from common.metrics import LATENCY_BUCKETS_MS, Metrics
from common.models import JobState

bp = Blueprint("operations", __name__, url_prefix="/ops")

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class LatencyOut(BaseModel):
    """How long jobs of one type took, in milliseconds."""

    count: int
    avg: float
    max: float
    buckets: dict[str, int]


class StatusEvents(BaseModel):
    """How often jobs of one type reached one status."""

    jobType: str
    status: str
    count: int


class MetricsOut(BaseModel):
    """Counts over all instances."""

    queueDepth: dict[str, int]
    oldestQueuedSeconds: float
    jobStatusEvents: list[StatusEvents]
    jobFailures: dict[str, int]
    jobRetries: dict[str, int]
    jobLatencyMs: dict[str, LatencyOut]


@bp.get("/metrics")
@describes(gives=MetricsOut)
def as_json() -> ResponseReturnValue:
    """Return the counts as JSON."""
    found = _read()
    return {
        "queueDepth": _depth(found),
        "oldestQueuedSeconds": found.oldest_queued_seconds,
        "jobStatusEvents": [
            {"jobType": kind, "status": status, "count": count}
            for (kind, status), count in _events(found).items()
        ],
        "jobFailures": _failures(found),
        "jobRetries": found.retries,
        "jobLatencyMs": {kind: _latency(found, kind) for kind in found.latencies},
    }


@bp.get("/metrics/prometheus")
@describes(gives="text/plain")
def as_prometheus() -> ResponseReturnValue:
    """Return the counts in Prometheus' text format."""
    text = "\n".join([*_lines(_read()), ""])
    return Response(text, content_type=_PROMETHEUS)


def _read() -> Metrics:
    with reading() as session:
        return metrics.read(session)


def _depth(found: Metrics) -> dict[str, int]:
    """Return how many jobs wait or run; one that waits for its pieces is running."""
    running = found.depth.get(JobState.RUNNING, 0)
    waiting = found.depth.get(JobState.WAITING, 0)
    return {
        "queued": found.depth.get(JobState.QUEUED, 0),
        "running": running + waiting,
    }


def _events(found: Metrics) -> dict[tuple[str, str], int]:
    """Return the events by the clients' words; waiting is not one of them."""
    counted: dict[tuple[str, str], int] = {}
    for (kind, state), count in sorted(found.reached.items()):
        if state != JobState.WAITING:
            key = kind, views.job_status(state)
            counted[key] = counted.get(key, 0) + count
    return counted


def _failures(found: Metrics) -> dict[str, int]:
    return {kind: n for (kind, state), n in found.reached.items() if state == "failed"}


def _latency(found: Metrics, kind: str) -> dict[str, Any]:
    latency = found.latencies[kind]
    names = [str(limit) for limit in LATENCY_BUCKETS_MS]
    return {
        "count": latency.count,
        "avg": round(latency.average_ms, 1),
        "max": round(latency.longest_ms, 1),
        "buckets": dict(zip(names, latency.buckets, strict=True))
        | {"+Inf": latency.count},
    }


def _lines(found: Metrics) -> Iterable[str]:
    yield from _series(
        "queue_depth",
        "gauge",
        "Jobs that wait or run.",
        [(f'status="{s}"', n) for s, n in _depth(found).items()],
    )
    yield from _series(
        "queue_oldest_seconds",
        "gauge",
        "Age of the oldest job that is due.",
        [("", round(found.oldest_queued_seconds, 1))],
    )
    yield from _series(
        "job_status_events_total",
        "counter",
        "How often jobs reached a status.",
        [
            (f'job_type="{kind}",status="{status}"', n)
            for (kind, status), n in _events(found).items()
        ],
    )
    yield from _series(
        "job_failures_total",
        "counter",
        "Jobs that failed for good.",
        [(f'job_type="{kind}"', n) for kind, n in _failures(found).items()],
    )
    yield from _series(
        "job_retries_total",
        "counter",
        "Tries after the first, replays included.",
        [(f'job_type="{kind}"', n) for kind, n in found.retries.items()],
    )
    yield from _latency_lines(found)
    yield from _money_lines(found)


def _money_lines(found: Metrics) -> Iterable[str]:
    limit = deps().settings.daily_budget_usd
    yield from _series(
        "spent_today_usd",
        "gauge",
        "What outside services have cost today, UTC, and what is set aside for them.",
        [("", found.spent_today_usd_micros / 1_000_000)],
    )
    yield from _series(
        "daily_budget_usd",
        "gauge",
        "What they may cost in a day; absent if there is no limit.",
        [] if limit is None else [("", limit)],
    )


def _latency_lines(found: Metrics) -> Iterable[str]:
    shown = {kind: _latency(found, kind) for kind in sorted(found.latencies)}
    for name in ("avg", "max"):
        yield from _series(
            f"job_latency_ms_{name}",
            "gauge",
            "From being asked for to the end.",
            [(f'job_type="{kind}"', latency[name]) for kind, latency in shown.items()],
        )
    yield from _series(
        "job_latency_ms_bucket",
        "counter",
        "Finished jobs by how long they took.",
        [
            (f'job_type="{kind}",le="{limit}"', n)
            for kind, latency in shown.items()
            for limit, n in latency["buckets"].items()
        ],
    )
    yield from _series(
        "job_latency_ms_count",
        "counter",
        "Finished jobs.",
        [(f'job_type="{kind}"', latency["count"]) for kind, latency in shown.items()],
    )


def _series(
    name: str, kind: str, text: str, values: Iterable[tuple[str, float]]
) -> Iterable[str]:
    yield f"# HELP pegasus_{name} {text}"
    yield f"# TYPE pegasus_{name} {kind}"
    for labels, value in values:
        yield (
            f"pegasus_{name}{{{labels}}} {value}"
            if labels
            else f"pegasus_{name} {value}"
        )
