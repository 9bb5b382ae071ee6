"""Domain events: what others may want to know of."""

from typing import Protocol, assert_never

from common.events import Event
from common.settings import Settings


class Events(Protocol):
    """Tell the world, at least once and in order per subject."""

    def publish(self, event: Event) -> None:
        """Hand over one event; return when it is safe with the receiver.

        Raises:
            ProviderUnavailable: nothing was handed over; try again.
        """


def from_settings(settings: Settings) -> Events:
    """Return where the settings send events."""
    match settings.events:
        case "log":
            from common.providers.events.log import LoggedEvents

            return LoggedEvents()
        case "pubsub":
            from common.providers.events.pubsub import PubSubEvents

            return PubSubEvents.from_settings(settings)
        case other:
            assert_never(other)
