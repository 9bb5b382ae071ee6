"""The calls of Cloud Tasks that are needed, over the real client library."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import grpc
from google.api_core.exceptions import AlreadyExists, GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import (
    CloudTasksGrpcTransport,
)

from common.errors import ProviderUnavailable
from common.jobs import Task

_TIMEOUT_SECONDS = 2.0  # a client waits for this; the outbox does the rest
_DISPATCH_DEADLINE = timedelta(minutes=30)  # the longest allowed; 10 min otherwise
# The furthest allowed is 30 days from now, by Google's clock; the sweep does the rest.
_FURTHEST = timedelta(days=30) - timedelta(hours=1)
_CHANNEL = (
    ("grpc.max_reconnect_backoff_ms", 5_000),  # or up to 120 s after an outage
    ("grpc.keepalive_time_ms", 30_000),  # as often as Google's own libraries ask
    ("grpc.keepalive_timeout_ms", 5_000),  # or a dead connection fails for minutes
)


class Calls:
    """One connection to the service; threads share it."""

    def __init__(self, endpoint: str | None, *, caller: str, audience: str) -> None:
        """Connect as the environment's account, or to ``endpoint`` without TLS.

        Raises:
            ProviderUnavailable: there is no such account, or it cannot be had for now.
        """
        self._token = tasks_v2.OidcToken(
            service_account_email=caller, audience=audience
        )
        try:
            self._client = tasks_v2.CloudTasksClient(transport=_transport(endpoint))
        except GoogleAuthError as exc:
            raise _unavailable(exc) from exc

    def create(self, queue: str, task: Task, worker_url: str) -> None:
        """Make a task; one that is there already is as good."""
        wanted = self._task(queue, task, worker_url)
        _call(partial(self._client.create_task, parent=queue, task=wanted))

    def look(self, queue: str) -> None:
        """Do nothing if the queue is there."""
        _call(partial(self._client.get_queue, name=queue))

    def _task(self, queue: str, task: Task, worker_url: str) -> tasks_v2.Task:
        headers = {"Content-Type": "application/json"}
        if task.traceparent:
            headers["traceparent"] = task.traceparent
        made = tasks_v2.Task(
            name=f"{queue}/tasks/{task.name}",
            dispatch_deadline=_DISPATCH_DEADLINE,
            http_request=tasks_v2.HttpRequest(
                url=f"{worker_url}/tasks/{task.job_id}",
                http_method=tasks_v2.HttpMethod.POST,
                headers=headers,
                body=json.dumps({"seq": task.dispatch_seq}).encode(),
                oidc_token=self._token,
            ),
        )
        now = datetime.now(UTC)
        if task.not_before > now:
            made.schedule_time = min(task.not_before, now + _FURTHEST)
        return made


def _call(call: Callable[..., object]) -> None:
    """Call once: the outbox is the only one to try again."""
    try:
        call(retry=None, timeout=_TIMEOUT_SECONDS)
    except AlreadyExists:  # it has this very task; ABORTED is a Conflict, too
        return
    except (GoogleAPIError, GoogleAuthError) as exc:
        raise _unavailable(exc) from exc


def _transport(endpoint: str | None) -> CloudTasksGrpcTransport:
    if endpoint:
        channel = grpc.insecure_channel(endpoint, options=_CHANNEL)
        return CloudTasksGrpcTransport(channel=channel)
    return CloudTasksGrpcTransport(channel=_secure_channel)


def _secure_channel(host: str, *, options: Any = (), **rest: Any) -> grpc.Channel:  # noqa: ANN401 - as the library's own
    return CloudTasksGrpcTransport.create_channel(
        host, options=[*options, *_CHANNEL], **rest
    )


def _unavailable(exc: Exception) -> ProviderUnavailable:
    """Return what happened without the library's text: it can name accounts."""
    return ProviderUnavailable(f"Cloud Tasks: {type(exc).__name__}.")
