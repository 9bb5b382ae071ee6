"""Pegasus, as a helper sees it: tasks are claimed, and what was found is sent."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

_MORE_SECONDS = 10  # than the server may wait; then it is not going to answer
_RESULT_SECONDS = 60  # a transcript of some MiB over a slow line
_MOST_BYTES = 1024 * 1024  # of an answer; a task has 300


class Away(Exception):
    """The server cannot be reached, or asks for patience; try again."""

    def __init__(self, reason: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Refused(Exception):
    """The server understood, and will not take this; do not try again."""


class BadToken(Refused):
    """The server does not know the token; an operator must act."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be fetched, in two minutes at most."""

    id: int
    video_id: str
    claim: str | None


@dataclass(frozen=True, slots=True)
class Server:
    """One Pegasus. ``url`` is its address up to and with ``/v2``."""

    url: str
    token: str

    def __post_init__(self) -> None:
        """Refuse an address that would send the token to who knows where."""
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise ValueError("The address must begin with https:// or http://.")

    def claim(self, kind: str, seconds: int) -> Task | None:
        """Return a task of this kind; None if none came within the time.

        Raises:
            Away: or Refused.
        """
        query = urlencode({"type": kind, "timeout": seconds})
        answer = self._ask(f"/internal/tasks?{query}", None, seconds + _MORE_SECONDS)
        if answer is None:
            return None
        try:
            video_id = str(answer["task_details"]["video_id"])
            return Task(int(answer["task_id"]), video_id, answer.get("claim"))
        except (KeyError, TypeError, ValueError) as exc:
            raise Away(f"The answer is no task: {exc!r}") from exc

    def submit(self, task: Task, result: dict[str, Any]) -> str:
        """Send what was found; return what has become of the task.

        Raises:
            Away: or Refused.
        """
        body = {"video_id": task.video_id, **result}
        if task.claim is not None:
            body["claim"] = task.claim
        path = f"/internal/tasks/{task.id}/result"
        answer = self._ask(path, body, _RESULT_SECONDS) or {}
        return str(answer.get("status"))

    def _ask(
        self, path: str, body: dict[str, Any] | None, seconds: float
    ) -> dict[str, Any] | None:
        request = Request(  # noqa: S310 - the scheme was looked at
            self.url.rstrip("/") + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "User-Agent": "pegasus-youtube-helper",
            },
        )
        try:
            with urlopen(request, timeout=seconds) as reply:  # noqa: S310 - as above
                raw = reply.read(_MOST_BYTES)
        except HTTPError as exc:
            raise _failure(exc) from exc
        except (OSError, HTTPException) as exc:
            raise Away(f"{type(exc).__name__}: {exc}") from exc
        return _document(raw) if raw else None


def _document(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError as exc:
        raise Away("The answer is not JSON.") from exc
    if not isinstance(found, dict):
        raise Away("The answer is no object.")
    return found


def _failure(error: HTTPError) -> Away | Refused:
    with error:
        text = error.read(2000).decode("utf-8", "replace")
    said = f"HTTP {error.code}: {text[:200]}"
    if error.code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return BadToken(said)
    busy = error.code in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
    if busy or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = error.headers.get("Retry-After", "")
        return Away(said, float(wait) if wait.isdecimal() else 0.0)
    return Refused(said)
