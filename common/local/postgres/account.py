"""The account the embedded server runs as, and the errors of starting it."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import AppError

# Nothing of the caller's environment may steer the server (PG*, LD_*, LC_*).
SERVER_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
UNPRIVILEGED = "nobody"  # exists on Linux and macOS; we never add an account
_TOOL_SECONDS = 120  # initdb with sync takes 1 s on an SSD; a slow disk is no error

_PROBE = """
import os, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
os.mkdir(os.path.join(sys.argv[3], "probe"))
"""


class PostgresCannotStart(AppError):
    """The embedded PostgreSQL cannot start on this machine."""

    code = "postgres_cannot_start"

    def __init__(self, reason: str, *, instead: str | None = None) -> None:
        instead = instead or "Set DATABASE_URL to a PostgreSQL 15 or newer."
        super().__init__(
            f"The embedded PostgreSQL cannot start: {reason.rstrip('. ')}. {instead}"
        )


class PostgresIsRunning(PostgresCannotStart):
    """A server works on this folder already; ``pid`` is its postmaster, if known."""

    code = "postgres_is_running"

    def __init__(self, folder: Path, pid: int | None) -> None:
        who = "another process" if pid is None else f"a server with the pid {pid}"
        super().__init__(
            f"{who} uses {folder}", instead="Stop it first, or choose another home."
        )
        self.pid = pid


@dataclass(frozen=True)
class Account:
    """An account of this machine.

    ``switch`` is true if we are root and must change to it; else it is our own.
    """

    name: str
    uid: int
    gid: int
    switch: bool

    def run(
        self, command: Sequence[str], *, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a short command as this account; its output is kept, as text.

        Raises:
            OSError: the account cannot reach or run the program.
            subprocess.TimeoutExpired: it took more than two minutes.
        """
        return subprocess.run(  # noqa: S603 - a list, never a shell
            command,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TOOL_SECONDS,
            check=False,
            cwd="/",  # our own may be a folder that the account cannot read
            env=SERVER_ENVIRONMENT,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def can_live_in(self, folder: Path) -> bool:
        """Say if a folder inside ``folder`` can be given to this account.

        Tried for real: permission bits alone do not tell of access lists, of network
        file systems that ignore root, or of bind mounts that ignore ``chown``.
        """
        if not self.switch:
            return True
        with tempfile.TemporaryDirectory(prefix=".probe-", dir=folder) as probe:
            try:
                self.own(probe)
            except OSError:
                return False
            # Our interpreter itself may be out of the account's reach (a Python under
            # /root), so it starts as root and changes the account afterwards.
            words = [str(self.uid), str(self.gid), probe]
            done = subprocess.run(  # noqa: S603 - fixed program
                [sys.executable, "-I", "-S", "-c", _PROBE, *words],
                check=False,
                stderr=subprocess.DEVNULL,
            )
        return done.returncode == 0

    def own(self, path: str | Path) -> None:
        """Give a file or folder of ours to this account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)


def server_account(data_folder: Path) -> Account:
    """Return the account for a server on ``data_folder``, which may not exist yet.

    A plain user runs the server himself. PostgreSQL refuses to run as root; there it
    is the owner of the existing data, and an unprivileged account for new data.

    Raises:
        PostgresCannotStart: there is no such account.
    """
    uid = os.geteuid()
    if uid != 0:
        return _account(uid, switch=False)
    owner = data_folder.stat().st_uid if data_folder.exists() else 0
    if owner != 0:
        return _account(owner, switch=True)
    try:
        return _account(pwd.getpwnam(UNPRIVILEGED).pw_uid, switch=True)
    except KeyError:
        raise PostgresCannotStart(
            f"it refuses to run as root and there is no account {UNPRIVILEGED}"
        ) from None


def _account(uid: int, *, switch: bool) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise PostgresCannotStart(
            f"the user id {uid} has no entry in the machine's list of users"
        ) from None
    return Account(entry.pw_name, uid, entry.pw_gid, switch)


def reason_in(output: str) -> str:
    """Return the line of a PostgreSQL log that tells why it ended; may be empty.

    That is the first error: those after it are its consequences.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    marks = ("FATAL:", "PANIC:", "ERROR:", "error:")
    errors = [line for line in lines if any(mark in line for mark in marks)]
    line = errors[0] if errors else (lines or [""])[-1]
    return re.sub(r"^.* UTC \[\d+\] ", "", line)
