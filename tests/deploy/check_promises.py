"""Checks of what is watched: the promises of the runbook, counted where kept."""

import re
from collections.abc import Iterator

from tests.deploy import code
from tests.deploy.terraform import Stack
from worker_service.handlers import HANDLERS

RUNBOOK = code.ROOT / "docs" / "runbooks" / "alerting.md"
_ROW = re.compile(r"^\| `([\w-]+)` \|.*\| ([\d.]+) % \|$", re.MULTILINE)
_MINUTES = re.compile(r"done within (\d+) minutes")
_METRIC = re.compile(r'"logging\.googleapis\.com/user/([^"]+)"')
_TYPES = re.compile(r"metric\.labels\.job_type = (?:one_of\()?([^)]+)")


def promises_are_those_of_the_runbook(stack: Stack) -> Iterator[str]:
    """Each promise has an SLO with its goal, and each SLO is promised."""
    promised = {name: float(goal) for name, goal in _ROW.findall(RUNBOOK.read_text())}
    made = {
        one["slo_id"]: round(one["goal"] * 100, 3)
        for one in stack.of("google_monitoring_slo")
    }
    for name in sorted(promised.keys() | made.keys()):
        if promised.get(name) != made.get(name):
            yield f"{name}: {made.get(name)} %, promised are {promised.get(name)} %"
    if {30} != {
        one["rolling_period_days"] for one in stack.of("google_monitoring_slo")
    }:
        yield "a promise is not over 30 days"


def answers_are_those_of_the_api(stack: Stack) -> Iterator[str]:
    """A worker's 503 sends a task back; no client sees it."""
    filters = [
        text
        for one in stack.of("google_monitoring_slo")
        for text in _filters(one)
        if "request_count" in text
    ]
    for policy in stack.of("google_monitoring_alert_policy"):
        for condition in policy["conditions"]:
            for limit in condition["condition_threshold"] or []:
                filters += [limit["filter"], limit["denominator_filter"] or ""]
    counted = [text for text in filters if "request_count" in text]
    if len(counted) < 4:  # two numbers each, of an SLO and of an alert
        yield "nobody counts the answers of the API"
    for text in counted:
        if 'service_name = "pegasus-api"' not in text:
            yield f"not only the API's answers are counted: {text}"


def jobs_are_counted_by_type_at_their_end(stack: Stack) -> Iterator[str]:
    """Good and bad jobs are whole jobs of types that there are, each counted once."""
    metrics = {one["name"]: one for one in stack.of("google_logging_metric")}
    for slo in stack.of("google_monitoring_slo"):
        for text in _filters(slo):
            if "request_count" in text:
                continue
            [name] = _METRIC.findall(text) or [""]
            if name not in metrics:
                yield f"{slo['slo_id']}: no metric {name}"
                continue
            yield from _at_its_end(metrics[name])
            [types] = _TYPES.findall(text) or [""]
            unknown = set(re.findall(r'"(\w+)"', types)) - HANDLERS.keys()
            if not types or unknown:
                yield f"{slo['slo_id']}: of which jobs? {text}"
    [minutes] = _MINUTES.findall(RUNBOOK.read_text())
    for sign, name in (("<=", "in_time"), (">", "late")):
        if (
            f"seconds{sign}{int(minutes) * 60}"
            not in metrics[f"pegasus/jobs_{name}"]["filter"]
        ):
            yield f"{name} is not about {minutes} minutes"


def _at_its_end(metric: dict[str, str]) -> Iterator[str]:
    wanted = (
        'jsonPayload.message="job.updated"',
        'jsonPayload.job_type!="transcription_chunk"',
    )
    for words in wanted:
        if words not in metric["filter"]:
            yield f"{metric['name']} does not ask for {words}"
    if not re.search(r'status="(succeeded|failed)"', metric["filter"]):
        yield f"{metric['name']} counts jobs that have not ended"
    if "job_type" not in (metric["label_extractors"] or {}):
        yield f"{metric['name']} does not tell types apart"


def _filters(slo: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[str]:
    ratio = slo["request_based_sli"][0]["good_total_ratio"][0]
    return [text for key, text in ratio.items() if key.endswith("_filter") and text]
