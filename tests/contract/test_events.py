"""What the services may expect of where events are sent: the log, and Pub/Sub.

Pub/Sub is the emulator of the gcloud SDK, and our own server on loopback: what both do
is what we rely on.
"""

import json
import logging
import subprocess
import sys
import time
from datetime import UTC, datetime

import grpc
import pytest
from jsonschema import Draft202012Validator

from common import events as domain
from common.errors import ProviderUnavailable
from common.events import Event
from common.events.__main__ import SCHEMA
from common.ids import new_id
from common.providers import events
from common.providers.events.log import LoggedEvents
from common.providers.events.pubsub import PubSubEvents
from tests.common.event_steps import emit, let_locks_lapse, outbox
from tests.common.job_steps import together
from tests.loopback.pubsub_emulator import pubsub_emulator
from tests.loopback.pubsub_server import Fault, pubsub_server
from tests.loopback.pubsub_steps import PROJECT, Channel

NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def emulator():
    with pubsub_emulator() as host:
        yield host


@pytest.fixture
def server(monkeypatch):
    with pubsub_server() as found:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", found.host)
        yield found


@pytest.fixture(params=["emulator", "loopback"])
def channel(request, monkeypatch):
    """A topic of our own on either Pub/Sub."""
    if request.param == "emulator":
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", request.getfixturevalue("emulator"))
    else:
        request.getfixturevalue("server")
    return Channel()


@pytest.fixture
def pubsub(channel):
    return PubSubEvents(PROJECT, channel.name)


def event(subject="course:c1", **data):
    now = datetime.now(UTC)
    return Event(new_id(), "course.deleted", 1, subject, now, data)


def numbers(messages, key):
    """Return the numbers of the facts about one course, as they came."""
    found = [one for one in messages if one.ordering_key == f"course:{key}"]
    return [json.loads(one.data)["lectures"] for one in found]


@pytest.fixture(params=["log", "pubsub"])
def any_events(request):
    if request.param == "log":
        return LoggedEvents()
    request.getfixturevalue("server")
    return PubSubEvents(PROJECT, Channel().name)


def test_an_event_is_taken(any_events):
    any_events.publish(event())


def test_the_same_event_may_be_sent_again(any_events):
    any_events.publish(sent := event())
    any_events.publish(sent)


def test_the_settings_choose_where_events_go(settings):
    cloud = {
        "events": "pubsub",
        "google_cloud_project": "p",
        "events_topic": "events",
    }

    assert isinstance(events.from_settings(settings), LoggedEvents)
    found = events.from_settings(settings.model_copy(update=cloud))
    assert isinstance(found, PubSubEvents)


def test_the_log_tells_what_happened_to_whom(caplog):
    caplog.set_level(logging.INFO)

    LoggedEvents().publish(event())

    [record] = caplog.records
    assert (record.event, record.subject) == ("course.deleted", "course:c1")


def test_a_subscriber_sees_the_event_and_its_attributes(channel, pubsub):
    subscription = channel.subscribe()

    pubsub.publish(sent := event(lectures=2, place="Łódź"))

    [message] = channel.pull(subscription, 1)
    assert json.loads(message.data) == {"lectures": 2, "place": "Łódź"}
    assert message.ordering_key == "course:c1"
    assert dict(message.attributes) == {
        "specversion": "1.0",
        "id": str(sent.id),
        "source": "urn:pegasus",
        "type": "course.deleted",
        "subject": "course:c1",
        "time": sent.occurred_at.isoformat(),
        "datacontenttype": "application/json",
        "dataschema": "urn:pegasus:event:course.deleted:1",
    }


def test_what_arrives_is_as_its_schema_says(channel, pubsub, committed_db):
    subscription = channel.subscribe()
    emit(committed_db, "c1", 1)

    domain.drain(committed_db, pubsub.publish)

    [message] = channel.pull(subscription, 1)
    [schema] = [
        one
        for one in json.loads(SCHEMA.read_text())["$defs"].values()
        if one["$id"] == message.attributes["dataschema"]
    ]
    Draft202012Validator(schema).validate(json.loads(message.data))


def test_four_instances_drain_and_each_subject_arrives_in_order(
    channel, pubsub, committed_db
):
    subscription = channel.subscribe()
    names = [f"c{n}" for n in range(10)]
    for number in range(20):
        for name in names:
            emit(committed_db, name, number)

    def drain():
        while outbox(committed_db):
            domain.drain(committed_db, pubsub.publish, limit=9)

    together(*[drain] * 4)

    messages = channel.pull(subscription, 200)
    assert len(messages) == 200
    assert {name: numbers(messages, name) for name in names} == {
        name: list(range(20)) for name in names
    }


def test_a_crash_after_publishing_publishes_again_the_same_in_order(
    channel, pubsub, committed_db
):
    subscription = channel.subscribe()
    emit(committed_db, "c1", 1, 2)

    def crash(told):
        pubsub.publish(told)
        if told.data["lectures"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        domain.drain(committed_db, crash)
    let_locks_lapse(committed_db)
    domain.drain(committed_db, pubsub.publish)

    messages = channel.pull(subscription, 4)
    assert numbers(messages, "c1") == [1, 2, 1, 2]
    ids = [message.attributes["id"] for message in messages]
    assert ids[:2] == ids[2:]


def test_a_topic_that_is_not_there_is_an_outage(channel):
    with pytest.raises(ProviderUnavailable, match="NotFound"):
        PubSubEvents(PROJECT, "no-such-topic").publish(event())


def test_a_pubsub_that_cannot_be_reached_says_so(monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", NOWHERE)

    with pytest.raises(ProviderUnavailable, match="ServiceUnavailable"):
        PubSubEvents(PROJECT, "events").publish(event())


def test_without_credentials_it_is_an_outage(monkeypatch, tmp_path):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    with pytest.raises(ProviderUnavailable, match="DefaultCredentialsError"):
        PubSubEvents(PROJECT, "events").publish(event())


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.INTERNAL,
    ],
)
def test_after_a_failure_the_same_subject_can_be_sent_again(server, code):
    channel = Channel()
    subscription = channel.subscribe()
    pubsub = PubSubEvents(PROJECT, channel.name)
    server.fault = lambda _message: Fault(code)
    with pytest.raises(ProviderUnavailable, match="Pub/Sub"):
        pubsub.publish(event(lectures=1))
    server.fault = lambda _message: None

    pubsub.publish(event(lectures=2))

    assert numbers(channel.pull(subscription, 1), "c1") == [2]


def test_an_answer_that_was_lost_makes_the_event_come_twice(server, committed_db):
    channel = Channel()
    subscription = channel.subscribe()
    pubsub = PubSubEvents(PROJECT, channel.name)
    emit(committed_db, "c1", 1, 2)
    server.fault = lambda _message: Fault(grpc.StatusCode.UNAVAILABLE, kept=True)
    assert domain.drain(committed_db, pubsub.publish) == 0
    server.fault = lambda _message: None
    let_locks_lapse(committed_db)

    assert domain.drain(committed_db, pubsub.publish) == 2

    messages = channel.pull(subscription, 3)
    assert numbers(messages, "c1") == [1, 1, 2]
    assert messages[0].attributes["id"] == messages[1].attributes["id"]


def test_a_publish_ends_at_its_deadline(server, monkeypatch):
    channel = Channel()
    pubsub = PubSubEvents(PROJECT, channel.name)
    pubsub.publish(event())
    name = "common.providers.events.pubsub_topic._DEADLINE_SECONDS"
    monkeypatch.setattr(name, 0.2)
    server.fault = lambda _message: time.sleep(1)

    with pytest.raises(ProviderUnavailable, match="DeadlineExceeded"):
        pubsub.publish(event())


def test_the_library_is_not_loaded_before_the_first_event():
    code = (
        "import sys\n"
        "from common.providers.events.pubsub import PubSubEvents\n"
        "PubSubEvents('p', 'events')\n"
        "assert 'google.pubsub_v1' not in sys.modules and 'grpc' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 - ours
    assert done.returncode == 0
