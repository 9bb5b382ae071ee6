"""Each queue with a worker behind it, and the means to break it."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import SecretStr

from common.ids import new_id
from common.jobs import Task
from common.local.postgres import free_port
from common.providers import internal_calls
from common.providers.identity import Identity
from common.providers.identity.google import GoogleIdentity
from common.providers.identity.secret import SharedSecret
from common.providers.queue import Queue
from common.providers.queue.cloud_tasks import CloudTasksQueue
from common.providers.queue.inline import InlineQueue
from common.providers.queue.local import LocalQueue
from common.settings import Settings
from tests.common.job_steps import until
from tests.conftest import SECRET
from tests.loopback.cloud_tasks_server import cloud_tasks_server
from tests.loopback.cloud_tasks_service import CloudTasks, Limits
from tests.loopback.google_project import QUEUES, known_to, queued_in
from tests.loopback.google_signer import GoogleSigner
from tests.loopback.ringing_worker import Ring, RingingWorker, ringing_worker

KEY = SecretStr(SECRET)
CLASSES = ("media", "speech", "llm", "solo")


@dataclass(frozen=True)
class Line:
    """A queue from its sender to its worker.

    Args:
        queue: the sender's end.
        worker: the other one.
        identity: with which the worker checks who rings.
        break_it: whether it is to take tasks no more.
        solo: the name of the solo lane's queue.
        address: of the local one.
    """

    queue: Queue
    worker: RingingWorker
    identity: Identity
    break_it: Callable[[bool], object]
    solo: str = ""
    address: str = ""

    def rings_for(self, job_id: UUID) -> list[Ring]:
        path = f"/tasks/{job_id}"
        return [ring for ring in list(self.worker.rings) if ring.path == path]

    def ring_for(self, job_id: UUID) -> Ring:
        until(lambda: self.rings_for(job_id))
        return self.rings_for(job_id)[0]


def task(
    seconds: float = 0.0,
    job_id: UUID | None = None,
    seq: int = 1,
    queue: str = "media",
    lane: str = "main",
    traceparent: str | None = None,
) -> Task:
    """Return a task that is due in so many seconds."""
    not_before = datetime.now(UTC) + timedelta(seconds=seconds)
    return Task(job_id or new_id(), seq, queue, lane, not_before, traceparent)


@contextmanager
def inline_line() -> Iterator[Line]:
    with ringing_worker() as worker:
        yield Line(
            InlineQueue(worker.url, KEY),
            worker,
            SharedSecret(KEY, audience=worker.url),
            lambda broken: setattr(worker, "answer", lambda _: 503 if broken else 200),
        )


@contextmanager
def local_line() -> Iterator[Line]:
    """The task queue as a process of its own, with the fault switches."""
    url = f"http://127.0.0.1:{free_port()}"
    with ringing_worker() as worker:
        env = os.environ | {
            "PEGASUS_WORKER_URL": worker.url,
            "PEGASUS_QUEUE_URL": url,
            "PEGASUS_INTERNAL_SECRET": SECRET,
            "PEGASUS_QUEUE_FAULTS": "1",
            "PEGASUS_SWEEP_SECONDS": "3600",
        }
        command = [sys.executable, "-m", "common.local.task_queue_server"]
        port = url.rpartition(":")[2]
        process = subprocess.Popen([*command, port], env=env)  # noqa: S603 - our own
        try:
            until(lambda: worker.rings, 30)
            until(lambda: call(url, "/check") == 200)
            yield Line(
                LocalQueue(url, KEY),
                worker,
                SharedSecret(KEY, audience=worker.url),
                lambda broken: call(url, "/faults", {"outage": broken}),
                "media-solo",
                url,
            )
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def cloud_tasks_line(
    settings: Settings, signer: GoogleSigner, tasks: CloudTasks
) -> Iterator[Line]:
    with ringing_worker() as worker:
        url = {"worker_url": worker.url}
        yield Line(
            CloudTasksQueue.from_settings(queued_in(tasks, settings, **url)),
            worker,
            GoogleIdentity.from_settings(known_to(signer, settings, **url)),
            lambda broken: tasks.break_things({"outage": broken}),
            "pegasus-solo",
        )


@contextmanager
def cloud_tasks() -> Iterator[tuple[GoogleSigner, CloudTasks]]:
    """A Cloud Tasks with our queues in it, which tries again soon."""
    with GoogleSigner() as signer, cloud_tasks_server(signer) as tasks:
        for name in CLASSES:
            limits = Limits(min_backoff=0.05, max_backoff=0.2, doublings=2)
            tasks.add_queue(f"{QUEUES}-{name}", limits)
        yield signer, tasks


def call(
    url: str,
    path: str,
    document: object = None,
    caller: str | None = internal_calls.SERVICES,
    body: str | None = None,
) -> int:
    """POST to the local task queue as one of our services does."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=10
    )
    headers = {}
    if caller:
        token = internal_calls.sign(KEY, audience=url, caller=caller)
        headers["Authorization"] = f"Bearer {token}"
    try:
        content = body if body is not None else json.dumps(document or {})
        connection.request("POST", path, content, headers)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
