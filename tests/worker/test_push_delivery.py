"""Pub/Sub pushes to the worker's real port: tokens, second tries and dead letters."""

import json
from dataclasses import replace

import pytest

from common.errors import ProviderUnavailable
from common.providers import identity, internal_calls
from tests.common.job_steps import until
from tests.conftest import make_heart
from tests.loopback.google_signer import GoogleSigner
from tests.loopback.pubsub_emulator import pubsub_emulator
from tests.loopback.pubsub_server import pubsub_server
from tests.loopback.pubsub_steps import Channel, bury_in, push_to
from tests.loopback.served_worker import served
from worker_service.app import create_app

NAME = "pegasus/audio/l1/1.wav"
ACCOUNT = "events@p.iam.gserviceaccount.com"
AUDIENCE = "https://worker.example"


@pytest.fixture(scope="module")
def emulator():
    with pubsub_emulator() as host:
        yield host


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"gcs_bucket": "media"})


@pytest.fixture
def completed(monkeypatch):
    """What uploads were told, and the errors that they meet it with."""
    calls: list[tuple[str, int]] = []
    errors: list[Exception] = []

    def finalized(deps, *, object_key, size_bytes):
        if errors:
            raise errors.pop(0)
        calls.append((object_key, size_bytes))

    monkeypatch.setattr("common.uploads.finalized", finalized)
    return calls, errors


@pytest.fixture
def worker(committed_deps):
    """The worker's port."""
    app = create_app(committed_deps, make_heart(committed_deps))
    with served(app, committed_deps) as found:
        yield found


@pytest.fixture
def server(worker, monkeypatch):
    """Our own Pub/Sub, which signs its pushes."""
    with pubsub_server(worker) as found:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", found.host)
        yield found


@pytest.fixture(params=["emulator", "loopback"])
def channel(request, worker, monkeypatch):
    """A topic that pushes to the worker. What the emulator does not sign, we do."""
    if request.param == "emulator":
        worker.signs = True
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", request.getfixturevalue("emulator"))
    else:
        request.getfixturevalue("server")
    return Channel()


def of_google(settings, google):
    """Return the settings of a worker that Google's service accounts call."""
    cloud = {
        "identity": "google",
        "oidc_certs_url": google.certs_url,
        "worker_audience": AUDIENCE,
        "events_service_account": ACCOUNT,
        "tasks_service_account": "tasks@p.iam.gserviceaccount.com",
        "scheduler_service_account": "scheduler@p.iam.gserviceaccount.com",
    }
    return settings.model_copy(update=cloud)


def to(worker, **changes):
    who = {"email": internal_calls.EVENTS, "audience": worker.deps.settings.worker_url}
    return push_to(f"{worker.url}/events/storage", **(who | changes))


def told(channel, generation=1, **changes):
    """Publish as storage does."""
    attributes = {
        "eventType": "OBJECT_FINALIZE",
        "bucketId": "media",
        "objectId": NAME,
        "objectGeneration": str(generation),
    }
    about = {"bucket": "media", "name": NAME, "generation": str(generation)}
    data = json.dumps(about | {"size": "10"}).encode()
    return channel.publish(attributes | changes, data)


def test_a_notification_reaches_the_uploads(channel, worker, completed):
    channel.subscribe(**to(worker))

    told(channel)

    until(lambda: worker.statuses)
    assert worker.statuses == [204]
    assert completed[0] == [("audio/l1/1.wav", 10)]


def test_after_a_503_it_is_pushed_again_and_has_its_effect(channel, worker, completed):
    completed[1].extend([ProviderUnavailable(), ProviderUnavailable()])
    channel.subscribe(**to(worker))

    told(channel)

    until(lambda: 204 in worker.statuses)
    assert worker.statuses == [503, 503, 204]
    assert completed[0] == [("audio/l1/1.wav", 10)]


def test_two_subscriptions_that_push_the_same_have_one_effect(
    channel, worker, completed
):
    channel.subscribe(**to(worker))
    told(channel)
    until(lambda: completed[0])
    channel.subscribe(**to(worker))

    told(channel)

    until(lambda: len(worker.statuses) == 3)
    assert worker.statuses == [204] * 3
    assert len(completed[0]) == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"audience": "https://elsewhere.example"}, 401),
        ({"email": internal_calls.QUEUE}, 403),
        ({"email": ""}, 401),
    ],
)
def test_a_push_of_others_has_no_effect(server, worker, completed, changes, status):
    channel = Channel()
    channel.subscribe(**to(worker, **changes))

    told(channel)

    until(lambda: len(worker.statuses) >= 2)
    assert set(worker.statuses) == {status}
    assert completed[0] == []


def test_google_s_signature_opens_the_door(committed_deps, completed, monkeypatch):
    with GoogleSigner() as google, pubsub_server(google) as server:
        settings = of_google(committed_deps.settings, google)
        deps = replace(
            committed_deps,
            settings=settings,
            identity=identity.from_settings(settings),
        )
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.host)
        with served(create_app(deps, make_heart(deps)), deps) as worker:
            channel = Channel()
            channel.subscribe(**to(worker, email=ACCOUNT, audience=AUDIENCE))
            told(channel)
            until(lambda: worker.statuses)

    assert worker.statuses[0] == 204
    assert completed[0] == [("audio/l1/1.wav", 10)]


def test_poison_ends_in_the_dead_letters_and_holds_up_nobody(server, worker, completed):
    dead, channel = Channel(), Channel()
    kept = dead.subscribe()
    channel.subscribe(**to(worker), **bury_in(dead.topic))

    told(channel, objectGeneration="poison")
    told(channel, generation=2)

    [message] = dead.pull(kept, 1)
    assert sorted(worker.statuses) == [204, *[400] * 5]
    assert completed[0] == [("audio/l1/1.wav", 10)]
    assert message.attributes["objectGeneration"] == "poison"
    assert message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"


def test_our_server_keeps_the_order_of_a_key_over_failures(server, worker, completed):
    """The tests of others rely on it."""
    completed[1].extend([ProviderUnavailable()] * 2)
    channel = Channel()
    channel.subscribe(**to(worker))
    for number in range(5):
        name = f"pegasus/{number}"
        about = {"bucket": "media", "name": name, "generation": "1", "size": "1"}
        attributes = {
            "eventType": "OBJECT_FINALIZE",
            "bucketId": "media",
            "objectId": name,
            "objectGeneration": "1",
        }
        channel.publish(attributes, json.dumps(about).encode(), key="k")

    until(lambda: len(completed[0]) == 5)
    assert [key for key, _ in completed[0]] == list("01234")
