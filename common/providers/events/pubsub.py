"""Events on a Pub/Sub topic.

The library is loaded with the first event: not by the API, which sends none and does
not hold it, and not before a process forks.
"""

import threading
from typing import TYPE_CHECKING, Self

from common.events import Event
from common.settings import Settings

if TYPE_CHECKING:
    from common.providers.events.pubsub_topic import Topic


class PubSubEvents:
    """Publishes to one topic; messages of one subject are kept in order."""

    def __init__(self, project: str, topic: str) -> None:
        """Connect to nothing yet. ``topic`` is a name or a whole resource name."""
        path = f"projects/{project}/topics/{topic}"
        self._path = topic if topic.startswith("projects/") else path
        self._lock = threading.Lock()
        self._topic: Topic | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the topic that the settings name; they are checked to do so."""
        return cls(settings.google_cloud_project or "", settings.events_topic or "")

    def publish(self, event: Event) -> None:  # noqa: D102
        self._connected().publish(event)

    def _connected(self) -> "Topic":
        from common.providers.events.pubsub_topic import Topic  # noqa: PLC0415 - above

        with self._lock:
            if self._topic is None:
                self._topic = Topic(self._path)
            return self._topic
