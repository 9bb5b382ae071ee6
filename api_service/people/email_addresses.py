"""E-mail addresses: one spelling for each, and none that mail cannot reach."""

import re
from email.utils import parseaddr
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

_LONGEST = 254  # RFC 5321 4.5.3.1.3, without the brackets
_LONGEST_LOCAL = 64  # RFC 5321 4.5.3.1.1
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+[a-z][a-z0-9-]*[a-z0-9]")
# RFC 2606, RFC 6761 and RFC 6762: names that nobody can own.
_RESERVED = {"test", "invalid", "localhost", "local", "localdomain", "onion", "arpa"}


def normalised(text: str) -> str:
    """Return an address in the one spelling that is stored and looked up.

    Of ``Ann <ann@example.com>`` it is what stands in the brackets.

    Raises:
        PydanticCustomError: mail could not reach it.
    """
    address = text.strip()
    if address.endswith(">") and "<" in address:
        address = parseaddr(address)[1] or address
    address = address.lower()
    if problem := _problem(address):
        raise PydanticCustomError(
            "value_error",
            "value is not a valid email address: {reason}",
            {"reason": problem},
        )
    return address


Email = Annotated[str, AfterValidator(normalised)]


def _problem(address: str) -> str | None:
    local, at, domain = address.rpartition("@")
    too_long = len(address) > _LONGEST or len(local) > _LONGEST_LOCAL
    problems = {
        "An email address must have an @-sign.": not at,
        "There is nothing on one side of the @-sign.": not local or not domain,
        "It is too long.": too_long,
        "The part before the @-sign has letters that are not allowed there.": (
            not _LOCAL.fullmatch(local)
        ),
        "The part after the @-sign is a reserved name.": (
            domain.rpartition(".")[2] in _RESERVED
        ),
        "The part after the @-sign is not a domain.": not _DOMAIN.fullmatch(domain),
    }
    return next((text for text, found in problems.items() if found), None)
