"""Identifiers: how we make ours, and which of the clients' we accept."""

import os
import re
import time
from uuid import UUID

from common.errors import BadRequest

# Clients choose the ids of courses and lectures. They become parts of object keys and
# URLs, so only letters that mean nothing to a file system are allowed.
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def new_id() -> UUID:
    """Return a UUID version 7: random, and in order of time, which indexes like.

    Source: RFC 9562, section 5.7.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def client_id(name: str, value: str) -> str:
    """Return ``value`` if it may serve as an id.

    Args:
        name: the field's name, for the message.
        value: what the client sent.

    Raises:
        BadRequest: it is too long or has characters that could leave a folder.
    """
    if not _CLIENT_ID.fullmatch(value) or ".." in value:
        raise BadRequest(
            f"{name} must be 1 to 128 letters, digits, '.', '_' or '-',"
            " start with a letter or digit and not contain '..'.",
            code="invalid_id",
        )
    return value
