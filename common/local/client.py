"""A client of the API with nothing but the standard library, for the demo."""

import http.client
import json
import mimetypes
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit
from uuid import uuid4

from common.errors import AppError

_TIMEOUT_SECONDS = 600  # a large file is looked into before the answer
_PIECE_BYTES = 1024 * 1024
_POLL_SECONDS = 0.3
_TERMINAL = {"completed", "failed"}


class RequestFailed(AppError):
    """The API refused a request, or did not answer."""


class ApiBroken(RequestFailed):
    """The API failed; only its log says why."""


class Client:
    """Talks to one Pegasus; ``token`` is its PLC_WRITE_API_TOKEN, if it has one."""

    def __init__(self, url: str, *, token: str = "") -> None:
        self._address = urlsplit(url)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever the route gives
        """Return the JSON that ``path`` gives."""
        return json.loads(self.download(path))

    def post(self, path: str, document: object) -> Any:  # noqa: ANN401
        """Send JSON and return the JSON of the answer."""
        headers = {"Content-Type": "application/json"}
        return json.loads(
            self._request("POST", path, json.dumps(document).encode(), headers)
        )

    def download(self, path: str) -> bytes:
        """Return the bytes that ``path`` gives."""
        return self._request("GET", path, None, {})

    def ingest(self, file: Path, fields: dict[str, str]) -> Any:  # noqa: ANN401
        """Upload a recording in pieces; it is never whole in memory."""
        boundary = uuid4().hex
        head = "".join(_part(boundary, name, value) for name, value in fields.items())
        head += _part(boundary, "audio", "", filename=file.name).removesuffix("\r\n")
        tail = f"\r\n--{boundary}--\r\n"
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(
                len(head.encode()) + file.stat().st_size + len(tail.encode())
            ),
        }
        with file.open("rb") as stream:
            body = _pieces(head.encode(), stream, tail.encode())
            return json.loads(self._request("POST", "/lectures/ingest", body, headers))

    def stages(self, lecture_id: str, stage: str) -> Iterator[dict[str, Any]]:
        """Yield a stage's state again and again until it has ended."""
        while True:
            progress = self.get(f"/lectures/{quote(lecture_id)}/progress")
            state: dict[str, Any] = progress["stages"][stage]
            yield state
            if state["status"] in _TERMINAL:
                return
            time.sleep(_POLL_SECONDS)

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None,
        headers: dict[str, str],
    ) -> bytes:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_TIMEOUT_SECONDS
        )
        with closing(connection):
            try:
                # It may refuse an upload half way; its answer says why.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, path, body, self._headers | headers)
                reply = connection.getresponse()
                answer = reply.read()
            except (OSError, http.client.HTTPException) as exc:
                raise RequestFailed(f"The API does not answer: {exc}.") from exc
        if reply.status >= http.client.INTERNAL_SERVER_ERROR:
            raise ApiBroken(_reason(reply.status, answer))
        if reply.status >= http.client.BAD_REQUEST:
            raise RequestFailed(_reason(reply.status, answer))
        return answer


def _part(boundary: str, name: str, value: str, *, filename: str | None = None) -> str:
    lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"']
    if filename is not None:
        kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        safe = filename.replace('"', "_").replace("\r", "_").replace("\n", "_")
        lines[1] += f'; filename="{safe}"'
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join([*lines, "", value, ""])


def _pieces(head: bytes, stream: BinaryIO, tail: bytes) -> Iterator[bytes]:
    yield head
    while piece := stream.read(_PIECE_BYTES):
        yield piece
    yield tail


def _reason(status: int, answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return f"The API answered {status}."
