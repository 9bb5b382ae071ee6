"""A Gemini on loopback: by API key and by Google Cloud, real HTTP, fails on order.

The answers that ``script`` holds are given first, in order; then the ordinary ones.
Those are written by ``study_writer`` from the transcript in the prompt, so their quotes
are real. As a process: ``python -m tests.loopback.gemini_server PORT``.
"""

import json
import re
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.loopback.study_writer import written

KEY = "gemini-loopback-0123456789abcdef"
TOKEN = "ya29.loopback-token"  # what ``/token`` gives to those with a key file
PROJECT = "loopback"

_MODEL = (
    r"(?P<model>[\w.-]+):(?:generateContent"
    r"|(?P<stream>streamGenerateContent)\?alt=sse)"
)
_BY_KEY = re.compile(rf"/v1(?:beta)?/models/{_MODEL}")
_BY_PROJECT = re.compile(
    rf"/v1(?:beta1)?/projects/(?P<project>[\w-]+)/locations/(?P<location>[\w-]+)"
    rf"/publishers/google/models/{_MODEL}"
)

# Source: ``response_json_schema`` of google-genai 3.4.0, read 2026-11-21.
_SCHEMA_KEYS = {
    *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description"),
    *("enum", "items", "prefixItems", "minItems", "maxItems", "minimum", "maximum"),
    *("anyOf", "oneOf", "properties", "additionalProperties", "required"),
    "propertyOrdering",
}


@dataclass(frozen=True)
class Answer:
    """What comes back. ``cut`` bytes of the body are sent, then the line is closed.

    ``drip_seconds`` passes before each byte of the body.
    """

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=UTF-8"
    cut: int | None = None
    stall: bool = False
    reset: bool = False
    drip_seconds: float | None = None

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; ``project`` is None with an API key."""

    path: str
    headers: dict[str, str]
    fields: dict[str, Any]
    model: str = ""
    project: str | None = None
    stream: bool = False

    @property
    def user(self) -> str:
        return "".join(p["text"] for c in self.fields["contents"] for p in c["parts"])

    @property
    def system(self) -> str:
        parts = self.fields["systemInstruction"]["parts"]
        return "".join(part["text"] for part in parts)

    @property
    def schema(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.fields["generationConfig"].get(
            "responseJsonSchema"
        )
        return found


def problem(
    status: int,
    message: str,
    word: str = "INVALID_ARGUMENT",
    *,
    details: tuple[dict[str, Any], ...] = (),
    **headers: str,
) -> Answer:
    """Return an error document in Google's form."""
    error = {"code": status, "message": message, "status": word}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"error": error | ({"details": list(details)} if details else {})}
    return Answer(body, status, named)


def exhausted(delay: str | None = None) -> Answer:
    """Return HTTP 429, which says how long to wait or does not."""
    told = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    quota = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}],
    }
    return problem(
        429,
        "You exceeded your current quota.",
        "RESOURCE_EXHAUSTED",
        details=(quota, told) if delay else (quota,),
    )


def said(document: Any, finish: str | None = "STOP", **usage: int) -> Answer:
    """Return an answer whose text is ``document``, as JSON unless it is a string."""
    text = document if isinstance(document, str) else json.dumps(document)
    half = len(text) // 2
    parts = [{"text": "So…", "thought": True}, {"text": text[:half]}]
    candidate: dict[str, Any] = {
        "content": {"parts": [*parts, {"text": text[half:]}], "role": "model"},
        "index": 0,
    }
    if finish is not None:
        candidate["finishReason"] = finish
    return Answer(
        {
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": 1000,
                "candidatesTokenCount": 150,
                "thoughtsTokenCount": 50,
                "totalTokenCount": 1200,
                "trafficType": "ON_DEMAND",
            }
            | usage,
            "modelVersion": "loopback",
            "responseId": "loopback-1",
        }
    )


def streamed(*pieces: str, finish: str | None = "STOP") -> Answer:
    """Return an answer piece by piece, after a thought; the last one counts."""
    parts = [{"text": "Hm…", "thought": True}, *({"text": piece} for piece in pieces)]
    events: list[dict[str, Any]] = [
        {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]}
        for part in parts
    ]
    used = {"promptTokenCount": 1000, "candidatesTokenCount": 150}
    last: dict[str, Any] = {"index": 0, "content": {"parts": [{"text": ""}]}}
    if finish is not None:
        events.append({"candidates": [last | {"finishReason": finish}]})
    events[-1]["usageMetadata"] = used | {"thoughtsTokenCount": 50}
    lines = [f"data: {json.dumps(event)}\r\n\r\n" for event in events]
    return Answer("".join(lines).encode(), content_type="text/event-stream")


def blocked(reason: str) -> Answer:
    """Return the answer to a prompt that is not let through: no candidates."""
    return Answer({"promptFeedback": {"blockReason": reason}})


class GeminiServer:
    """Serves ``generateContent``, and access tokens, while it is entered."""

    def __init__(self, port: int = 0) -> None:
        self.script: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self.chat: Callable[[Asked], Answer] = study
        self.talk: Callable[[Asked], Answer] = lambda _asked: streamed("Yes.")
        self.key = KEY
        self.closing = threading.Event()
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if path == "/token":
            token = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            return Answer(token)
        asked = _asked(path, headers, json.loads(body))
        if asked is None:
            return problem(404, "Requested entity was not found.", "NOT_FOUND")
        self.asked.append(asked)
        if self.script:
            return self.script.popleft()
        answer = self.talk if asked.stream else self.chat
        return self._refused(asked) or answer(asked)

    def _refused(self, asked: Asked) -> Answer | None:
        if asked.project is None and asked.headers.get("x-goog-api-key") != self.key:
            info = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
            }
            return problem(400, "API key not valid.", details=(info,))
        bearer = asked.headers.get("authorization")
        if asked.project is not None and bearer != f"Bearer {TOKEN}":
            return problem(401, "Invalid credentials.", "UNAUTHENTICATED")
        if asked.schema is not None and (found := not_supported(asked.schema)):
            return problem(400, f"Invalid JSON schema: {', '.join(found)}.")
        return None


def study(asked: Asked) -> Answer:
    """Answer with study material, or notes, that cite the transcript in the prompt."""
    return said(written(asked.user, asked.schema))


def not_supported(schema: dict[str, Any]) -> list[str]:
    """Return what this schema holds that Gemini does not take."""
    found = [key for node in _nodes(schema) for key in node if key not in _SCHEMA_KEYS]
    found += [
        "$ref beside others"
        for node in _nodes(schema)
        if "$ref" in node and any(not key.startswith("$") for key in node)
    ]
    for name, node in schema.get("$defs", {}).items():
        required = [node["properties"][key] for key in node.get("required", ())]
        if name in _reached(required, schema):
            found.append(f"required cycle through {name}")
    return found


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    below = [*node.get("properties", {}).values(), *node.get("$defs", {}).values()]
    below += [*node.get("anyOf", []), *([node["items"]] if "items" in node else [])]
    for child in below:
        yield from _nodes(child)


def _reached(nodes: list[dict[str, Any]], schema: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    left = list(nodes)
    while left:
        for node in _nodes(left.pop()):
            name = node.get("$ref", "").rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                left.append(schema["$defs"][name])
    return found


def _asked(path: str, headers: dict[str, str], fields: dict[str, Any]) -> Asked | None:
    if found := _BY_KEY.fullmatch(path):
        return Asked(
            path, headers, fields, found["model"], stream=bool(found["stream"])
        )
    if found := _BY_PROJECT.fullmatch(path):
        return Asked(
            path,
            headers,
            fields,
            found["model"],
            found["project"],
            stream=bool(found["stream"]),
        )
    return None


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: GeminiServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the client hung up
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an ACK

    def log_message(self, *_args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.owner.answer(self.path, headers, body))

    def _send(self, answer: Answer) -> None:
        if answer.reset or answer.stall:
            if answer.stall:
                self.server.owner.closing.wait()
            linger = struct.pack("ii", 1, 0)  # RST instead of FIN
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.send_header("content-length", str(len(answer.content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._send_body(answer)
        self.close_connection = self.close_connection or answer.cut is not None

    def _send_body(self, answer: Answer) -> None:
        content = answer.content[: answer.cut]
        if answer.drip_seconds is None:
            self.wfile.write(content)
            return
        for number in range(len(content)):
            if self.server.owner.closing.wait(answer.drip_seconds):
                return
            self.wfile.write(content[number : number + 1])


if __name__ == "__main__":
    with GeminiServer(int(sys.argv[1])) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        threading.Event().wait()
