"""A Pegasus as it runs on Google Cloud: every service a process, all else Google's."""

import http.client
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from sqlalchemy import NullPool, text

from common import db as database
from common import migrations
from common.local.postgres import EmbeddedPostgres, Server, free_port
from common.local.processes import Service
from tests.e2e.google_cloud import GoogleCloud
from tests.e2e.machine import clean_environment, wait_for

WRITE_TOKEN = "write-token-of-the-cloud-test"

_HOST = "127.0.0.1"
_GUNICORN = [sys.executable, "-m", "gunicorn", "-c"]
_API = [*_GUNICORN, "python:api_service.gunicorn_conf", "api_service.wsgi:app"]
_WORKER = [*_GUNICORN, "python:worker_service.gunicorn_conf", "worker_service.wsgi:app"]
_STOP_SECONDS = 11  # gunicorn's graceful 8 and some more
_HEALTH_SECONDS = 2
_LIVE = "select count(*) from jobs where state in ('queued', 'running', 'waiting')"


@dataclass
class Cloud:
    """An API, two workers behind one address and one alone, while it is entered."""

    home: Path
    google: GoogleCloud
    changes: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    worker_port: int = field(default_factory=free_port)
    solo_port: int = field(default_factory=free_port)
    services: dict[str, Service] = field(default_factory=dict)
    _files: ExitStack = field(default_factory=ExitStack)
    _database: Server | None = None

    @property
    def url(self) -> str:
        return f"http://{_HOST}:{self.port}"

    @property
    def worker_url(self) -> str:
        return f"http://{_HOST}:{self.worker_port}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        for service in self.services.values():
            service.ask_to_stop()
        for service in self.services.values():
            service.stop(_STOP_SECONDS)
        if self._database is not None:
            self._database.stop()
        self._files.close()

    def rows(self, sql: str, **values: object) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(sql), values))

    def logged(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text("utf-8", "replace")

    def sweep(self) -> None:
        self.google.sweep(self.worker_url)

    def rest(self) -> None:
        """Wait until there is nothing more to do."""
        wait_for(lambda: self.rows(_LIVE) == [(0,)])

    def _start(self) -> None:
        self._database = EmbeddedPostgres().start(self.home, durable=False)
        migrations.upgrade(self._database.url)
        self.google.set_up(self.worker_url)
        shared = {"GUNICORN_CMD_ARGS": "--reuse-port"}  # as a load balancer would
        self._add("worker-1", _WORKER, self.worker_port, shared)
        self._add("worker-2", _WORKER, self.worker_port, shared)
        self._add("solo", _WORKER, self.solo_port, {})
        self._add("api", _API, self.port, {})
        for service in self.services.values():
            service.start()
        ports = (self.port, self.worker_port, self.solo_port)
        wait_for(lambda: all(_is_healthy(port) for port in ports))

    def _add(
        self, name: str, command: list[str], port: int, changes: Mapping[str, str]
    ) -> None:
        log = self._files.enter_context((self.home / f"{name}.log").open("wb"))
        environment = self._environment | {"PORT": str(port), **changes}
        self.services[name] = Service(name, command, environment, log)

    @cached_property
    def _environment(self) -> dict[str, str]:
        assert self._database is not None
        ours = {
            "DATABASE_URL": self._database.url,
            "PEGASUS_PUBLIC_URL": self.url,
            "PEGASUS_WORKER_URL": self.worker_url,
            "PEGASUS_SOLO_WORKER_URL": f"http://{_HOST}:{self.solo_port}",
            "PEGASUS_WORKER_AUDIENCE": self.worker_url,
            "PLC_WRITE_API_TOKEN": WRITE_TOKEN,
            "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": "10000",
        }
        google = self.google.settings(self.home / "key.json")
        clean: dict[str, str] = clean_environment()
        return clean | ours | google | dict(self.changes)

    @cached_property
    def _engine(self) -> Any:
        assert self._database is not None
        return database.engine(self._database.url, poolclass=NullPool)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=_HEALTH_SECONDS)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False
