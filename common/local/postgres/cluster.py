"""The data folder of the embedded server: made once, in full or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path

from common.local.postgres.account import Account, PostgresCannotStart, reason_in
from common.local.postgres.folders import write_whole

ROLE = DATABASE = "pegasus"
PASSWORD = "password"  # noqa: S105 - the name of a file

# One door: our role, over loopback, with the password. The superuser cannot log in.
_ACCESS = f"host all {ROLE} 127.0.0.1/32 scram-sha-256\n"
_CREATE = f"""\
CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{{password}}'
CREATE DATABASE {DATABASE} OWNER {ROLE}
"""


def prepare_cluster(
    binaries: Path, place: Path, account: Account, *, durable: bool
) -> str:
    """Make ``place/data`` unless it is there; return the role's password.

    Safe to run again after it was interrupted anywhere.

    Raises:
        PostgresCannotStart: PostgreSQL's own words why not (disk full, ...).
    """
    _remove_half_made(place)
    if not (place / "data").exists():
        return _create(binaries, place, account, durable=durable)
    try:
        return (place / PASSWORD).read_text("ascii").strip()
    except FileNotFoundError:
        password = secrets.token_urlsafe(24)
        alter = f"ALTER ROLE {ROLE} PASSWORD '{password}'\n"
        _run_sql(binaries, place / "data", account, alter, durable=durable)
        write_whole(place / PASSWORD, password, mode=0o600, sync=durable)
        return password


def _create(binaries: Path, place: Path, account: Account, *, durable: bool) -> str:
    password = secrets.token_urlsafe(24)
    scratch = Path(tempfile.mkdtemp(prefix="data.new-", dir=place))
    try:
        account.own(scratch)
        _initdb(binaries, scratch, account, durable=durable)
        write_whole(scratch / "pg_hba.conf", _ACCESS, mode=0o644, sync=durable)
        sql = _CREATE.format(password=password)
        _run_sql(binaries, scratch, account, sql, durable=durable)
        write_whole(place / PASSWORD, password, mode=0o600, sync=durable)
        scratch.rename(place / "data")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return password


def _initdb(binaries: Path, data: Path, account: Account, *, durable: bool) -> None:
    """Fill ``data``.

    Letters and their order are Unicode's, built into the server: the same on every
    operating system, also on one that has no locale C.UTF-8.
    """
    command = [
        *(os.fspath(binaries / "initdb"), "-D", os.fspath(data), "-U", "postgres"),
        *("--auth=reject", "--encoding=UTF8", "--no-instructions", "--locale=C"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *([] if durable else ["--no-sync"]),
    ]
    done = account.run(command)
    if done.returncode != 0:
        raise PostgresCannotStart(reason_in(done.stderr) or "initdb failed")


def _run_sql(
    binaries: Path, data: Path, account: Account, sql: str, *, durable: bool
) -> None:
    """Run statements, one per line, as the superuser with no server and no port."""
    single = ["--single", "-c", "exit_on_error=on", "-c", "log_checkpoints=off"]
    single += [] if durable else ["-c", "fsync=off"]
    program = os.fspath(binaries / "postgres")
    command = [program, *single, "-D", os.fspath(data), "postgres"]
    done = account.run(command, stdin=sql)
    if done.returncode != 0:
        raise PostgresCannotStart(reason_in(done.stderr) or "the role was not made")


def _remove_half_made(place: Path) -> None:
    for scratch in place.glob("data.new-*"):
        shutil.rmtree(scratch, ignore_errors=True)
