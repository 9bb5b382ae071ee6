"""x-request-id on every answer and one line per request."""

import io
import json
import logging
from dataclasses import replace
from uuid import UUID

import pytest

from common.logs import JsonFormatter
from tests import factories
from tests.conftest import make_api


@pytest.fixture
def lines():
    """What is logged while the test runs, as an operator's tools read it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().split("\n") if line]
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.mark.parametrize(
    "path", ["/health", "/nothing", "/lectures/none", "/lectures/"]
)
def test_every_answer_has_an_id_of_its_own(api, path):
    first, second = (api.get(path).headers["x-request-id"] for _ in range(2))
    assert UUID(first).version == 4
    assert first != second


@pytest.mark.parametrize("sent", ["abc", "x" * 200, "a/b;c=d,e", str(UUID(int=7))])
def test_an_id_that_was_sent_is_echoed(api, sent):
    reply = api.get("/lectures/none", headers={"x-request-id": sent})
    assert reply.headers["x-request-id"] == reply.json["request_id"] == sent


@pytest.mark.parametrize("sent", ["", " ", "x" * 201, "a b", "größe", "a\tb", "\x7f"])
def test_an_id_that_could_spoil_a_log_is_replaced(api, sent):
    reply = api.get("/health", headers={"x-request-id": sent})
    assert UUID(reply.headers["x-request-id"]).version == 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/lectures/none", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/health", 405),
        ("GET", "/lectures?limit=x", 422),
        ("GET", "/lectures/", 307),
    ],
)
def test_each_request_is_one_line(api, lines, method, path, status):
    api.open(path, method=method, headers={"x-request-id": "find-me"})
    [line] = [one for one in lines() if one["message"] == "request.complete"]
    assert line["request_id"] == "find-me"
    assert (line["method"], line["path"]) == (method, path.partition("?")[0])
    assert line["status_code"] == status
    assert line["duration_ms"] >= 0
    assert line["severity"] == "INFO"
    assert line["timestamp"].endswith("+00:00")


def test_each_line_is_in_the_trace_that_google_began(deps, lines):
    on_google = deps.settings.model_copy(update={"google_cloud_project": "ours"})
    api = make_api(replace(deps, settings=on_google))
    header = f"{'4b' * 16}/255;o=1"
    api.get("/lectures/none", headers={"X-Cloud-Trace-Context": header})
    [line] = lines()
    assert line["logging.googleapis.com/trace"] == f"projects/ours/traces/{'4b' * 16}"
    assert line["logging.googleapis.com/spanId"] == "00000000000000ff"
    assert line["logging.googleapis.com/trace_sampled"] is True


def test_lines_of_a_request_without_a_trace_are_joined_all_the_same(api, lines, ingest):
    ingest()
    api.get("/health")
    *first, last = lines()
    assert len(first) > 1
    assert len({line["trace_id"] for line in first}) == 1
    assert last["trace_id"] != first[0]["trace_id"]


def test_a_bugs_line_carries_the_requests_id(deps, db, lines):
    factories.lecture(db)
    api = make_api(replace(deps, storage=None))
    api.get("/lectures/l1", headers={"x-request-id": "find-me"})
    bug, done = (one for one in lines() if one["request_id"] == "find-me")
    assert (bug["severity"], done["message"]) == ("ERROR", "request.complete")
    assert "AttributeError" in bug["exception"]


def test_an_id_does_not_leak_into_the_next_request(api, lines):
    api.get("/health", headers={"x-request-id": "first"})
    logging.getLogger("between").info("idle")
    api.get("/health")
    between, after = (
        next(one for one in lines() if one["logger"] == "between"),
        lines()[-1],
    )
    assert "request_id" not in between
    assert after["request_id"] != "first"


def test_what_clients_send_stays_out_of_the_log(api, lines, ingest):
    secret = "sesame-open"
    api.get(
        f"/lectures?course_id={secret}",
        headers={"Authorization": f"Bearer {secret}", "Cookie": secret},
    )
    api.post("/lectures/l1/generate", json={"course_id": secret})
    ingest(b"no sound", title=secret)
    assert lines()
    assert secret not in json.dumps(lines())


@pytest.mark.parametrize("sent", ["a\nb", 'a"b', "a\x1bb", "\u2028"])
def test_a_path_cannot_forge_a_line(api, lines, sent):
    api.get("/lectures/" + sent.replace("\n", "%0a"))
    [line] = [one for one in lines() if one["message"] == "request.complete"]
    assert line["path"] == f"/lectures/{sent}"


def named(lines, message):
    [line] = [one for one in lines() if one["message"] == message]
    return line


def test_a_job_is_logged_from_its_making_to_its_end(api, worker, queue, ingest, lines):
    ingest()
    [job] = api.get("/lectures/l1/jobs").json["jobs"]
    worker.run_all(queue)
    for message in ("job.created", "job.run.start", "job.run.completed"):
        line = named(lines, message)
        assert line["job_id"] == job["id"], message
        assert line["lecture_id"] == "l1", message
        assert line["job_type"] == "transcription", message
    assert named(lines, "job.created")["status"] == "queued"
    assert named(lines, "job.dispatch")["job_id"] == job["id"]


def test_a_job_that_could_not_be_sent_is_logged(api, queue, lines, db):
    factories.lecture(db)
    queue.down = True
    job_id = api.post("/lectures/l1/export").json["jobId"]
    line = named(lines, "job.dispatch_failed")
    assert (line["job_id"], line["severity"]) == (job_id, "WARNING")


def test_a_job_that_fails_is_logged_with_its_reason(api, worker, queue, lines, db):
    factories.lecture(db)
    job_id = api.post("/lectures/l1/generate", json={}).json["jobId"]
    worker.run_all(queue)
    failed = named(lines, "job.run.failed")
    assert (failed["job_id"], failed["error"]) == (job_id, "transcript_missing")
    assert named(lines, "job.updated")["status"] == "failed"
