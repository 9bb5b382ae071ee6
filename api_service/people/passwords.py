"""Passwords: only what is derived from them is kept, and deriving it takes a while."""

import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

_MOST_AT_ONCE = 4  # each takes 19 MiB; the others wait, and the process stays small
_turns = threading.BoundedSemaphore(_MOST_AT_ONCE)

# Source: OWASP's password storage cheat sheet on argon2id, read 2026-11: its floor.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def derive(password: str) -> str:
    """Return what to keep of a password; the same one gives another text each time."""
    with _turns:
        return HASHER.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Return whether a password is the one of which this was kept.

    Where nothing was kept the answer is no, and takes as long.
    """
    against = kept or _nobodys(HASHER)
    with _turns:
        try:
            return HASHER.verify(against, password) and kept is not None
        except VerificationError:
            return False


def is_outdated(kept: str) -> bool:
    """Return whether it was derived at another cost than it would be today."""
    return HASHER.check_needs_rehash(kept)


@cache
def _nobodys(hasher: PasswordHasher) -> str:
    """Return what is compared with where there is nobody; nobody knows its password."""
    return hasher.hash(secrets.token_hex())
