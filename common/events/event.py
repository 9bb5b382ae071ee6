from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to ``subject``, e.g. ``lecture:l1``.

    ``id`` is the same each time the event is sent; receivers drop what they have.
    ``version`` is that of the form of ``data``.
    """

    id: UUID
    type: str
    version: int
    subject: str
    occurred_at: datetime
    data: dict[str, Any]
