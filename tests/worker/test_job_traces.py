"""A job's trace is that of the request that asked for it, whoever sends its task."""

import json
import logging

import pytest
from pydantic import SecretStr

from common import jobs, tracing
from common.logs import JsonFormatter
from common.providers.queue.inline import InlineQueue
from tests.common.job_steps import Bell
from tests.conftest import SECRET
from tests.loopback.ringing_worker import ringing_worker

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def told(api, ingest, queue):
    """The task of a lecture that was sent within a trace."""
    api.environ_base["HTTP_TRACEPARENT"] = SENT
    assert ingest().status_code == 200
    [task] = queue.take()
    return task


def test_a_task_carries_the_trace_of_its_request(told):
    assert told.traceparent == SENT


def test_a_piece_carries_the_trace_of_its_whole(told, worker, queue, speech):
    headers = {"HTTP_TRACEPARENT": told.traceparent}
    worker.client.environ_base.update(headers)
    speech.max_chunk_ms = 2000
    worker.post(f"/tasks/{told.job_id}", {"seq": told.dispatch_seq})
    pieces = queue.take()
    assert len(pieces) > 1
    assert {one.traceparent for one in pieces} == {SENT}


def test_a_job_that_is_sent_later_by_another_keeps_its_own_trace(db, queue):
    with tracing.request("POST /x", {"traceparent": SENT}), db.begin() as session:
        jobs.enqueue(session, Bell())
    with tracing.request("POST /schedules/sweep", {}):
        jobs.drain(db, queue.send)
    [task] = queue.take()
    assert task.traceparent == SENT


def test_a_job_that_nobody_traces_has_no_trace(db, queue):
    with db.begin() as session:
        jobs.enqueue(session, Bell())
    with tracing.request("POST /schedules/sweep", {}):
        jobs.drain(db, queue.send)
    [task] = queue.take()
    assert task.traceparent is None


def test_without_a_queue_the_worker_is_told_by_header(told):
    with ringing_worker() as worker:
        InlineQueue(worker.url, SecretStr(SECRET)).send(told)
        [ring] = worker.rings
    assert ring.headers["traceparent"] == SENT


def test_every_line_of_a_delivery_is_in_its_trace(told, worker, caplog):
    caplog.handler.setFormatter(JsonFormatter())
    caplog.set_level(logging.INFO)
    headers = {"HTTP_TRACEPARENT": told.traceparent}
    worker.client.environ_base.update(headers)
    caplog.clear()
    worker.post(f"/tasks/{told.job_id}", {"seq": told.dispatch_seq})
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    assert "job.run.completed" in [line["message"] for line in lines]
    assert {line["trace_id"] for line in lines} == {SENT[3:35]}
