"""Every process of a Pegasus that is to be broken, and the means to break it.

It runs as on Google Cloud: Cloud Tasks rings, with tokens that Google signs; objects
are in Cloud Storage; there are several workers behind one address, and one alone.
"""

import http.client
import json
import os
import signal
import sys
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, text

from common import db as database
from common import migrations
from common.local.postgres import EmbeddedPostgres, Server, free_port
from common.local.processes import Service
from tests.e2e.machine import clean_environment, wait_for
from tests.loopback.gcs_faults import Fault as StorageFault
from tests.loopback.gcs_server import BUCKET, GcsServer
from tests.loopback.gcs_store import Refused
from tests.loopback.openai_server import KEY
from tests.storm import google
from tests.storm.notes import Notes

LEASE_SECONDS = 3
WORKERS = {"w1": 0, "w2": 3600, "w3": -3600}  # and how wrong their clocks are
SOLO = "solo"
_HOST = "127.0.0.1"
_PREFIX = "pegasus"  # of our objects
_GUNICORN = [sys.executable, "-m", "gunicorn", "-c"]
_WORKER = [*_GUNICORN, "python:tests.storm.worker_conf", "tests.storm.worker_wsgi:app"]
_API = [*_GUNICORN, "python:api_service.gunicorn_conf", "api_service.wsgi:app"]
_HURRY_SECONDS = 5  # a call that hangs longer than this is given up


@dataclass
class Machine:
    """Processes and their means; what they write is below ``home``."""

    home: Path
    seed: int
    storage: GcsServer
    provider_url: str
    port: int = field(default_factory=free_port)
    worker_port: int = field(default_factory=free_port)
    solo_port: int = field(default_factory=free_port)
    tasks_port: int = field(default_factory=free_port)
    control_port: int = field(default_factory=free_port)
    certs_port: int = field(default_factory=free_port)
    services: dict[str, Service] = field(default_factory=dict)
    _files: ExitStack = field(default_factory=ExitStack)

    @property
    def notes(self) -> Notes:
        return Notes(self.home / "notes")

    @property
    def log_folder(self) -> Path:
        return self.home / "logs"

    @property
    def worker_url(self) -> str:
        return _url(self.worker_port)

    # Beginning and end

    def start(self) -> None:
        self.notes.folder.mkdir()
        self.log_folder.mkdir()
        self.database = self._start_database(None)
        migrations.upgrade(self.database.url)
        for name, clock in WORKERS.items():
            self._add(name, _WORKER, self._as_worker(name, self.worker_port, clock))
        self._add(SOLO, _WORKER, self._as_worker(SOLO, self.solo_port, 0))
        self._add("google", self._google(), self._environment)
        self._add("api", _API, self._environment | {"PORT": str(self.port)})
        for service in self.services.values():
            service.start()
        ports = (self.port, self.worker_port, self.solo_port)
        wait_for(lambda: all(_is_healthy(port) for port in ports))
        wait_for(self._google_is_there)

    def stop(self) -> None:
        for service in self.services.values():
            service.kill()
        if "database" in vars(self):
            self.database.stop()
        self._files.close()

    def revive(self) -> list[str]:
        """Start what has ended anew; return the names. From the main thread only."""
        ended = [one for one in self.services.values() if one.ended]
        for service in ended:
            service.kill()  # what it left behind would hold its port
            service.start()
        return [service.name for service in ended]

    # Means

    def kill(self, name: str) -> None:
        self.services[name].kill()

    def ask_to_stop(self, name: str) -> None:
        self.services[name].ask_to_stop()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a service and its children, if it is there."""
        service = self.services[name]
        if service.pid is not None and not service.ended:
            os.killpg(service.pid, number)

    def crash_database(self) -> float:
        """End the database as an immediate shutdown does; return its pause in s."""
        began = time.monotonic()
        os.kill(self.database.pid, signal.SIGQUIT)
        wait_for(lambda: self.database.ended)
        self.database.stop()
        self.database = self._start_database(self.database.port)
        return time.monotonic() - began

    def break_queue(self, **faults: float | bool | str) -> None:
        """Have Cloud Tasks misbehave; see ``cloud_tasks_faults``."""
        status, _ = self._ask_google("POST", json.dumps(faults))
        assert status == 200, faults

    def break_storage(self, fault: StorageFault) -> None:
        """Have Cloud Storage misbehave until it is mended."""
        self.storage.faults.add(replace(fault))

    def mend_storage(self) -> None:
        self.storage.faults.clear()

    # What there is to see

    def rows(self, sql: str, **values: object) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(sql), values))

    def change(self, sql: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(sql))

    def stored(self, key: str) -> bytes | None:
        """Return an object's bytes; None if it is not there."""
        try:
            found = self.storage.store.get(BUCKET, f"{_PREFIX}/{key}")
            return found.path.read_bytes()
        except (Refused, FileNotFoundError):  # the sweep may be at it
            return None

    def deadlocks(self) -> int:
        """Return how often the database had to end one."""
        logs = (self.home / "postgres").glob("server.log*")
        return sum(log.read_text().count("deadlock detected") for log in logs)

    def logged(self, name: str) -> str:
        return (self.log_folder / f"{name}.log").read_text("utf-8", "replace")

    def _google_is_there(self) -> bool:
        try:
            return self._ask_google("GET", None)[0] == 200
        except OSError:
            return False

    def _ask_google(self, method: str, body: str | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(
            _HOST, self.control_port, timeout=_HURRY_SECONDS
        )
        with closing(connection):
            connection.request(method, "/state" if body is None else "/faults", body)
            reply = connection.getresponse()
            return reply.status, reply.read()

    @cached_property
    def _engine(self) -> Any:
        return database.engine(self.database.url, poolclass=NullPool)

    @cached_property
    def _environment(self) -> dict[str, str]:
        ours = {
            "DATABASE_URL": self.database.url,
            "PEGASUS_PUBLIC_URL": _url(self.port),
            "PEGASUS_LEASE_SECONDS": str(LEASE_SECONDS),
            "PEGASUS_WORKER_THREADS": "16",
            "PLC_INGEST_TRANSCRIBE_PROVIDER": "openai",
            "PLC_INGEST_TRANSCRIBE_MODEL": "whisper-1",
            "PLC_LLM_PROVIDER": "openai",
            "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": "1000000",
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": self.provider_url,
            "STORAGE_MODE": "gcs",
            "STORAGE_EMULATOR_HOST": self.storage.url,
            "GCS_BUCKET": BUCKET,
            "GCS_PREFIX": _PREFIX,
        }
        clean: dict[str, str] = clean_environment()
        return clean | ours | self._as_in_the_cloud()

    def _as_in_the_cloud(self) -> dict[str, str]:
        return {
            "GOOGLE_CLOUD_PROJECT": google.PROJECT,
            "PEGASUS_QUEUE": "cloud_tasks",
            "PEGASUS_TASKS_ENDPOINT": f"{_HOST}:{self.tasks_port}",
            "PEGASUS_TASKS_LOCATION": google.LOCATION,
            "PEGASUS_TASKS_QUEUE_PREFIX": google.PREFIX,
            "PEGASUS_WORKER_URL": self.worker_url,
            "PEGASUS_SOLO_WORKER_URL": _url(self.solo_port),
            "PEGASUS_WORKER_AUDIENCE": self.worker_url,
            "PEGASUS_IDENTITY": "google",
            "PEGASUS_OIDC_CERTS_URL": f"{_url(self.certs_port)}/certs",
            "PEGASUS_TASKS_SERVICE_ACCOUNT": google.TASKS,
            "PEGASUS_SCHEDULER_SERVICE_ACCOUNT": google.SCHEDULER,
            "PEGASUS_EVENTS_SERVICE_ACCOUNT": google.EVENTS,
        }

    def _as_worker(self, name: str, port: int, clock: int) -> dict[str, str]:
        return self._environment | {
            "PORT": str(port),
            "STORM_FOLDER": str(self.notes.folder),
            "STORM_WORKER": name,
            "STORM_CLOCK_SECONDS": str(clock),
        }

    def _google(self) -> list[str]:
        ports = (self.tasks_port, self.control_port, self.certs_port)
        numbers = [str(port) for port in ports]
        module = [sys.executable, "-m", "tests.storm.google"]
        return [*module, *numbers, self.worker_url, f"--seed={self.seed}"]

    def _add(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        log = self._files.enter_context((self.log_folder / f"{name}.log").open("ab"))
        self.services[name] = Service(name, command, environment, log)

    def _start_database(self, port: int | None) -> Server:
        postgres = EmbeddedPostgres(choose_port=lambda: port or free_port())
        return postgres.start(self.home, durable=True)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_HOST, port, timeout=2)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False


def _url(port: int) -> str:
    return f"http://{_HOST}:{port}"
