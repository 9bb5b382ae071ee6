"""An OpenAI on loopback: real HTTP, refuses what the real one refuses, fails on order.

The answers that ``script`` holds are given first, in order; then the ordinary ones.
"""

import io
import json
import socket
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import av

KEY = "sk-proj-loopback-0123456789abcdef"

_TIMED = {"whisper-1"}
_LISTS_LANGUAGES = {"gpt-transcribe"}
_STRICT_KEYS = {
    "type",
    "enum",
    "const",
    "$ref",
    "$defs",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
}


@dataclass(frozen=True)
class Answer:
    """What comes back. ``cut`` bytes of the body are sent, then the line is closed."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: int | None = None
    stall: bool = False
    reset: bool = False

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; ``fields`` is a form or a JSON object."""

    path: str
    headers: dict[str, str]
    fields: dict[str, Any]
    file: bytes = b""


def problem(status: int, message: str, code: str | None = None, **headers) -> Answer:
    """Return an error document in OpenAI's form."""
    error = {"message": message, "type": code, "param": None, "code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"error": error}, status, named)


def said(document: Any, **message) -> Answer:
    """Return a chat completion whose text is ``document``, as JSON unless a string."""
    text = document if isinstance(document, str) else json.dumps(document)
    reason = message.pop("finish_reason", "stop")
    return Answer(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "loopback",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": reason,
                    "message": {"role": "assistant", "content": text} | message,
                }
            ],
            "usage": {
                "prompt_tokens": 1000,
                "completion_tokens": 200,
                "total_tokens": 1200,
            },
        }
    )


def streamed(*pieces: str, finish_reason: str | None = "stop", **delta) -> Answer:
    """Return a chat completion piece by piece, and at its end what it used."""
    chunk = {"id": "c-1", "object": "chat.completion.chunk", "created": 1}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in pieces]
    choices: list[list[dict[str, Any]]] = [
        [{"index": 0, "delta": one, "finish_reason": None}] for one in deltas
    ]
    if finish_reason is not None:
        choices.append([{"index": 0, "delta": delta, "finish_reason": finish_reason}])
    events = [chunk | {"model": "loopback", "choices": one} for one in choices]
    used = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}
    events.append(chunk | {"model": "loopback", "choices": [], "usage": used})
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    body = "".join((*lines, "data: [DONE]\n\n")).encode()
    return Answer(body, content_type="text/event-stream")


def part(start: float, end: float, text: str, **signals: float) -> dict[str, Any]:
    """Return one segment of a verbose transcription."""
    return {
        "id": 0,
        "seek": 0,
        "start": start,
        "end": end,
        "text": text,
        "tokens": [1],
        "temperature": 0,
        "avg_logprob": -0.2,
        "compression_ratio": 1.2,
        "no_speech_prob": 0.01,
    } | signals


def verbose(*parts: dict[str, Any], seconds: float = 10) -> Answer:
    """Return a verbose transcription, as Whisper gives it."""
    return Answer(
        {
            "task": "transcribe",
            "language": "english",
            "duration": seconds,
            "text": " ".join(p["text"] for p in parts),
            "segments": list(parts),
            "usage": {"type": "duration", "seconds": seconds},
        }
    )


class OpenAIServer:
    """Serves transcriptions and chat completions while it is entered."""

    def __init__(self) -> None:
        self.script: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self.chat: Callable[[Asked], Answer] = lambda _asked: said({})
        self.talk: Callable[[Asked], Answer] = lambda _asked: streamed("Yes.")
        self.knows_schemas = True
        self.closing = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.script:
            return self.script.popleft()
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            sent = asked.headers.get("authorization", "").removeprefix("Bearer ")
            return problem(401, f"Incorrect API key provided: {sent}.", "invalid_key")
        match asked.path:
            case "/v1/audio/transcriptions":
                return _refused_speech(asked) or _speech(asked)
            case "/v1/chat/completions" if asked.fields.get("stream"):
                return self.talk(asked)
            case "/v1/chat/completions":
                return self._refused_chat(asked) or self.chat(asked)
            case path:
                return problem(404, f"Invalid URL (POST {path})")

    def _refused_chat(self, asked: Asked) -> Answer | None:
        form = asked.fields["response_format"]
        if form["type"] == "json_object":
            return None
        if not self.knows_schemas:
            return problem(
                400, "'response_format.type' must be 'text' or 'json_object'."
            )
        if not form["json_schema"]["strict"] or not_strict(
            form["json_schema"]["schema"]
        ):
            return problem(400, "Invalid schema for response_format.")
        return None


def not_strict(node: Any) -> list[str]:
    """Return what a strict schema may not hold, anywhere in ``node``."""
    found = [key for key in node if key not in _STRICT_KEYS]
    if "properties" in node:
        if node.get("additionalProperties") is not False:
            found.append("open object")
        if sorted(node.get("required", [])) != sorted(node["properties"]):
            found.append("optional key")
    below = [*node.get("properties", {}).values(), *node.get("$defs", {}).values()]
    below += [*node.get("anyOf", []), *([node["items"]] if "items" in node else [])]
    return found + [text for child in below for text in not_strict(child)]


def _refused_speech(asked: Asked) -> Answer | None:
    model, form = asked.fields["model"], asked.fields.get("response_format", "json")
    if form == "verbose_json" and model not in _TIMED:
        return problem(400, f"response_format 'verbose_json' is not for {model}.")
    if "languages[]" in asked.fields and model not in _LISTS_LANGUAGES:
        return problem(400, f"languages is not for {model}.")
    languages = (asked.fields.get("language"), asked.fields.get("languages[]"))
    if any(code is not None and len(code) != 2 for code in languages):
        return problem(400, "Language must be given in ISO-639-1 format.")
    try:
        _seconds(asked.file)
    except av.FFmpegError:
        return problem(400, "Audio file might be corrupted or unsupported.")
    return None


def _speech(asked: Asked) -> Answer:
    seconds = _seconds(asked.file)
    if asked.fields.get("response_format") == "verbose_json":
        middle = round(seconds / 2, 2)
        return verbose(
            part(0, middle, " One half."),
            part(middle, seconds, " The other half."),
            seconds=seconds,
        )
    used = {"type": "duration", "seconds": seconds}
    return Answer({"text": "All of it.", "languages": [{"code": "en"}], "usage": used})


def _seconds(flac: bytes) -> float:
    with av.open(io.BytesIO(flac), "r", format="flac") as container:
        return sum(frame.samples for frame in container.decode(audio=0)) / 16_000


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: OpenAIServer

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
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # its sender died while it spoke: nothing was asked
            self.close_connection = True
            return
        self._send(self.server.owner.answer(_asked(self.path, self.headers, body)))

    def _send(self, answer: Answer) -> None:
        if answer.reset:
            return self._hang_up(politely=False)
        if answer.stall:
            self.server.owner.closing.wait()
            return self._hang_up(politely=False)
        self.send_response(answer.status)
        self.send_header("content-type", answer.content_type)
        self.send_header("content-length", str(len(answer.content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content[: answer.cut])
        if answer.cut is not None:
            self._hang_up(politely=True)
        return None

    def _hang_up(self, *, politely: bool) -> None:
        if not politely:  # RST instead of FIN
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True


def _asked(path: str, headers: Any, body: bytes) -> Asked:
    named = {name.lower(): value for name, value in headers.items()}
    kind = named.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return Asked(path, named, json.loads(body))
    message = BytesParser().parsebytes(
        b"content-type: " + kind.encode() + b"\n\n" + body
    )
    fields: dict[str, Any] = {}
    file = b""
    for piece in message.get_payload():
        assert isinstance(piece, Message)
        name = piece.get_param("name", header="content-disposition")
        content = piece.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(content, bytes)
        if name == "file":
            file = content
            fields["filename"] = piece.get_filename()
        else:
            fields[name] = content.decode()
    return Asked(path, named, fields, file)
