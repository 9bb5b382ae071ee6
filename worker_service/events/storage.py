"""Storage has got an object whole: perhaps a direct upload is complete.

Source: https://cloud.google.com/storage/docs/pubsub-notifications
"""

import logging
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from common import uploads
from common.deps import Deps
from common.events import inbox
from common.events.inbox import Key
from common.settings import Settings
from worker_service.events.envelope import Malformed, Message, Name, problems

log = logging.getLogger(__name__)

_FINALIZE = "OBJECT_FINALIZE"


class _AttributesIn(BaseModel):
    """Strings, all of them."""

    eventType: Name
    bucketId: Name
    objectId: Name
    objectGeneration: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


class _ObjectIn(BaseModel):
    """The object's resource; numbers of 64 bits are strings in it."""

    bucket: Name
    name: Name
    generation: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    size: Annotated[int, Field(ge=0, lt=2**63)]


@dataclass(frozen=True, slots=True)
class _Finalized:
    """A version of an object of ours."""

    object_key: str
    size_bytes: int
    key: Key


def run(message: Message, deps: Deps) -> None:
    """Complete the upload that the object belongs to.

    Safe to run twice, and beside the client's own completion: whichever is first has
    the effect. Two messages may tell of one version of an object, so both are noted.
    """
    found = _ours(message, deps.settings)
    if found is None:
        return
    with deps.db.begin() as session:
        if inbox.seen(session, message.key, found.key):
            return
    uploads.finalized(deps, object_key=found.object_key, size_bytes=found.size_bytes)
    with deps.db.begin() as session:
        inbox.note(session, message.key, found.key)


def _ours(message: Message, settings: Settings) -> _Finalized | None:
    """Return what was finalised, or None if the message is about something else.

    Raises:
        Malformed: it says that it is for us, and not what we must know.
    """
    try:
        told = _AttributesIn.model_validate(dict(message.attributes))
        prefix = settings.gcs_prefix.strip().strip("/") + "/"
        where = (told.eventType, told.bucketId, told.objectId[: len(prefix)])
        if where != (_FINALIZE, settings.gcs_bucket, prefix):
            log.info("event.not_for_us", extra={"event": told.eventType})
            return None
        about = _ObjectIn.model_validate_json(message.data)
    except ValidationError as exc:
        raise Malformed(problems(exc)) from exc
    claimed = (told.bucketId, told.objectId, told.objectGeneration)
    if (about.bucket, about.name, about.generation) != claimed:
        raise Malformed("attributes and data differ")
    return _Finalized(
        object_key=told.objectId.removeprefix(prefix),
        size_bytes=about.size,
        key=(f"gs://{told.bucketId}/{told.objectId}", told.objectGeneration),
    )
