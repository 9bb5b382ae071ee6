"""Resumable sessions as seen from beside: how far is it, and stop.

The client that uploads speaks to the session itself; its URL is all it needs, so no
credentials are sent along. Source: Cloud Storage, "Resumable uploads", read 2026-11.
"""

import re
from http import HTTPStatus

import requests
from google.api_core.exceptions import from_http_status

from common.providers.storage.gcs.connection import RETRY, TIMEOUT

_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_DONE = (HTTPStatus.OK, HTTPStatus.CREATED)
_CANCELLED = 499  # "client closed request": what the service says to a DELETE


def safe_bytes(session: str) -> int | None:
    """Return how many bytes are safe; None if the session is over.

    Raises:
        GoogleAPICallError, RequestException: the storage cannot tell.
    """
    reply = _ask("PUT", session, {"Content-Range": "bytes */*", "Content-Length": "0"})
    if reply.status_code in _GONE:
        return None
    if reply.status_code in _DONE:
        return int(reply.json()["size"])
    if reply.status_code != HTTPStatus.PERMANENT_REDIRECT:
        raise _refusal(reply)
    found = re.fullmatch(r"bytes=0-(\d+)", reply.headers.get("Range", ""))
    return int(found[1]) + 1 if found else 0


def cancel(session: str) -> None:
    """Have the service forget a session and what it holds.

    Raises:
        GoogleAPICallError, RequestException: it could not be told.
    """
    reply = _ask("DELETE", session, {"Content-Length": "0"})
    if reply.status_code not in (_CANCELLED, HTTPStatus.NO_CONTENT, *_GONE, *_DONE):
        raise _refusal(reply)


def _ask(method: str, session: str, headers: dict[str, str]) -> requests.Response:
    def once() -> requests.Response:
        reply = requests.request(
            method, session, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
        if reply.status_code == HTTPStatus.TOO_MANY_REQUESTS or (
            reply.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            raise _refusal(reply)
        return reply

    answer: requests.Response = RETRY(once)()
    return answer


def _refusal(reply: requests.Response) -> Exception:
    failure: Exception = from_http_status(  # type: ignore[no-untyped-call]
        reply.status_code, "upload session"
    )
    return failure
