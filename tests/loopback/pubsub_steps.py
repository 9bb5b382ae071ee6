"""What tests do with a Pub/Sub, over the real client library."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from google.pubsub_v1 import (
    PublisherClient,
    PubsubMessage,
    PushConfig,
    SubscriberClient,
)

from common.ids import new_id

PROJECT = "pegasus-test"


class Channel:
    """A topic of one's own, and subscriptions to it; see ``PUBSUB_EMULATOR_HOST``."""

    def __init__(self) -> None:
        self.name = f"t-{new_id()}"
        self._publisher = PublisherClient()
        self._subscriber = SubscriberClient()
        self.topic = f"projects/{PROJECT}/topics/{self.name}"
        self._publisher.create_topic(name=self.topic)

    def subscribe(self, topic: str = "", **options: Any) -> str:
        """Return the name of a new subscription, which keeps order unless told."""
        name = f"projects/{PROJECT}/subscriptions/s-{new_id()}"
        request = {
            "name": name,
            "topic": topic or self.topic,
            "enable_message_ordering": True,
        }
        self._subscriber.create_subscription(request=request | options)
        return name

    def publish(
        self, attributes: Mapping[str, str], data: bytes = b"", key: str = ""
    ) -> str:
        """Publish as a stranger would; return the message's id."""
        message = PubsubMessage(data=data, attributes=attributes, ordering_key=key)
        reply = self._publisher.publish(topic=self.topic, messages=[message])
        return str(reply.message_ids[0])

    def pull(self, subscription: str, number: int) -> list[PubsubMessage]:
        """Return so many messages, acknowledged, in the order in which they came."""
        found: list[PubsubMessage] = []
        for _ in range(100):
            if len(found) >= number:
                break
            reply = self._subscriber.pull(subscription=subscription, max_messages=1000)
            if ids := [one.ack_id for one in reply.received_messages]:
                self._subscriber.acknowledge(subscription=subscription, ack_ids=ids)
            found += [one.message for one in reply.received_messages]
        return found


def push_to(url: str, email: str = "", audience: str = "") -> dict[str, Any]:
    """Return the options of a subscription that pushes, and tries again soon."""
    token = PushConfig.OidcToken(service_account_email=email, audience=audience)
    config = PushConfig(push_endpoint=url)
    if email:
        config.oidc_token = token
    soon = timedelta(milliseconds=50)
    return {
        "push_config": config,
        "retry_policy": {"minimum_backoff": soon, "maximum_backoff": soon},
    }


def bury_in(topic: str, tries: int = 5) -> dict[str, Any]:
    """Return the option of a subscription that gives up after so many tries."""
    policy = {"dead_letter_topic": topic, "max_delivery_attempts": tries}
    return {"dead_letter_policy": policy}
