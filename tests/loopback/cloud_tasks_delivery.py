"""How a task reaches the worker: one HTTP request with the headers of Cloud Tasks."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol
from urllib.parse import urlsplit

from google.cloud.tasks_v2 import types

from tests.loopback.cloud_tasks_line import Answer

_CLOSING_STEP_SECONDS = 0.1


class Signer(Protocol):
    """Signs the deliveries' tokens as Google does."""

    def token(self, *, email: str, audience: str) -> str: ...


class Deliveries:
    """The requests that are on their way."""

    def __init__(self, signer: Signer, deadline_seconds: float | None) -> None:
        """Begin with none. ``deadline_seconds`` stands in for the tasks' own."""
        self._signer = signer
        self._deadline_seconds = deadline_seconds
        self._open: set[http.client.HTTPConnection] = set()
        self._changed = threading.Condition()
        self._closed = False

    def deliver(self, queue: types.Queue, task: types.Task) -> Answer:
        """Call the worker and wait for its answer, at most until the deadline."""
        request = task.http_request
        address = urlsplit(request.url)
        seconds = self._deadline_seconds or task.dispatch_deadline.total_seconds()
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=seconds
        )
        path = f"{address.path or '/'}?{address.query}".rstrip("?")
        method = types.HttpMethod(request.http_method).name
        with self._kept(connection), suppress(OSError, http.client.HTTPException):
            if self._closed:
                return Answer(0)
            connection.request(method, path, request.body, self._headers(queue, task))
            reply = connection.getresponse()
            wait = reply.headers.get("Retry-After", "")
            return Answer(reply.status, float(wait) if wait.isdigit() else None)
        return Answer(0)

    def close(self) -> None:
        """Hang up on all workers."""
        with self._changed:
            self._closed = True
            while self._open:
                for connection in self._open:
                    with suppress(OSError, AttributeError):  # not connected yet
                        connection.sock.shutdown(socket.SHUT_RDWR)
                self._changed.wait(_CLOSING_STEP_SECONDS)

    @contextmanager
    def _kept(self, connection: http.client.HTTPConnection) -> Iterator[None]:
        with self._changed:
            self._open.add(connection)
        try:
            yield
        finally:
            connection.close()
            with self._changed:
                self._open.discard(connection)
                self._changed.notify_all()

    def _headers(self, queue: types.Queue, task: types.Task) -> dict[str, str]:
        request = task.http_request
        headers = {
            "User-Agent": "Google-Cloud-Tasks",
            "Content-Type": "application/octet-stream",
            **request.headers,
            "X-CloudTasks-QueueName": queue.name.rpartition("/")[2],
            "X-CloudTasks-TaskName": task.name.rpartition("/")[2],
            "X-CloudTasks-TaskRetryCount": str(task.dispatch_count - 1),
            "X-CloudTasks-TaskExecutionCount": str(task.response_count),
            "X-CloudTasks-TaskETA": f"{task.schedule_time.timestamp():.6f}",
        }
        if before := task.last_attempt.response_status.message:
            headers["X-CloudTasks-TaskPreviousResponse"] = before
        if email := request.oidc_token.service_account_email:
            audience = request.oidc_token.audience or request.url
            token = self._signer.token(email=email, audience=audience)
            headers["Authorization"] = f"Bearer {token}"
        return headers
