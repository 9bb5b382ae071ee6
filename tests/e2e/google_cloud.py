"""All of Google Cloud that a Pegasus needs, on loopback and in this process."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import urlsplit

import requests
from google.pubsub_v1 import types
from pydantic import TypeAdapter

from tests.e2e.machine import wait_for
from tests.loopback import gcs_store
from tests.loopback.cloud_tasks_server import cloud_tasks_server
from tests.loopback.cloud_tasks_service import CloudTasks, Limits
from tests.loopback.gcs_server import BUCKET, GcsServer
from tests.loopback.gcs_store import Refused, Resource
from tests.loopback.gemini_server import KEY, GeminiServer
from tests.loopback.google_signer import GoogleSigner
from tests.loopback.pubsub_server import PubSub, pubsub_server
from tests.loopback.speech_server import SpeechServer

PROJECT, LOCATION, QUEUES = "loopback", "europe-west1", "pegasus"
TASKS = "tasks@loopback.iam.gserviceaccount.com"
SCHEDULER = "scheduler@loopback.iam.gserviceaccount.com"
EVENTS = "events@loopback.iam.gserviceaccount.com"

_AT_ONCE = {"media": 4, "speech": 8, "llm": 4, "solo": 1}
_TOPICS = f"projects/{PROJECT}/topics"
_SUBSCRIPTIONS = f"projects/{PROJECT}/subscriptions"
_NOTIFICATIONS, _DEAD = f"{_TOPICS}/storage", f"{_TOPICS}/dead"
_DOMAIN = f"{_TOPICS}/pegasus"
_PUSHED, _BURIED = f"{_SUBSCRIPTIONS}/storage", f"{_SUBSCRIPTIONS}/dead"
_SUBSCRIBER = f"{_SUBSCRIPTIONS}/somebody"
_SOON = timedelta(milliseconds=100)
_SWEEP_SECONDS = 30
_MOST = 1000  # messages of one pull


class GoogleCloud:
    """Storage, Tasks, Pub/Sub, Speech, Gemini and identities, while it is entered."""

    tasks: CloudTasks
    pubsub: PubSub

    def __init__(self) -> None:
        self._entered = ExitStack()
        self.signer = GoogleSigner()
        self.storage = GcsServer(finalized=self._finalized)
        self.speech = SpeechServer(self._open_object)
        self.gemini = GeminiServer()
        self.told: list[types.PubsubMessage] = []
        self._held: list[Resource] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            for server in (self.signer, self.storage, self.speech, self.gemini):
                entered.enter_context(server)
            self.tasks = entered.enter_context(cloud_tasks_server(self.signer))
            self.pubsub = entered.enter_context(pubsub_server(self.signer))
            self._entered = entered.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._entered.close()

    def set_up(self, worker_url: str) -> None:
        """Make queues, topics and subscriptions, as Terraform does."""
        for queue, at_once in _AT_ONCE.items():
            name = f"projects/{PROJECT}/locations/{LOCATION}/queues/{QUEUES}-{queue}"
            self.tasks.add_queue(name, Limits(at_once, min_backoff=0.2, max_backoff=2))
        for topic in (_NOTIFICATIONS, _DEAD, _DOMAIN):
            self.pubsub.create_topic(types.Topic(name=topic))
        self.pubsub.create_subscription(_push_subscription(worker_url))
        for name, topic in ((_BURIED, _DEAD), (_SUBSCRIBER, _DOMAIN)):
            wanted = types.Subscription(name=name, topic=topic)
            wanted.enable_message_ordering = True
            self.pubsub.create_subscription(wanted)

    def settings(self, key_file: Path) -> dict[str, str]:
        """Return the environment by which the services find it; write the key file."""
        key_file.write_text(json.dumps(self.storage.credentials()))
        return {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "GOOGLE_APPLICATION_CREDENTIALS": str(key_file),
            "STORAGE_MODE": "gcs",
            "STORAGE_EMULATOR_HOST": self.storage.url,
            "GCS_BUCKET": BUCKET,
            "PEGASUS_QUEUE": "cloud_tasks",
            "PEGASUS_TASKS_ENDPOINT": self.tasks.host,
            "PEGASUS_TASKS_LOCATION": LOCATION,
            "PEGASUS_TASKS_QUEUE_PREFIX": QUEUES,
            "PEGASUS_IDENTITY": "google",
            "PEGASUS_OIDC_CERTS_URL": self.signer.certs_url,
            "PEGASUS_TASKS_SERVICE_ACCOUNT": TASKS,
            "PEGASUS_SCHEDULER_SERVICE_ACCOUNT": SCHEDULER,
            "PEGASUS_EVENTS_SERVICE_ACCOUNT": EVENTS,
            "PEGASUS_EVENTS": "pubsub",
            "PEGASUS_EVENTS_TOPIC": _DOMAIN,
            "PUBSUB_EMULATOR_HOST": self.pubsub.host,
            "PLC_INGEST_TRANSCRIBE_PROVIDER": "google",
            "PEGASUS_SPEECH_ENDPOINT": self.speech.host,
            "PLC_LLM_PROVIDER": "gemini",
            "PEGASUS_GEMINI_BASE_URL": self.gemini.url,
            "GEMINI_API_KEY": KEY,
        }

    # What it does by itself

    def sweep(self, worker_url: str) -> None:
        """Call the worker as Cloud Scheduler does."""
        token = self.signer.token(email=SCHEDULER, audience=worker_url)
        reply = requests.post(
            f"{worker_url}/schedules/sweep",
            json={},
            headers={"Authorization": f"Bearer {token}"},
            timeout=_SWEEP_SECONDS,
        )
        assert reply.status_code == 200, reply.text

    @contextmanager
    def notifications_held(self) -> Iterator[list[Resource]]:
        """Have storage tell of its objects only when this is left."""
        held: list[Resource] = []
        self._held = held
        try:
            yield held
        finally:
            self._held = None
            for resource in held:
                self._finalized(resource)

    def tell_again(self, uri: str) -> None:
        """Have storage tell of an object that it has told of before."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        self._finalized(self.storage.store.get(bucket, name).resource)

    # What there is to see

    def events(self, lecture_id: str, number: int) -> list[types.PubsubMessage]:
        """Wait for so many events about a lecture; return all that came, in order."""

        def found() -> list[types.PubsubMessage]:
            self._pull()
            ours = [m for m in self.told if m.ordering_key == f"lecture:{lecture_id}"]
            return ours if len(ours) >= number else []

        return TypeAdapter(list[Any]).validate_python(wait_for(found))

    def all_notified(self) -> None:
        """Wait until every notification of storage has been taken."""
        wait_for(lambda: self.pubsub.lines[_PUSHED].quiet)

    def buried(self) -> list[types.PubsubMessage]:
        """Return the notifications that were given up."""
        reply = self.pubsub.pull(
            types.PullRequest(subscription=_BURIED, max_messages=_MOST)
        )
        return [one.message for one in reply.received_messages]

    def secrets(self) -> list[str]:
        """Return what must be in no log: keys, and the paths of upload sessions."""
        sessions = list(self.storage.store.sessions)
        key = self.storage.credentials()["private_key"]
        return [KEY, key.splitlines()[1], "X-Goog-Signature", *sessions]

    def calls(self) -> dict[str, int]:
        """Return how often was asked for what costs."""
        return {
            "recognize": self.speech.count("Recognize"),
            "batch": self.speech.count("BatchRecognize"),
            "generate": len(self.gemini.asked),
        }

    def _pull(self) -> None:
        reply = self.pubsub.pull(
            types.PullRequest(subscription=_SUBSCRIBER, max_messages=_MOST)
        )
        if ids := [one.ack_id for one in reply.received_messages]:
            acknowledged = {"subscription": _SUBSCRIBER, "ack_ids": ids}
            self.pubsub.acknowledge(types.AcknowledgeRequest(acknowledged))
        self.told += [one.message for one in reply.received_messages]

    def _finalized(self, resource: Resource) -> None:
        if self._held is not None:
            self._held.append(resource)
            return
        body = gcs_store.notification(resource)["message"]
        message = types.PubsubMessage(
            attributes=body["attributes"], data=json.dumps(resource).encode()
        )
        asked = types.PublishRequest(topic=_NOTIFICATIONS, messages=[message])
        self.pubsub.publish(asked)

    def _open_object(self, uri: str) -> BinaryIO:
        place = urlsplit(uri)
        try:
            found = self.storage.store.get(place.netloc, place.path[1:])
        except Refused as exc:
            raise FileNotFoundError(uri) from exc
        return found.path.open("rb")


def _push_subscription(worker_url: str) -> types.Subscription:
    token = types.PushConfig.OidcToken(
        service_account_email=EVENTS, audience=worker_url
    )
    return types.Subscription(
        name=_PUSHED,
        topic=_NOTIFICATIONS,
        ack_deadline_seconds=60,
        push_config=types.PushConfig(
            push_endpoint=f"{worker_url}/events/storage", oidc_token=token
        ),
        dead_letter_policy={"dead_letter_topic": _DEAD, "max_delivery_attempts": 5},
        retry_policy={"minimum_backoff": _SOON, "maximum_backoff": _SOON},
    )
