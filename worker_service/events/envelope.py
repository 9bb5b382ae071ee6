"""A message as Pub/Sub pushes it.

Source: https://cloud.google.com/pubsub/docs/push#receive_push
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from common.events.inbox import Key

MAX_BYTES = 256 * 1024  # notifications of storage have some 2 KiB, attributes 1 KiB


class Malformed(Exception):
    """The body is no message, or not one of this kind; sending it again is in vain."""


def _decoded(value: object) -> object:
    """Return what base64 stands for, strictly."""
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - as pydantic wants it
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as exc:
        raise ValueError("must be base64") from exc


# PostgreSQL cannot keep the NUL; no id or attribute of Pub/Sub is longer.
Text = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=1024)]
Name = Annotated[str, Field(pattern=r"^[^\x00]+$", max_length=1024)]


class _MessageIn(BaseModel):
    data: Annotated[bytes, BeforeValidator(_decoded)] = b""
    attributes: dict[Text, Text] = {}
    messageId: Name


class _PushIn(BaseModel):
    message: _MessageIn
    subscription: Name


@dataclass(frozen=True, slots=True)
class Message:
    """What was published, and over which subscription it came."""

    id: str
    subscription: str
    attributes: Mapping[str, str]
    data: bytes

    @property
    def key(self) -> Key:
        """What the inbox knows the message by."""
        return self.subscription, self.id

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Return the message in the body of a push.

        Raises:
            Malformed: there is none.
        """
        try:
            push = _PushIn.model_validate_json(body)
        except ValidationError as exc:
            raise Malformed(problems(exc)) from exc
        found = push.message
        return cls(found.messageId, push.subscription, found.attributes, found.data)


def problems(error: ValidationError) -> str:
    """Say what is wrong without showing what was sent."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    places = [".".join(str(part) for part in one["loc"]) for one in found]
    kinds = [one["type"] for one in found]
    listed = zip(places, kinds, strict=True)
    return ", ".join(f"{place or 'body'}: {kind}" for place, kind in listed)[:500]
