"""Events as lines of the log: for one machine, where nobody subscribes."""

import logging

from common.events import Event

log = logging.getLogger(__name__)


class LoggedEvents:
    """Writes each event to the log."""

    def publish(self, event: Event) -> None:  # noqa: D102
        log.info("event", extra={"event": event.type, "subject": event.subject})
