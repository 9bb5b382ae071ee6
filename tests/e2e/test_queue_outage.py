"""A task queue that is away, forgets, or says everything twice."""

import os
import signal

import pytest

from tests.e2e.machine import wait_for


def test_work_asked_for_while_the_queue_is_gone_is_done_when_it_is_back(
    pegasus, tmp_path
):
    pegasus.upload(tmp_path, pieces=1)
    pegasus.ended("transcription")
    pegasus.kill("queue")

    reply = pegasus.send("POST", f"/lectures/{pegasus.lecture_id}/transcribe")
    assert (reply.status, reply.document["status"]) == (200, "queued")
    pegasus.revive()
    assert pegasus.ended("transcription") == "completed"


def test_a_queue_that_hangs_does_not_hold_clients_up(pegasus, tmp_path):
    pegasus.upload(tmp_path, pieces=1)
    pegasus.ended("transcription")
    os.kill(pegasus.stack.service("queue").pid, signal.SIGSTOP)
    try:
        reply = pegasus.send("POST", f"/lectures/{pegasus.lecture_id}/transcribe")
        assert (reply.status, reply.document["status"]) == (200, "queued")
    finally:
        os.kill(pegasus.stack.service("queue").pid, signal.SIGCONT)
    assert pegasus.ended("transcription") == "completed"


def test_work_is_kept_through_an_outage_of_the_queue(pegasus, tmp_path):
    pegasus.break_queue(outage=True)
    assert pegasus.upload(tmp_path, pieces=2)
    assert pegasus.send("GET", "/health/ready").status == 503
    assert pegasus.stage("transcription")["status"] == "queued"

    pegasus.mend_queue()
    assert pegasus.ended("transcription") == "completed"


def test_tasks_that_died_with_the_queue_are_rung_for_when_it_starts(pegasus, tmp_path):
    pegasus.break_queue(pause=True)
    pegasus.upload(tmp_path, pieces=2)
    assert pegasus.unsent() == 0
    pegasus.kill("queue")
    pegasus.revive()
    assert pegasus.ended("transcription") == "completed"


def test_tasks_that_a_living_queue_lost_are_rung_for_by_the_sweep(pegasus, tmp_path):
    pegasus.break_queue(pause=True)
    pegasus.upload(tmp_path, pieces=2)
    pegasus.break_queue(wipe=True, pause=False)
    pegasus.sweep(lost_after_seconds=0)
    assert pegasus.ended("transcription") == "completed"


@pytest.mark.parametrize("fault", ["duplicate", "drop_ack"])
def test_tasks_that_come_twice_have_the_effect_of_one(
    pegasus, speech_server, tmp_path, fault
):
    pegasus.break_queue(**{fault: 1.0})
    pegasus.upload(tmp_path, pieces=3)

    assert pegasus.ended("transcription") == "completed"
    assert sorted(speech_server.calls.values()) == [1, 1, 1]
    assert pegasus.transcripts() == 1
    pegasus.client.post(f"/lectures/{pegasus.lecture_id}/generate", {})
    assert pegasus.ended("generation") == "completed"
    runs = pegasus.rows(
        "select count(*) from job_events e join jobs j on j.id = e.job_id"
        " where j.subject = :subject and e.to_state = 'succeeded' group by j.id",
        subject=f"lecture:{pegasus.lecture_id}",
    )
    assert runs == [(1,), (1,)]
    wait_for(lambda: pegasus.unsent() == 0)
