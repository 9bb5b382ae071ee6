"""Messages that are pushed to the worker: whatever they are, their effect is once."""

import base64
import json
import pkgutil
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import text

from common import db as database
from common import events, jobs
from common.errors import Conflict, ProviderUnavailable
from common.events import inbox
from common.models import InboxMessage
from common.providers import internal_calls
from tests.common.event_steps import fact
from tests.common.job_steps import Bell, together
from tests.conftest import Worker, make_heart
from worker_service import events as pushed
from worker_service.app import create_app
from worker_service.events import envelope

ROOT = Path(__file__).parents[2]
OBJECT = "pegasus/audio/l1/01a1.wav"


@dataclass
class Completed:
    """Stands where uploads are completed; notes what it is told, or fails."""

    calls: list[tuple[str, int]]
    error: Exception | None = None

    def __call__(self, deps, *, object_key, size_bytes):
        self.calls.append((object_key, size_bytes))
        if self.error:
            raise self.error


@pytest.fixture
def completed(monkeypatch):
    found = Completed([])
    monkeypatch.setattr("common.uploads.finalized", found)
    return found


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"gcs_bucket": "media"})


@pytest.fixture
def push(worker):
    """Push as Pub/Sub does."""

    def send(body, name="storage", caller=internal_calls.EVENTS):
        return worker.post(f"/events/{name}", body, caller=caller)

    return send


@pytest.fixture
def push_bytes(worker):
    """Push what is no message."""

    def send(body):
        settings = worker.deps.settings
        token = internal_calls.sign(
            settings.internal_secret,
            audience=settings.worker_url,
            caller=internal_calls.EVENTS,
        )
        headers = {"Authorization": f"Bearer {token}"}
        return worker.client.post("/events/storage", data=body, headers=headers)

    return send


def notification(generation="7", message_id="m1", **changes):
    """Return what storage has Pub/Sub push; ``changes`` are of the attributes."""
    attributes = {
        "notificationConfig": "projects/_/buckets/media/notificationConfigs/1",
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": "media",
        "objectId": OBJECT,
        "objectGeneration": generation,
        "eventTime": "2026-11-21T12:00:00.000000Z",
    } | changes
    about = {
        "kind": "storage#object",
        "bucket": attributes["bucketId"],
        "name": attributes["objectId"],
        "generation": generation,
        "size": "4096",
        "crc32c": "AAAAAA==",
    }
    return envelope_of(attributes, about, message_id)


def envelope_of(attributes, about, message_id="m1"):
    data = base64.b64encode(json.dumps(about).encode()).decode()
    message = {"attributes": attributes, "data": data, "messageId": message_id}
    return {"message": message, "subscription": "projects/p/subscriptions/uploads"}


def changed(place, value):
    """Return a notification with one value replaced, or removed if it is None."""
    body = notification()
    *path, last = place.split(".")
    inside = body
    for name in path:
        inside = inside[name]
    inside[last] = value
    if value is None:
        del inside[last]
    return body


def about(**changes):
    """Return a notification whose data is changed; None removes."""
    body = notification()
    found = json.loads(base64.b64decode(body["message"]["data"])) | changes
    kept = {name: value for name, value in found.items() if value is not None}
    return envelope_of(body["message"]["attributes"], kept)


def test_a_finalised_object_completes_its_upload(push, completed):
    reply = push(notification())

    assert (reply.status_code, reply.data) == (204, b"")
    assert completed.calls == [("audio/l1/01a1.wav", 4096)]


def test_a_message_that_comes_again_has_no_effect(push, completed):
    assert [push(notification()).status_code for _ in range(3)] == [204] * 3
    assert len(completed.calls) == 1


def test_two_messages_may_tell_of_one_version_of_an_object(push, completed):
    push(notification(message_id="m1"))
    push(notification(message_id="m2"))
    assert len(completed.calls) == 1

    push(notification(generation="8", message_id="m3"))
    assert len(completed.calls) == 2


def test_one_id_is_one_message_whatever_it_says(push, completed):
    push(notification(generation="7"))
    push(notification(generation="8"))

    assert len(completed.calls) == 1


def test_what_had_its_effect_is_known_by_message_and_by_version(push, completed, db):
    push(notification())

    with db.begin() as session:
        found = session.query(InboxMessage.source, InboxMessage.message_id).all()
    assert sorted(map(tuple, found)) == [
        (f"gs://media/{OBJECT}", "7"),
        ("projects/p/subscriptions/uploads", "m1"),
    ]


def test_one_id_may_come_over_two_subscriptions(push, completed):
    push(notification(generation="7"))
    push(changed("subscription", "another") | {"message": notification("8")["message"]})

    assert len(completed.calls) == 2


def test_what_comes_before_the_effect_fails_is_tried_again(push, completed):
    completed.error = ProviderUnavailable()
    assert push(notification()).status_code == 503
    completed.error = None

    assert push(notification()).status_code == 204
    assert len(completed.calls) == 2


def test_an_effect_that_is_refused_goes_to_the_dead_letters(push, completed):
    completed.error = Conflict()
    assert [push(notification()).status_code for _ in range(2)] == [422] * 2


NOT_FOR_US = {
    "deleted": {"eventType": "OBJECT_DELETE"},
    "archived": {"eventType": "OBJECT_ARCHIVE"},
    "metadata": {"eventType": "OBJECT_METADATA_UPDATE"},
    "another bucket": {"bucketId": "backups"},
    "another prefix": {"objectId": "tmp/audio/l1/1.wav"},
    "a prefix that begins alike": {"objectId": "pegasus2/audio/l1/1.wav"},
    "the prefix alone": {"objectId": "pegasus"},
    "a climb": {"objectId": "../pegasus/audio/l1/1.wav"},
}


@pytest.mark.parametrize("changes", NOT_FOR_US.values(), ids=NOT_FOR_US)
def test_what_is_not_for_us_is_done_with(push, completed, changes):
    assert push(notification(**changes)).status_code == 204
    assert completed.calls == []


def test_without_a_bucket_nothing_is_for_us(deps, completed):
    settings = deps.settings.model_copy(update={"gcs_bucket": None})
    deps = replace(deps, settings=settings)
    worker = Worker(deps, create_app(deps, make_heart(deps)).test_client())

    reply = worker.post("/events/storage", notification(), caller=internal_calls.EVENTS)

    assert reply.status_code == 204
    assert completed.calls == []


GOOD_DATA = notification()["message"]["data"]
POISON = {
    "a list": [],
    "null": None,
    "a word": "message",
    "no message": changed("message", None),
    "message in words": changed("message", "hello"),
    "no subscription": changed("subscription", None),
    "empty subscription": changed("subscription", ""),
    "no id": changed("message.messageId", None),
    "empty id": changed("message.messageId", ""),
    "id a number": changed("message.messageId", 1),
    "id too long": changed("message.messageId", "m" * 1025),
    "id with a NUL": changed("message.messageId", "m\0"),
    "attributes a list": changed("message.attributes", []),
    "attribute a number": changed("message.attributes.objectGeneration", 7),
    "attribute with a NUL": changed("message.attributes.objectId", "pegasus/\0"),
    "no attributes": changed("message.attributes", None),
    "no event type": changed("message.attributes.eventType", None),
    "no bucket": changed("message.attributes.bucketId", None),
    "no object": changed("message.attributes.objectId", None),
    "no generation": changed("message.attributes.objectGeneration", None),
    "generation in words": changed("message.attributes.objectGeneration", "new"),
    "generation too long": changed("message.attributes.objectGeneration", "1" * 21),
    "no data": changed("message.data", None),
    "data null": changed("message.data", 1),
    "not base64": changed("message.data", "{}"),
    "base64 cut off": changed("message.data", "e30"),
    "base64 with a stranger": changed("message.data", "*" + GOOD_DATA),
    "not ASCII": changed("message.data", "é==="),
    "data not JSON": changed("message.data", "e3s="),
    "data not UTF-8": changed("message.data", "/////w=="),
    "data empty": about(bucket=None, name=None, generation=None, size=None),
    "no size": about(size=None),
    "size negative": about(size="-1"),
    "size in words": about(size="big"),
    "size too large": about(size=str(2**63)),
    "another object in the data": about(name="pegasus/audio/l2/1.wav"),
    "another generation in the data": about(generation="8"),
    "another bucket in the data": about(bucket="backups"),
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON)
def test_poison_is_refused_and_has_no_effect(push, completed, db, body):
    assert push(body).status_code == 400
    assert completed.calls == []
    with db.begin() as session:
        assert session.query(InboxMessage).count() == 0


BYTES = {
    "nothing": b"",
    "half": b'{"message": ',
    "not UTF-8": b'{"message": "\xff"}',
    "half a letter": b'{"subscription": "\\ud800", "message": {"messageId": "1"}}',
    "deep": b"[" * 100_000,
    "a form": b"message=1&subscription=2",
}


@pytest.mark.parametrize("body", BYTES.values(), ids=BYTES)
def test_what_is_no_message_is_refused(push_bytes, completed, body):
    assert push_bytes(body).status_code == 400
    assert completed.calls == []


def test_a_body_has_a_limit(push_bytes, completed):
    assert push_bytes(b" " * (envelope.MAX_BYTES + 1)).status_code == 413
    assert push_bytes(b" " * envelope.MAX_BYTES).status_code == 400


def test_the_refusal_shows_nothing_of_the_message(push, completed, caplog):
    push(changed("message.messageId", "sk-1234\0"))

    [record] = [one for one in caplog.records if one.message == "event.malformed"]
    assert record.detail == "message.messageId: string_pattern_mismatch"


@pytest.mark.parametrize("name", ["unknown", "Storage", "__class__"])
def test_other_names_are_not_there(push, name):
    assert push(notification(), name=name).status_code == 404


@pytest.mark.parametrize("caller", [internal_calls.QUEUE, internal_calls.SCHEDULER])
@pytest.mark.parametrize("name", ["storage", "unknown"])
def test_only_who_pushes_events_may(push, completed, caller, name):
    assert push(notification(), name=name, caller=caller).status_code == 403
    assert completed.calls == []


def test_who_pushes_is_checked_before_the_body_is_read(worker, completed):
    body = b"x" * (envelope.MAX_BYTES + 1)

    reply = worker.client.post("/events/storage", data=body)

    assert reply.status_code == 401


def test_while_the_database_is_away_messages_wait(deps, completed):
    nowhere = database.connect("postgresql://nobody@127.0.0.1:1/none")
    deps = replace(deps, db=nowhere)
    worker = Worker(deps, create_app(deps, make_heart(deps)).test_client())

    reply = worker.post("/events/storage", notification(), caller=internal_calls.EVENTS)

    assert reply.status_code == 503
    assert completed.calls == []


def test_what_the_effect_promises_is_sent(push, completed, queue, deps, monkeypatch):
    def enqueue(message, deps):
        with deps.db.begin() as session:
            jobs.enqueue(session, Bell())
            events.emit(session, fact())

    monkeypatch.setitem(pushed.EVENTS, "bell", enqueue)
    push(notification(), name="bell")

    assert len(queue.take()) == 1
    with deps.db.begin() as session:
        assert session.scalar(text("select count(*) from event_outbox")) == 0


def test_twenty_copies_at_once_have_one_effect(committed_deps, monkeypatch):
    """Each waits for the transaction in which another has the effect."""
    deps = committed_deps
    had = []

    def ring(message, deps):
        with deps.db.begin() as session:
            if inbox.note(session, message.key):
                jobs.enqueue(session, Bell())
                had.append(message.id)

    monkeypatch.setitem(pushed.EVENTS, "ring", ring)
    app = create_app(deps, make_heart(deps))

    def deliver():
        worker = Worker(deps, app.test_client())
        sent = worker.post("/events/ring", notification(), internal_calls.EVENTS)
        return sent.status_code

    assert together(*[deliver] * 20) == [204] * 20
    assert had == ["m1"]
    assert len(deps.queue.take()) == 1


def test_a_copy_has_the_effect_if_the_first_one_failed(committed_db):
    with committed_db.begin() as session:
        assert inbox.note(session, ("s", "m1"))
        session.rollback()
    with committed_db.begin() as session:
        assert inbox.note(session, ("s", "m1"), ("gs://b/o", "1"))
    with committed_db.begin() as session:
        assert not inbox.note(session, ("s", "m2"), ("gs://b/o", "1"))


def test_every_module_that_takes_messages_is_registered():
    modules = {one.name for one in pkgutil.iter_modules(pushed.__path__)}
    used = {run.__module__.rpartition(".")[2] for run in pushed.EVENTS.values()}
    assert modules - {"envelope"} == used


def test_what_terraform_has_pushed_is_what_we_take():
    found = (ROOT / "terraform/events.tf").read_text()
    assert set(re.findall(r'"/events/([^"]+)"', found)) == set(pushed.EVENTS)


def test_what_no_copy_can_come_of_any_more_is_forgotten(worker, db):
    with db.begin() as session:
        inbox.note(session, ("s", "old"), ("s", "new"))
        age = "update inbox set received_at = now() - interval '15 days'"
        session.execute(text(f"{age} where message_id = 'old'"))

    worker.post("/schedules/sweep", {}, caller=internal_calls.SCHEDULER)

    with db.begin() as session:
        assert session.scalars(text("select message_id from inbox")).all() == ["new"]
