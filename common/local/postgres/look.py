"""A look at the server of a home from outside: nothing is started, made or changed."""

from __future__ import annotations

import fcntl
from dataclasses import dataclass, field
from pathlib import Path

from common.local.postgres.cluster import DATABASE, PASSWORD, ROLE
from common.local.postgres.folders import NOTE, known_place
from common.local.postgres.lock import pid_file

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Seen:
    """What is there.

    Args:
        running: a server works on this home, or is being started.
        lost: the home has a note where its data are, and they are not there.
        version: the major version of the server that made the data; None without data.
        password: the file that holds it, whether it is there or not.
        url: of the running server, with its password; None until it is ready.
    """

    running: bool
    lost: bool
    version: str | None
    password: Path
    url: str | None = field(repr=False)


def look(home: Path) -> Seen:
    """Return what is in ``home``, which may not exist.

    Raises:
        OSError: it belongs to somebody else.
    """
    own = home.resolve() / "postgres"
    place = known_place(own)
    data = place / "data"
    running = _is_locked(own / "lock")
    marker = data / "PG_VERSION"
    return Seen(
        running=running,
        lost=place == own and (own / NOTE).exists() and not data.exists(),
        version=marker.read_text("ascii").strip() if marker.exists() else None,
        password=place / PASSWORD,
        url=_url(place) if running else None,
    )


def _is_locked(lock: Path) -> bool:
    if not lock.exists():
        return False
    with lock.open("rb") as file:  # closing it gives the lock back
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _url(place: Path) -> str | None:
    found = pid_file(place / "data")
    if found.status != "ready" or not (place / PASSWORD).exists():
        return None
    password = (place / PASSWORD).read_text("ascii").strip()
    return f"postgresql+pg8000://{ROLE}:{password}@{_HOST}:{found.port}/{DATABASE}"
