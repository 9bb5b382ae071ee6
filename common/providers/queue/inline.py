"""No queue: each task is done while its sender waits (``PLC_INLINE_JOBS``)."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from pydantic import SecretStr

from common.errors import ProviderUnavailable
from common.jobs import Task
from common.providers import internal_calls

_TIMEOUT_SECONDS = 1800  # the longest that one dispatch may take, as with Cloud Tasks
_CLOCK_TOLERANCE = timedelta(seconds=1)  # between the database's clock and ours


class InlineQueue:
    """Calls the worker as the queue would, and waits for its answer.

    A task that is not due yet is refused: the promise stays in the outbox, and the
    sweep sends it later.
    """

    def __init__(self, worker_url: str, secret: SecretStr) -> None:
        self._url = worker_url.rstrip("/")
        self._secret = secret

    def send(self, task: Task) -> None:  # noqa: D102
        if task.not_before > datetime.now(UTC) + _CLOCK_TOLERANCE:
            raise ProviderUnavailable("The task is not due yet.")
        headers = {"traceparent": task.traceparent} if task.traceparent else {}
        self._post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq}, headers)

    def check(self) -> None:
        """Do nothing: there is no queue that could be down."""

    def _post(self, path: str, document: object, headers: dict[str, str]) -> None:
        token = internal_calls.sign(
            self._secret, audience=self._url, caller=internal_calls.QUEUE
        )
        try:
            status = internal_calls.post(
                self._url + path,
                document,
                token=token,
                timeout_seconds=_TIMEOUT_SECONDS,
                headers=headers,
            )
        except OSError as exc:
            raise ProviderUnavailable(f"The worker cannot be reached: {exc}.") from exc
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ProviderUnavailable(f"The worker answered {status}.")
