"""One trace from a client's request over the queue to what the worker asks for."""

import json

import pytest

from common.local.stack import Stack
from tests.e2e.machine import OFFLINE, clean_environment, free_place, new_home, wait_for
from tests.e2e.pegasus import Pegasus
from tests.loopback.openai_server import KEY, OpenAIServer
from tests.loopback.otlp_collector import Collector

ASKED = "POST /lectures/ingest"


@pytest.fixture(scope="module")
def collector():
    with Collector() as running:
        yield running


@pytest.fixture(scope="module")
def traced(collector, tmp_path_factory):
    """A Pegasus that has transcribed one lecture."""
    with OpenAIServer() as speech, new_home() as folder:
        settings = {
            "OPENAI_BASE_URL": speech.url,
            "OPENAI_API_KEY": KEY,
            "PLC_INGEST_TRANSCRIBE_PROVIDER": "openai",
            "PEGASUS_TRACING": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "GOOGLE_CLOUD_PROJECT": "my-project",
        }
        with Stack(
            free_place(folder),
            environment=clean_environment() | OFFLINE | settings,
            log_folder=tmp_path_factory.mktemp("logs"),
        ) as stack:
            running = Pegasus(stack)
            running.upload(tmp_path_factory.mktemp("talk"), pieces=2)
            running.ended("transcription")
            yield running


def chain(collector, span):
    """Return the names from a span up to the request that caused it."""
    names = [span.name]
    while span.parent_id:
        span = collector.by_id(span.parent_id)
        names.append(span.name)
    return names


def lines(running, service):
    return [json.loads(line) for line in running.logged(service).splitlines()]


def test_what_the_worker_asks_for_is_in_the_trace_of_the_clients_request(
    traced, collector
):
    delivered = ["POST /tasks/<uuid:job_id>", "job.send", "job.enqueue"]
    wait_for(lambda: len(collector.named("POST /tasks/<uuid:job_id>")) >= 4)
    for asked in collector.named("speech.recognize"):
        assert chain(collector, asked) == [
            "speech.recognize",
            *delivered,  # of the piece
            *delivered,  # of the lecture
            ASKED,
        ]
    assert len(collector.named("speech.recognize")) == 2


def test_one_lecture_is_one_trace_over_both_services(traced, collector):
    [asked] = collector.named(ASKED)
    tasks = collector.named("POST /tasks/<uuid:job_id>")
    assert {one.trace_id for one in tasks} == {asked.trace_id}
    assert (asked.service, tasks[0].service) == ("pegasus-api", "pegasus-worker")


def test_the_log_lines_of_both_services_are_joined_to_the_trace(traced, collector):
    [asked] = collector.named(ASKED)
    name = f"projects/my-project/traces/{asked.trace_id}"
    for service, message in (("api", "job.created"), ("worker", "job.run.completed")):
        [line, *_] = [x for x in lines(traced, service) if x["message"] == message]
        assert line["logging.googleapis.com/trace"] == name, service
