"""Who sends the present request, as far as ``auth`` has found out."""

from dataclasses import dataclass

from flask import g


@dataclass(frozen=True, slots=True)
class Caller:
    """A person, a guest, or neither: somebody without a name, a tool, a helper.

    ``guest`` is the SHA-256 of the session id, which is a credential.
    """

    user_id: int | None = None
    guest: str | None = None


_NOBODY = Caller()


def caller() -> Caller:
    """Return who sends the present request."""
    found: Caller = g.get("caller", _NOBODY)
    return found


def recognise(found: Caller) -> None:
    """Remember who sends the present request."""
    g.caller = found
