"""Everything that runs on one machine: database, task queue, worker, API.

Each is a process of its own, as it would be in the cloud. They are started in order,
started anew when they die, and stopped together; if this process is killed, they stop
by themselves.
"""

import http.client
import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from common import migrations
from common.errors import AppError
from common.local.postgres import (
    EmbeddedPostgres,
    PostgresIsRunning,
    Server,
    free_port,
)
from common.local.processes import Service
from common.local.secret_key import secret_key

_HOST = "127.0.0.1"
_READY_SECONDS = 60  # a first start compiles every module
_STOP_SECONDS = 11  # gunicorn's graceful 8 and some more
_LOOK_SECONDS = 0.1
_ANSWER_SECONDS = 2  # a health check takes milliseconds
_LINES_SHOWN = 5  # of the log of a service that cannot start
_LAST_PORT = 65_535


class StackCannotStart(AppError):
    """Pegasus cannot start on this machine."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stack lives: its data and its ports."""

    home: Path
    port: int
    worker_port: int
    queue_port: int

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://{_HOST}:{self.port}"


class Stack:
    """A running Pegasus; leaving the ``with`` block stops all of it.

    Args:
        place: its home and its ports.
        environment: settings of the services. Without DATABASE_URL a database is
            started in the home.
        log_folder: takes a log file of each service; else they write to our stderr.
        durable: false lets the database lose data in a power cut, for tests.

    Raises:
        AppError: on entering, with a reason for people; nothing is left running.
    """

    def __init__(
        self,
        place: Place,
        *,
        environment: Mapping[str, str] = os.environ,
        log_folder: Path | None = None,
        durable: bool = True,
    ) -> None:
        self.place = place
        self.database: Server | None = None
        self._environment = dict(environment)
        self._log_folder = log_folder
        self._durable = durable
        self._services: dict[str, Service] = {}
        self._logs = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def environment(self) -> Mapping[str, str]:
        """What the services were given, their database's address included."""
        return self._environment

    def service(self, name: str) -> Service:
        """Return a part: ``queue``, ``worker`` or ``api``."""
        return self._services[name]

    def revive(self) -> None:
        """Start what has ended anew. Call it now and then, from the main thread."""
        if self.database is not None and self.database.ended:
            print("The database ended; starting it again.", file=sys.stderr)
            self.database.stop()
            self.database = self._start_database(port=self.database.port)
        for service in self._services.values():
            if service.ended:
                print(f"The {service.name} ended; starting it again.", file=sys.stderr)
                service.kill()  # children that it left would hold its port
                service.start()

    def wait_until_ready(self) -> None:
        """Return when every part answers.

        Raises:
            StackCannotStart: one ended, or it takes too long.
        """
        deadline = time.monotonic() + _READY_SECONDS
        worker = f"http://{_HOST}:{self.place.worker_port}/health"
        while not (_answers(worker) and _answers(f"{self.place.url}/health/ready")):
            self._require_alive()
            if time.monotonic() > deadline:
                raise StackCannotStart(f"Not ready after {_READY_SECONDS} s.")
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """Stop everything, the database last."""
        newest_first = list(reversed(self._services.values()))
        for service in newest_first:
            service.ask_to_stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for service in newest_first:
            service.stop(deadline - time.monotonic())
        if self.database is not None:
            self.database.stop()
        self._logs.close()

    def _start(self) -> None:
        self.place.home.mkdir(parents=True, exist_ok=True)
        _require_free(self.place)
        self._complete_environment()
        _migrate(self._environment["DATABASE_URL"])
        for name, command, port in self._commands():
            environment = self._environment | {"PORT": str(port)}
            service = Service(name, command, environment, self._log(name))
            self._services[name] = service
            service.start()
        self.wait_until_ready()

    def _complete_environment(self) -> None:
        place = self.place
        ours = {
            "PEGASUS_WORKER_URL": f"http://{_HOST}:{place.worker_port}",
            "PEGASUS_QUEUE_URL": f"http://{_HOST}:{place.queue_port}",
            "PEGASUS_INTERNAL_SECRET": secrets.token_hex(32),
        }
        defaults = {
            "PEGASUS_PUBLIC_URL": place.url,
            "PLC_STORAGE_DIR": str(place.home / "storage"),
            "PEGASUS_QUEUE_CONCURRENCY": str(max(2, os.cpu_count() or 2)),
            "SECRET_KEY": secret_key(place.home),
        }
        self._environment = defaults | self._environment | ours
        if not self._environment.get("DATABASE_URL"):
            self.database = self._start_database()
            self._environment["DATABASE_URL"] = self.database.url

    def _start_database(self, port: int | None = None) -> Server:
        """Start the database; on the port that it had, if it was there before."""
        postgres = EmbeddedPostgres(choose_port=lambda: port or free_port())
        try:
            return postgres.start(self.place.home, durable=self._durable)
        except PostgresIsRunning as exc:
            who = f" (its database has the pid {exc.pid})" if exc.pid else ""
            raise StackCannotStart(
                f"Pegasus is already running in {self.place.home}{who}."
                " Stop it first, or set PEGASUS_HOME to another folder."
            ) from exc

    def _commands(self) -> list[tuple[str, list[str], int]]:
        gunicorn = [sys.executable, "-m", "gunicorn", "-c"]
        queue = [sys.executable, "-m", "common.local.task_queue_server"]
        place = self.place
        return [
            (
                "worker",
                [
                    *gunicorn,
                    "python:worker_service.gunicorn_conf",
                    "worker_service.wsgi:app",
                ],
                place.worker_port,
            ),
            ("queue", [*queue, str(place.queue_port)], place.queue_port),
            (
                "api",
                [*gunicorn, "python:api_service.gunicorn_conf", "api_service.wsgi:app"],
                place.port,
            ),
        ]

    def _log(self, name: str) -> IO[bytes] | None:
        if self._log_folder is None:
            return None
        self._log_folder.mkdir(parents=True, exist_ok=True)
        log = (self._log_folder / f"{name}.log").open("wb")
        return self._logs.enter_context(log)

    def _require_alive(self) -> None:
        for service in self._services.values():
            if service.ended:
                raise StackCannotStart(
                    f"The {service.name} cannot start.{self._last_words(service.name)}"
                )

    def _last_words(self, name: str) -> str:
        if self._log_folder is None:  # they are on the terminal already
            return ""
        log = self._log_folder / f"{name}.log"
        lines = log.read_text("utf-8", "replace").splitlines()[-_LINES_SHOWN:]
        return "\n".join([f" The end of {log}:", *lines])


def place_from(environment: Mapping[str, str]) -> Place:
    """Return the place that the environment names; the queue takes any free port.

    Raises:
        StackCannotStart: PORT or WORKER_PORT is not a port.
    """
    return Place(
        home=Path(environment.get("PEGASUS_HOME") or ".pegasus").resolve(),
        port=_port(environment, "PORT", 8080),
        worker_port=_port(environment, "WORKER_PORT", 8081),
        queue_port=free_port(),
    )


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if text.isdecimal() and 0 < int(text) <= _LAST_PORT:
        return int(text)
    raise StackCannotStart(f"{name} must be a port (1 to {_LAST_PORT}), not {text!r}.")


def _require_free(place: Place) -> None:
    """Refuse early: a stranger that answers on our port would pass for our own."""
    with ExitStack() as held:  # all at once, lest two be the same
        for name, port in (("PORT", place.port), ("WORKER_PORT", place.worker_port)):
            try:
                held.enter_context(socket.create_server((_HOST, port)))
            except OSError as exc:
                raise StackCannotStart(
                    f"Port {port} cannot be used ({os.strerror(exc.errno or 0)})."
                    f" Stop what uses it, or set {name} to another."
                ) from exc


def _migrate(url: str) -> None:
    try:
        migrations.upgrade(url)
    except SQLAlchemyError as exc:
        why = exc.orig if isinstance(exc, DBAPIError) else exc
        raise StackCannotStart(f"The database cannot be used: {why}") from exc


def _answers(url: str) -> bool:
    """Tell whether ``url`` gives 200. No proxy is asked: it could not know us."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=_ANSWER_SECONDS
    )
    with closing(connection):
        try:
            connection.request("GET", address.path)
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
