"""Tasks go to the task queue of this machine (``common.local.task_queue``)."""

from datetime import UTC
from http import HTTPStatus

from pydantic import SecretStr

from common.errors import ProviderUnavailable
from common.jobs import Task
from common.providers import internal_calls

_TIMEOUT_SECONDS = 2  # a client waits for this; the outbox does the rest
_TAKEN = {HTTPStatus.OK, HTTPStatus.CONFLICT}  # conflict: it has this very task


class LocalQueue:
    """Client of the local task queue."""

    def __init__(self, url: str, secret: SecretStr) -> None:
        self._url = url.rstrip("/")
        self._secret = secret

    def send(self, task: Task) -> None:  # noqa: D102
        document = {
            "name": task.name,
            "queue": task.queue,
            "lane": task.lane,
            "path": f"/tasks/{task.job_id}",
            "body": {"seq": task.dispatch_seq},
            "not_before": task.not_before.astimezone(UTC).isoformat(),
            "traceparent": task.traceparent,
        }
        if (status := self._post("/tasks", document)) not in _TAKEN:
            raise ProviderUnavailable(f"The task queue answered {status}.")

    def check(self) -> None:  # noqa: D102
        if (status := self._post("/check", {})) != HTTPStatus.OK:
            raise ProviderUnavailable(f"The task queue answered {status}.")

    def _post(self, path: str, document: object) -> int:
        token = internal_calls.sign(
            self._secret, audience=self._url, caller=internal_calls.SERVICES
        )
        try:
            return internal_calls.post(
                self._url + path,
                document,
                token=token,
                timeout_seconds=_TIMEOUT_SECONDS,
            )
        except OSError as exc:
            raise ProviderUnavailable(
                f"The task queue cannot be reached: {exc}."
            ) from exc
