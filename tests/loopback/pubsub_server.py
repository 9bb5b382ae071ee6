"""A Pub/Sub on loopback: the real protocol, with what the SDK's emulator leaves out.

That is OIDC tokens on pushes, dead letters, counts of attempts, and faults on order.
Messages are kept in memory and in the order in which they were published.
"""

import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import grpc
from google.protobuf import empty_pb2
from google.pubsub_v1 import types

from common.providers import internal_calls
from tests.loopback.pubsub_line import Line, Parcel

_ACKED = (102, 200, 201, 202, 204)
_EMPTY_PULL_SECONDS = 0.2  # how long a pull waits for something


class Signer(Protocol):
    """Signs the pushes' tokens as Google does."""

    def token(self, *, email: str, audience: str) -> str: ...


@dataclass(frozen=True)
class Fault:
    """A publish that fails; with ``kept``, only its answer is lost."""

    code: grpc.StatusCode
    kept: bool = False


class Failed(Exception):
    """What the caller is told."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


class PubSub:
    """Topics and subscriptions, and the calls of the protocol."""

    def __init__(self, signer: Signer | None) -> None:
        self.host = ""
        self.fault: Callable[[types.PubsubMessage], Fault | None] = lambda _: None
        self.published: list[types.PubsubMessage] = []
        self.lines: dict[str, Line] = {}
        self._topics: set[str] = set()
        self._signer = signer
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(32)

    def create_topic(self, request: types.Topic) -> types.Topic:
        self._topics.add(request.name)
        return request

    def get_topic(self, request: types.GetTopicRequest) -> types.Topic:
        self._require(request.topic, self._topics)
        return types.Topic(name=request.topic)

    def create_subscription(self, request: types.Subscription) -> types.Subscription:
        self._require(request.topic, self._topics)
        request.ack_deadline_seconds = request.ack_deadline_seconds or 10
        line = self.lines[request.name] = Line(request, self._bury)
        if request.push_config.push_endpoint:
            self._pool.submit(self._push_all, line)
        return request

    def publish(self, request: types.PublishRequest) -> types.PublishResponse:
        self._require(request.topic, self._topics)
        for message in request.messages:
            fault = self.fault(message)
            if fault is None or fault.kept:
                self._accept(request.topic, message)
            if fault is not None:
                raise Failed(fault.code, "a fault on order")
        ids = [message.message_id for message in request.messages]
        return types.PublishResponse(message_ids=ids)

    def pull(self, request: types.PullRequest) -> types.PullResponse:
        self._require(request.subscription, self.lines)
        line = self.lines[request.subscription]
        received = [
            types.ReceivedMessage(
                ack_id=ack_id, message=parcel.message, delivery_attempt=parcel.attempts
            )
            for ack_id, parcel in line.take(
                request.max_messages, wait=_EMPTY_PULL_SECONDS
            )
        ]
        return types.PullResponse(received_messages=received)

    def acknowledge(self, request: types.AcknowledgeRequest) -> empty_pb2.Empty:
        self._require(request.subscription, self.lines)
        for ack_id in request.ack_ids:
            self.lines[request.subscription].settle(ack_id, acked=True)
        return empty_pb2.Empty()

    def close(self) -> None:
        for line in self.lines.values():
            line.close()
        self._pool.shutdown()

    def _require(self, name: str, known: Any) -> None:
        if name not in known:
            text = f"Resource not found (resource={name.rpartition('/')[2]})."
            raise Failed(grpc.StatusCode.NOT_FOUND, text)

    def _accept(self, topic: str, message: types.PubsubMessage) -> None:
        with self._lock:  # all subscriptions get the same order
            message.message_id = str(next(self._numbers))
            message.publish_time = datetime.now(UTC)
            self.published.append(message)
            for line in self.lines.values():
                if line.config.topic == topic:
                    line.add(message)

    def _bury(self, config: types.Subscription, parcel: Parcel) -> None:
        """Send to the dead-letter topic what was refused too often."""
        project, name = config.name.split("/")[1::2]
        prefix = "CloudPubSubDeadLetterSource"
        attributes = {
            **parcel.message.attributes,
            f"{prefix}DeliveryCount": str(parcel.attempts),
            f"{prefix}Subscription": name,
            f"{prefix}SubscriptionProject": project,
        }
        copy = types.PubsubMessage(data=parcel.message.data, attributes=attributes)
        topic = config.dead_letter_policy.dead_letter_topic
        self._pool.submit(self._accept, topic, copy)

    def _push_all(self, line: Line) -> None:
        while not line.closed:
            for ack_id, parcel in line.take(16, wait=1):
                self._pool.submit(self._push, line, ack_id, parcel)

    def _push(self, line: Line, ack_id: str, parcel: Parcel) -> None:
        config = line.config.push_config
        try:
            status = internal_calls.post(
                config.push_endpoint,
                _envelope(line.config, parcel),
                token=self._token(config),
                timeout_seconds=line.config.ack_deadline_seconds,
            )
        except OSError:
            status = 0
        line.settle(ack_id, acked=status in _ACKED)

    def _token(self, config: types.PushConfig) -> str:
        email = config.oidc_token.service_account_email
        if self._signer is None or not email:
            return ""
        audience = config.oidc_token.audience or config.push_endpoint
        return self._signer.token(email=email, audience=audience)


def _envelope(config: types.Subscription, parcel: Parcel) -> dict[str, Any]:
    message = parcel.message
    published = message.publish_time.isoformat()
    body: dict[str, Any] = {
        "message": {
            "attributes": dict(message.attributes),
            "data": base64.b64encode(message.data).decode(),
            "messageId": message.message_id,
            "message_id": message.message_id,
            "publishTime": published,
            "publish_time": published,
        },
        "subscription": config.name,
    }
    if message.ordering_key:
        body["message"]["orderingKey"] = message.ordering_key
    if config.dead_letter_policy.dead_letter_topic:
        body["deliveryAttempt"] = parcel.attempts
    return body


@contextmanager
def pubsub_server(signer: Signer | None = None) -> Iterator[PubSub]:
    """Run one on a free port; clients find it by ``PUBSUB_EMULATOR_HOST``."""
    service = PubSub(signer)
    server = grpc.server(ThreadPoolExecutor(16))
    publisher = {
        "CreateTopic": _handler(service.create_topic, types.Topic),
        "GetTopic": _handler(service.get_topic, types.GetTopicRequest),
        "Publish": _handler(service.publish, types.PublishRequest),
    }
    subscriber = {
        "CreateSubscription": _handler(service.create_subscription, types.Subscription),
        "Pull": _handler(service.pull, types.PullRequest),
        "Acknowledge": _handler(service.acknowledge, types.AcknowledgeRequest),
    }
    for name, calls in (("Publisher", publisher), ("Subscriber", subscriber)):
        whole = grpc.method_handlers_generic_handler(f"google.pubsub.v1.{name}", calls)
        server.add_generic_rpc_handlers((whole,))
    service.host = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield service
    finally:
        service.close()
        server.stop(0).wait(10)


def _handler(call: Callable[[Any], Any], request: Any) -> grpc.RpcMethodHandler:
    def guarded(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(message)
        except Failed as exc:
            context.abort(exc.code, str(exc))

    def serialized(answer: Any) -> bytes:
        if isinstance(answer, empty_pb2.Empty):
            return bytes(answer.SerializeToString())
        return bytes(type(answer).serialize(answer))

    return grpc.unary_unary_rpc_method_handler(guarded, request.deserialize, serialized)
