"""A topic of Pub/Sub: one call per event, so that an answer means it is safe.

The library's batches, waits and retries are left out, because order and retries are
the outbox's.
"""

import json

from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient, PubsubMessage

from common.errors import ProviderUnavailable
from common.events import Event
from common.events.facts import data_schema

_DEADLINE_SECONDS = 5.0  # a publish takes some 50 ms; the outbox tries again
_SOURCE = "urn:pegasus"


class Topic:
    """Named ``projects/…/topics/…``; with ``PUBSUB_EMULATOR_HOST``, on that host."""

    def __init__(self, path: str) -> None:
        try:
            self._client = PublisherClient()
        except GoogleAuthError as exc:
            raise ProviderUnavailable(f"Pub/Sub: {type(exc).__name__}") from exc
        self._path = path

    def publish(self, event: Event) -> None:
        """Return once the server has the event.

        Raises:
            ProviderUnavailable: it may have it, or not.
        """
        try:
            self._client.publish(
                topic=self._path,
                messages=[_message(event)],
                retry=None,
                timeout=_DEADLINE_SECONDS,
            )
        except (GoogleAPICallError, GoogleAuthError) as exc:
            raise ProviderUnavailable(f"Pub/Sub: {type(exc).__name__}") from exc


def _message(event: Event) -> PubsubMessage:
    """Return the event as a message; attributes are named as in CloudEvents 1.0.

    Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
    """
    return PubsubMessage(
        data=json.dumps(event.data, ensure_ascii=False).encode(),
        ordering_key=event.subject,
        attributes={
            "specversion": "1.0",
            "id": str(event.id),
            "source": _SOURCE,
            "type": event.type,
            "subject": event.subject,
            "time": event.occurred_at.isoformat(),
            "datacontenttype": "application/json",
            "dataschema": data_schema(event.type, event.version),
        },
    )
