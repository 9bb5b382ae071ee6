"""What monitoring is told: counted in the database, so that every instance agrees."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from common.errors import ProviderError, ProviderUnavailable
from common.models import Job
from tests import factories
from tests.conftest import make_api
from tests.factories import minute

BUCKETS = (
    "1000",
    "5000",
    "10000",
    "30000",
    "60000",
    "120000",
    "300000",
    "600000",
    "900000",
)
SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>[^}]*)\})? (?P<value>[-+.\de]+)")
LABEL = re.compile(r'(?P<name>[a-z_]+)="(?P<value>[^"\\\n]*)"')


def parse(text):
    """Read Prometheus' text format; refuse what its scraper would refuse."""
    assert text.endswith("\n")
    types, helps, samples = dict[str, str](), dict[str, str](), {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            known = {"TYPE": types, "HELP": helps}[what]
            assert name not in known, f"{what} {name} comes twice"
            known[name] = rest
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        labels = [label.split("=") for label in (found["labels"] or "").split(",")]
        for label in filter(None, (found["labels"] or "").split(",")):
            assert LABEL.fullmatch(label), line
        key = found["name"], *sorted(v.strip('"') for _, *rest in labels for v in rest)
        assert key not in samples, f"{line} comes twice"
        samples[key] = float(found["value"])
    assert {name for name, *_ in samples} <= types.keys() == helps.keys()
    return types, samples


@pytest.fixture
def scrape(api):
    def read():
        reply = api.get("/ops/metrics/prometheus")
        kind = "text/plain; version=0.0.4; charset=utf-8"
        assert reply.headers["Content-Type"] == kind
        return parse(reply.text)

    return read


@pytest.fixture
def samples(scrape):
    return lambda: scrape()[1]


def end(db, state, *, seconds, kind="export"):
    """Have one job end so long after it was asked for."""
    asked = minute(0)
    found = factories.job(db, state="running", kind=kind, created_at=asked)
    values = {
        "state": state,
        "finished_at": asked + timedelta(seconds=seconds),
        "lease_token": None,
        "lease_expires_at": None,
    }
    with db.begin() as session:
        session.execute(update(Job).where(Job.id == found.id).values(**values))


def test_the_series_have_the_names_that_dashboards_ask_for(scrape, db):
    end(db, "succeeded", seconds=1)
    types, _ = scrape()
    assert types == {
        "pegasus_queue_depth": "gauge",
        "pegasus_queue_oldest_seconds": "gauge",
        "pegasus_job_status_events_total": "counter",
        "pegasus_job_failures_total": "counter",
        "pegasus_job_retries_total": "counter",
        "pegasus_job_latency_ms_avg": "gauge",
        "pegasus_job_latency_ms_max": "gauge",
        "pegasus_job_latency_ms_bucket": "counter",
        "pegasus_job_latency_ms_count": "counter",
        "pegasus_spent_today_usd": "gauge",
        "pegasus_daily_budget_usd": "gauge",
    }


def test_an_empty_system_has_nothing_to_do(samples, api):
    assert samples() == {
        ("pegasus_queue_depth", "queued"): 0,
        ("pegasus_queue_depth", "running"): 0,
        ("pegasus_queue_oldest_seconds",): 0,
        ("pegasus_spent_today_usd",): 0,
    }
    assert api.get("/ops/metrics").json == {
        "queueDepth": {"queued": 0, "running": 0},
        "oldestQueuedSeconds": 0.0,
        "jobStatusEvents": [],
        "jobFailures": {},
        "jobRetries": {},
        "jobLatencyMs": {},
    }


def test_a_lecture_s_way_is_counted_in_the_clients_words(
    samples, api, ingest, worker, queue
):
    ingest()
    worker.run_all(queue)
    api.post("/lectures/l1/generate", json={})
    worker.run_all(queue)

    found = samples()
    events = {key[1:]: n for key, n in found.items() if "events" in key[0]}
    assert events == {
        tuple(sorted((kind, status))): 1
        for kind in ("transcription", "generation")
        for status in ("queued", "running", "completed")
    }
    assert found["pegasus_job_latency_ms_count", "generation"] == 1


def test_the_depth_counts_jobs_and_not_the_pieces_of_one(samples, db):
    parent = factories.job(db, state="waiting", kind="transcription")
    for state in ("queued", "queued", "running"):
        factories.job(db, state=state, kind="transcription", parent_id=parent.id)
    factories.job(db, "l2", kind="export")
    factories.job(db, "l3", kind="export", state="failed")

    found = samples()
    assert found["pegasus_queue_depth", "queued"] == 1
    assert found["pegasus_queue_depth", "running"] == 1


def test_the_oldest_that_is_due_tells_its_age(samples, db):
    now = datetime.now(UTC)
    factories.job(db, available_at=now - timedelta(seconds=90))
    factories.job(db, "l2", available_at=now - timedelta(seconds=30))
    factories.job(db, "l3", available_at=now + timedelta(hours=1))
    factories.job(db, "l4", state="running", available_at=now - timedelta(hours=1))
    assert 60 < samples()["pegasus_queue_oldest_seconds",] < 91


def test_failures_are_counted_where_they_happen(samples, db):
    for _ in range(2):
        end(db, "failed", seconds=1, kind="generation")
    end(db, "failed", seconds=1, kind="export")
    end(db, "succeeded", seconds=1, kind="export")

    found = samples()
    assert found["pegasus_job_failures_total", "generation"] == 2
    assert found["pegasus_job_failures_total", "export"] == 1
    assert found["pegasus_job_status_events_total", "failed", "generation"] == 2
    assert ("pegasus_job_failures_total", "transcription") not in found


def test_a_cancelled_job_is_told_as_failed_but_is_no_failure(samples, ingest):
    ingest()
    ingest()  # another recording: the job about the first one is cancelled
    found = samples()
    assert found["pegasus_job_status_events_total", "failed", "transcription"] == 1
    assert ("pegasus_job_failures_total", "transcription") not in found


def test_a_second_try_is_a_retry(samples, ingest, worker, queue, speech):
    speech.errors = [ProviderUnavailable()]
    ingest()
    worker.run_all(queue)
    assert samples()["pegasus_job_retries_total", "transcription"] == 1


def test_a_replay_is_a_retry(samples, api, ingest, worker, queue, speech):
    speech.errors = [ProviderError()]
    ingest()
    worker.run_all(queue)
    api.post("/jobs/dead-letter/replay")
    worker.run_all(queue)
    assert samples()["pegasus_job_retries_total", "transcription"] == 1


def test_latencies_are_from_being_asked_for_to_the_end(samples, api, db):
    for seconds in (0.5, 1, 7, 7000):
        end(db, "succeeded", seconds=seconds)
    end(db, "failed", seconds=59)
    end(db, "cancelled", seconds=1)

    found = samples()
    assert found["pegasus_job_latency_ms_count", "export"] == 5
    assert found["pegasus_job_latency_ms_max", "export"] == 7_000_000
    average = (500 + 1000 + 7000 + 7_000_000 + 59_000) / 5
    assert found["pegasus_job_latency_ms_avg", "export"] == average
    within = dict(zip((*BUCKETS, "+Inf"), (2, 2, 3, 3, *[4] * 5, 5), strict=True))
    for limit, count in within.items():
        key = ("pegasus_job_latency_ms_bucket", *sorted((limit, "export")))
        assert found[key] == count, limit
    assert api.get("/ops/metrics").json["jobLatencyMs"] == {
        "export": {
            "count": 5,
            "avg": average,
            "max": 7_000_000.0,
            "buckets": within,
        }
    }


def counters(scrape):
    types, found = scrape()
    return {k: n for k, n in found.items() if types[k[0]] == "counter"}


def test_no_counter_goes_back_when_lectures_are_deleted(
    scrape, api, ingest, worker, queue, speech
):
    speech.errors = [ProviderError()]
    ingest()
    worker.run_all(queue)
    api.post("/jobs/dead-letter/replay")
    worker.run_all(queue)
    api.post("/lectures/l1/export")
    worker.run_all(queue)
    before = counters(scrape)
    assert any("retries" in name for name, *_ in before)

    assert api.delete("/courses/c1").status_code == 200

    assert counters(scrape) == before


def test_another_instance_counts_the_same(scrape, deps, db):
    end(db, "succeeded", seconds=3)
    other = make_api(deps).get("/ops/metrics/prometheus").text
    assert parse(other) == scrape()


def test_json_says_what_the_text_says(samples, api, db):
    end(db, "failed", seconds=3)
    end(db, "succeeded", seconds=2, kind="generation")
    factories.job(db, "l2")
    body = api.get("/ops/metrics").json
    found = samples()
    for status, count in body["queueDepth"].items():
        assert found["pegasus_queue_depth", status] == count
    for event in body["jobStatusEvents"]:
        labels = sorted((event["jobType"], event["status"]))
        key = ("pegasus_job_status_events_total", *labels)
        assert found[key] == event["count"]
    for kind, count in body["jobFailures"].items():
        assert found["pegasus_job_failures_total", kind] == count


@pytest.mark.parametrize("path", ["/ops/metrics", "/ops/metrics/prometheus"])
def test_metrics_ask_nothing_that_reads_whole_jobs(api, db, statements, path):
    """The history is read once; jobs by an index that holds only the live ones."""
    statements.clear()
    api.get(path)
    asked = list(statements)
    assert len([s for s in asked if "job_events" in s]) == 1
    with db.begin() as session:
        session.execute(text("set local enable_seqscan = off"))
        for statement in (s for s in asked if "from jobs" in s):
            lines = session.execute(text(f"explain {statement}")).scalars().all()
            assert "Seq Scan" not in "\n".join(lines), lines
