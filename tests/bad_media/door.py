"""A client that brings files to the two front doors, and tells what it was told."""

import http.client
import json
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bad_media.bad import Bad

PATIENCE_SECONDS = 60  # a file is given up on after 20; the machine may be busy
_BOUNDARY = "b0undary"


@dataclass(frozen=True)
class Told:
    """The last answer; ``document`` is None if it was no JSON."""

    status: int
    document: Any
    text: str
    seconds: float

    @property
    def code(self) -> str:
        """The code in our error document; blank if it is none."""
        try:
            error = self.document["error"]
            said = self.document["detail"] and self.document["message"]
            return error["code"] if said and error["message"] else ""
        except (KeyError, TypeError):
            return ""


@dataclass(frozen=True)
class Door:
    """The API at ``url``, by one of its ways in."""

    url: str
    way: Callable[["Door", Bad, Path, str], Told]

    def bring(self, bad: Bad, place: Path, lecture_id: str) -> Told:
        """Bring a file as the recording of a lecture of its own."""
        began = time.monotonic()
        told = self.way(self, bad, place, lecture_id)
        seconds = time.monotonic() - began
        return Told(told.status, told.document, told.text, seconds)

    def ask(self, method: str, path: str, body: bytes, **headers: str) -> Told:
        address = urlsplit(self.url)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=PATIENCE_SECONDS
        )
        with closing(connection):
            # It may refuse an upload half way; its answer says why.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, named)
            reply = connection.getresponse()
            text = reply.read().decode("utf-8", "replace")
        with suppress(ValueError):
            return Told(reply.status, json.loads(text), text, 0.0)
        return Told(reply.status, None, text, 0.0)


def ingest(door: Door, bad: Bad, place: Path, lecture_id: str) -> Told:
    """Send a form, as a browser does."""
    parts = [
        _part(f'name="{name}"', value.encode())
        for name, value in _wishes(lecture_id).items()
    ]
    name = bad.name.replace("\\", "\\\\").replace('"', '\\"')
    about = f'name="audio"; filename="{name}"\r\nContent-Type: {bad.said_type}'
    parts.append(_part(about, place.read_bytes()))
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    return door.ask("POST", "/lectures/ingest", body, Content_Type=kind)


def upload(door: Door, bad: Bad, place: Path, lecture_id: str) -> Told:
    """Announce the file, send it, and say that it is complete."""
    content = place.read_bytes()
    announced = {
        "filename": bad.name,
        "contentType": bad.said_type,
        "sizeBytes": len(content),
        "lecture": _wishes(lecture_id),
    }
    opened = door.ask(
        "POST",
        "/uploads",
        json.dumps(announced).encode(),
        Content_Type="application/json",
    )
    if opened.status != 201:
        return opened
    parts = urlsplit(opened.document["uploadUrl"])
    sent = door.ask("PUT", f"{parts.path}?{parts.query}", content)
    if sent.status != 200:
        return sent
    return door.ask("POST", f"/uploads/{opened.document['uploadId']}/complete", b"")


def _wishes(lecture_id: str) -> dict[str, str]:
    return {
        "course_id": "bad",
        "lecture_id": lecture_id,
        "preset_id": "exam-mode",
        "title": "A bad file",
    }


def _part(about: str, content: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {about}\r\n\r\n"
    return head.encode(errors="surrogatepass") + content + b"\r\n"
