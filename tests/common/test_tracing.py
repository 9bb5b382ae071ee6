"""Trace contexts, and spans that reach a collector or harm nobody."""

import time

import pytest

from common import tracing
from common.settings import Settings
from common.tracing import Trace
from common.tracing.context import from_headers, log_fields, parse
from tests.loopback.otlp_collector import Collector

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
SENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
GOOGLE = f"{TRACE_ID}/{int(SPAN_ID, 16)}"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"traceparent": SENT}, Trace(TRACE_ID, SPAN_ID, sampled=True)),
        ({"traceparent": SENT[:-1] + "0"}, Trace(TRACE_ID, SPAN_ID, sampled=False)),
        ({"traceparent": "cc" + SENT[2:] + "-more"}, Trace(TRACE_ID, SPAN_ID, True)),
        ({"X-Cloud-Trace-Context": GOOGLE + ";o=1"}, Trace(TRACE_ID, SPAN_ID, True)),
        ({"X-Cloud-Trace-Context": GOOGLE + ";o=0"}, Trace(TRACE_ID, SPAN_ID, False)),
        ({"X-Cloud-Trace-Context": GOOGLE}, Trace(TRACE_ID, SPAN_ID, False)),
        (
            {"traceparent": SENT, "X-Cloud-Trace-Context": "0" * 31 + "1/1"},
            Trace(TRACE_ID, SPAN_ID, sampled=True),
        ),
        ({}, None),
    ],
)
def test_the_senders_trace_is_read_from_either_header(headers, found):
    assert from_headers(headers) == found


@pytest.mark.parametrize(
    "header",
    [
        *("", "00", "x", SENT.upper(), SENT[:-3], "ff" + SENT[2:], SENT + "\n"),
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID}x-{SPAN_ID}-01",
    ],
)
def test_a_traceparent_that_is_not_valid_counts_as_absent(header):
    assert parse(header) is None


@pytest.mark.parametrize(
    "header",
    [
        TRACE_ID,
        f"{TRACE_ID}/0",
        f"{TRACE_ID}/{2**64}",
        f"{'0' * 32}/1",
        GOOGLE + ";o=2",
    ],
)
def test_a_google_header_that_is_not_valid_counts_as_absent(header):
    assert from_headers({"X-Cloud-Trace-Context": header}) is None


def test_a_context_is_written_as_it_was_read():
    assert parse(SENT).traceparent == SENT  # type: ignore[union-attr]


def test_log_lines_carry_what_cloud_logging_joins_them_by():
    assert log_fields(parse(SENT), "my-project") == {
        "logging.googleapis.com/trace": f"projects/my-project/traces/{TRACE_ID}",
        "logging.googleapis.com/spanId": SPAN_ID,
        "logging.googleapis.com/trace_sampled": True,
    }
    assert log_fields(parse(SENT), None) == {"trace_id": TRACE_ID}
    assert log_fields(None, "my-project") == {}


def _step():
    return tracing.span("step", "client", provider="openai")


def test_without_tracing_the_senders_place_is_passed_on():
    with tracing.request("GET /x", {"traceparent": SENT}), _step():
        assert tracing.traceparent() == SENT
    assert tracing.traceparent() is None


def test_without_tracing_a_request_that_names_no_trace_starts_one():
    with tracing.request("GET /x", {}) as first:
        pass
    with tracing.request("GET /x", {}) as second:
        assert parse(tracing.traceparent()) == second.trace
    assert first.trace != second.trace


def test_without_tracing_a_span_costs_next_to_nothing():
    started = time.perf_counter()
    for _ in range(10_000):
        with _step():
            pass
    assert time.perf_counter() - started < 1  # 0.02 s on a quiet machine


@pytest.fixture
def collector(monkeypatch):
    with Collector() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


@pytest.fixture
def started(collector, database_url, monkeypatch):
    """Tracing, switched on as a service does it."""
    monkeypatch.setenv("PEGASUS_TRACING", "1")
    settings = Settings(DATABASE_URL=database_url, PEGASUS_INTERNAL_SECRET="0" * 32)
    tracing.start(settings, "pegasus-test")
    yield
    tracing.stop()


@pytest.mark.usefixtures("started")
def test_spans_arrive_before_the_request_ends(collector):
    with tracing.request("GET /x", {"traceparent": SENT}) as span:
        span.note("http.response.status_code", 201)
        with _step():
            assert collector.spans == []
    step, request = collector.spans
    assert (request.service, request.name) == ("pegasus-test", "GET /x")
    assert (request.trace_id, request.parent_id) == (TRACE_ID, SPAN_ID)
    assert request.attributes == {"http.response.status_code": 201}
    assert (step.trace_id, step.parent_id) == (TRACE_ID, request.span_id)
    assert step.attributes == {"provider": "openai"}


@pytest.mark.usefixtures("started")
def test_a_request_without_a_trace_is_the_root_of_a_new_one(collector):
    with tracing.request("GET /x", {}) as span:
        pass
    [seen] = collector.spans
    assert seen.parent_id == ""
    assert span.trace == Trace(seen.trace_id, seen.span_id, sampled=True)


@pytest.mark.usefixtures("started")
def test_a_trace_that_its_sender_does_not_record_is_not_recorded(collector):
    with tracing.request("GET /x", {"traceparent": SENT[:-1] + "0"}):
        assert tracing.traceparent().endswith("-00")  # type: ignore[union-attr]
    assert collector.requests == 0


@pytest.mark.usefixtures("started")
def test_what_failed_is_named_without_its_words(collector):
    with pytest.raises(ValueError, match="secret"), tracing.request("GET /x", {}):
        raise ValueError("a secret")
    [seen] = collector.spans
    assert seen.failed == "ValueError"


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("failure", ["refuses", "hangs", "gone"])
def test_a_collector_that_fails_costs_a_request_half_a_second_at_most(
    collector, failure, monkeypatch
):
    match failure:
        case "refuses":
            collector.status = 503
        case "hangs":
            collector.wait_seconds = 2
        case "gone":
            collector.__exit__()
    started = time.monotonic()
    with tracing.request("GET /x", {}) as span:
        assert span.trace is not None
    assert time.monotonic() - started < 1.5
    started = time.monotonic()
    with tracing.request("GET /x", {}):
        pass
    assert time.monotonic() - started < 0.3, "it is left alone for a while"


@pytest.mark.usefixtures("started")
def test_spans_of_an_outage_arrive_when_it_is_over(collector, monkeypatch):
    monkeypatch.setattr("common.tracing.otlp._PAUSE_SECONDS", 0)
    collector.status = 400
    with tracing.request("GET /first", {}):
        pass
    collector.status = 200
    with tracing.request("GET /second", {}):
        pass
    assert [span.name for span in collector.spans] == ["GET /first", "GET /second"]
