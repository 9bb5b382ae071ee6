"""Everything that runs on one machine: database, task queue, worker, API.

Each is a process of its own, as it would be in the cloud. They are started in order,
started anew when they die, and stopped together; if this process is killed, they stop
by themselves.
"""

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.error import URLError
from urllib.request import urlopen

from common import migrations
from common.errors import AppError
from common.local.postgres import EmbeddedPostgres, free_port
from common.local.processes import end_with_parent

_READY_SECONDS = 60  # a first start compiles every module
_STOP_SECONDS = 15  # gunicorn's graceful 8 and some more
_LOOK_SECONDS = 0.1
_RESTART_PAUSE_SECONDS = 1.0


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
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Service:
    """One process, and how to start it again."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: IO[bytes] | None
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start the process."""
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            self.command,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            preexec_fn=end_with_parent(os.getpid(), signal.SIGTERM),  # noqa: PLW1509
            start_new_session=True,  # Ctrl-C is ours to pass on, in the right order
        )

    def stop(self) -> None:
        """Stop the process, gently first."""
        if self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Stack:
    """A running Pegasus; leaving the ``with`` block stops all of it."""

    def __init__(
        self,
        place: Place,
        *,
        environment: Mapping[str, str] = os.environ,
        log_folder: Path | None = None,
    ) -> None:
        self.place = place
        self._environment = dict(environment)
        self._log_folder = log_folder
        self._services: dict[str, Service] = {}
        self._stopping = threading.Event()
        self._exit = ExitStack()

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

    def stop(self) -> None:
        """Stop everything, the database last."""
        self._stopping.set()
        for service in reversed(self._services.values()):
            service.stop()
        self._exit.close()

    def service(self, name: str) -> Service:
        """Return a part: ``queue``, ``worker`` or ``api``."""
        return self._services[name]

    def watch(self) -> None:
        """Start what dies anew, until the stack is stopped."""
        while not self._stopping.wait(_RESTART_PAUSE_SECONDS):
            for service in self._services.values():
                if service.process.poll() is not None and not self._stopping.is_set():
                    print(f"{service.name} ended; starting it again", file=sys.stderr)
                    service.start()

    def _start(self) -> None:
        self.place.home.mkdir(parents=True, exist_ok=True)
        environment = self._complete_environment()
        migrations.upgrade(environment["DATABASE_URL"])
        for name, command, port in self._commands():
            service = Service(
                name, command, environment | {"PORT": str(port)}, self._log(name)
            )
            self._services[name] = service
            service.start()
        self._wait_until_ready()

    def _complete_environment(self) -> dict[str, str]:
        place = self.place
        ours = {
            "PEGASUS_WORKER_URL": f"http://127.0.0.1:{place.worker_port}",
            "PEGASUS_QUEUE_URL": f"http://127.0.0.1:{place.queue_port}",
            "PEGASUS_INTERNAL_SECRET": secrets.token_hex(32),
        }
        defaults = {
            "PEGASUS_PUBLIC_URL": place.url,
            "PLC_STORAGE_DIR": str(place.home / "storage"),
            "PEGASUS_QUEUE_CONCURRENCY": str(max(2, os.cpu_count() or 2)),
        }
        environment = defaults | self._environment | ours
        if not environment.get("DATABASE_URL"):
            server = EmbeddedPostgres().start(place.home / "postgres")
            environment["DATABASE_URL"] = self._exit.enter_context(server).url
        return environment

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
        return self._exit.enter_context(log)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        worker = f"http://127.0.0.1:{self.place.worker_port}/health"
        while not (_answers(worker) and _answers(f"{self.place.url}/health/ready")):
            self._require_alive()
            if time.monotonic() > deadline:
                raise StackCannotStart(f"Not ready after {_READY_SECONDS} s.")
            time.sleep(_LOOK_SECONDS)

    def _require_alive(self) -> None:
        for service in self._services.values():
            if service.process.poll() is not None:
                where = self._log_folder and f" See {self._log_folder}."
                raise StackCannotStart(
                    f"The {service.name} ended at its start.{where or ''}"
                )


def place_from(environment: Mapping[str, str]) -> Place:
    """Return the place that the environment names; the queue takes any free port."""
    return Place(
        home=Path(environment.get("PEGASUS_HOME") or ".pegasus").resolve(),
        port=int(environment.get("PORT") or 8080),
        worker_port=int(environment.get("WORKER_PORT") or 8081),
        queue_port=free_port(),
    )


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as reply:  # noqa: S310 - our own address
            return bool(reply.status == HTTPStatus.OK)
    except (URLError, OSError):
        return False
