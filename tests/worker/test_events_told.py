"""What the world is told of what happens, and that it is told nothing else."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from common.errors import ProviderError, ProviderUnavailable
from common.events import FACTS, Event
from common.events.__main__ import SCHEMA, rendered
from common.models import Job
from tests import factories
from tests.common.event_steps import outbox
from tests.common.job_steps import change, lapse, owned_again
from tests.conftest import spoken_wav

SCHEMAS = json.loads(SCHEMA.read_text())["$defs"]


class Receiver:
    """Hears of events, and checks each against its schema."""

    def __init__(self):
        self.events: list[Event] = []

    def publish(self, event):
        Draft202012Validator(SCHEMAS[event.type]).validate(event.data)
        self.events.append(event)

    @property
    def types(self):
        return [event.type for event in self.events]

    def last(self):
        return self.events[-1].data


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
def deps(deps, receiver):
    return replace(deps, events=receiver)


@pytest.fixture
def sweep(worker):
    return lambda: worker.post(
        "/schedules/sweep", {}, caller="scheduler@pegasus.internal"
    )


def only_job(db):
    with db.begin() as session:
        return session.query(Job).one().id


def test_a_lecture_s_way_is_told_in_order(api, worker, queue, ingest, receiver):
    ingest()
    worker.run_all(queue)
    for step in ("generate", "export"):
        api.post(f"/lectures/l1/{step}", json={})
        worker.run_all(queue)

    assert receiver.types == [
        "lecture.created",
        "lecture.transcribed",
        "lecture.generated",
        "lecture.exported",
    ]
    assert {event.subject for event in receiver.events} == {"lecture:l1"}


def test_what_was_taken_in_is_told(worker, queue, ingest, receiver):
    ingest(spoken_wav(), auto_transcribe=False, title="Secret title")
    worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")

    told = receiver.last()
    assert told.pop("recording_id")
    assert told == {
        "lecture_id": "l1",
        "course_id": "c1",
        "kind": "audio",
        "size_bytes": len(spoken_wav()),
    }


def test_what_was_heard_is_told_but_not_said(worker, queue, ingest, receiver):
    ingest()
    worker.run_all(queue)

    told = receiver.last()
    assert (told["provider"], told["model"]) == ("fake", "fake-1")
    assert (told["segments"], told["gaps"], told["total_ms"]) == (1, 0, 4000)
    assert "physics" not in json.dumps(told)


def test_an_upload_that_is_refused_is_no_event(ingest, db):
    assert ingest(b"no sound").status_code == 422
    assert outbox(db) == []


def test_a_failure_for_good_is_told_with_its_code_only(
    worker, queue, ingest, speech, receiver
):
    ingest()
    speech.errors = [ProviderError("the key is sk-1234", code="no_good")]
    worker.run_all(queue)

    told = receiver.last()
    assert receiver.types == ["lecture.created", "job.failed"]
    assert told.pop("job_id")
    assert told == {
        "lecture_id": "l1",
        "kind": "transcription",
        "error_code": "no_good",
        "attempts": 1,
    }


def test_a_failure_that_is_tried_again_is_not_told(
    worker, queue, ingest, speech, receiver
):
    ingest()
    speech.errors = [ProviderUnavailable()]
    [task] = queue.take()
    worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})

    assert receiver.types == ["lecture.created"]


def test_a_piece_that_fails_is_a_gap_and_no_event_of_its_own(
    worker, queue, ingest, speech, receiver
):
    speech.max_chunk_ms = 2500
    ingest()
    speech.errors = [ProviderError()]
    worker.run_all(queue)

    assert receiver.types == ["lecture.created", "lecture.transcribed"]
    assert receiver.last()["gaps"] == 1


def test_a_job_that_kills_its_workers_is_told_by_the_sweep(sweep, ingest, db, receiver):
    ingest()
    job_id = only_job(db)
    owned_again(db, job_id)
    change(db, job_id, crash_count=2)
    lapse(db, job_id)

    assert sweep().json["events_sent"] == 2

    assert receiver.types == ["lecture.created", "job.failed"]
    assert receiver.last()["error_code"] == "poison_pill"


def test_a_failed_job_that_cannot_be_read_is_told_as_well(sweep, ingest, db, receiver):
    ingest()
    job_id = only_job(db)
    owned_again(db, job_id)
    change(db, job_id, crash_count=2, payload={"lecture_id": "l1", "strange": 1})
    lapse(db, job_id)

    sweep()

    assert receiver.last()["job_id"] == str(job_id)


def test_a_deletion_is_told_by_the_worker_not_by_the_api(api, db, sweep, receiver):
    factories.lecture(db)

    api.delete("/lectures/l1?purge_storage=false")
    assert receiver.events == []
    sweep()

    assert receiver.types == ["lecture.deleted"]
    assert receiver.last() == {
        "lecture_id": "l1",
        "course_id": "c1",
        "purge_storage": False,
    }


def test_a_course_s_deletion_is_told_for_each_of_its_lectures(api, db, sweep, receiver):
    for number in range(3):
        factories.lecture(db, f"l{number}", created_at=factories.minute(number))

    api.delete("/courses/c1")
    sweep()

    subjects = [event.subject for event in receiver.events]
    assert subjects == ["lecture:l0", "lecture:l1", "lecture:l2", "course:c1"]
    assert receiver.last() == {
        "course_id": "c1",
        "lectures": 3,
        "purge_storage": True,
    }


def test_a_deletion_that_fails_is_not_told(api, db):
    assert api.delete("/lectures/l1").status_code == 404
    assert outbox(db) == []


def test_while_nobody_hears_work_goes_on(worker, queue, ingest, receiver, db):
    def deaf(_event):
        raise ProviderUnavailable

    receiver.publish = deaf
    ingest()

    worker.run_all(queue)

    assert [row.type for row in outbox(db)] == [
        "lecture.created",
        "lecture.transcribed",
    ]


def test_the_schema_is_that_of_the_facts():
    """``python -m common.events`` writes it anew."""
    assert SCHEMA.read_text() == rendered()
    for one in SCHEMAS.values():
        Draft202012Validator.check_schema(one)


def test_every_kind_of_event_is_explained():
    text = (SCHEMA.parents[2] / "docs/events.md").read_text()
    for fact in FACTS:
        [row] = [x for x in text.splitlines() if x.startswith(f"| `{fact.type}` ")]
        assert f" {fact.version} " in row
        for name in fact.model_fields:
            assert f"`{name}`" in row, (fact.type, name)
