"""A client whose line is cut at random, and who goes on from where the server stands.

It speaks resumable sessions as Cloud Storage does, to whatever URL it was given.
"""

import http.client
import random
import socket
import struct
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from re import fullmatch
from urllib.parse import urlsplit

_PIECE_BYTES = 16 * 1024
_LINE_BYTES = 32 * 1024  # under way at a time: a fast line to a far place has more
_SECONDS = 30
_RESET = struct.pack("ii", 1, 0)  # close at once, and lose what is under way
_GOING_ON = 308


@dataclass
class CutSender:
    """Sends one file; ``sent_bytes`` is what it gave to its line in all."""

    url: str
    path: Path
    cuts: int
    seed: int
    sent_bytes: int = 0
    happened: int = 0
    refused: int = 0
    asked: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self):
        self._random = random.Random(self.seed)  # noqa: S311
        self.size = self.path.stat().st_size
        self._address = urlsplit(self.url)
        self._place = f"{self._address.path}?{self._address.query}"

    def run(self):
        """Send all of it, cut so many times."""
        while (safe := self.ask()) < self.size:
            left = self.size - safe
            to_come = self.cuts - self.happened
            gap = self._random.randrange(2 * left // (to_come + 1) + 1)
            self._send(safe, min(gap, left) if to_come > 0 else None)

    def ask(self):
        """Return how many bytes are safe."""
        self.asked += 1
        connection = http.client.HTTPConnection(self._address.netloc, timeout=_SECONDS)
        with closing(connection):
            place = {"Content-Range": f"bytes */{self.size}", "Content-Length": "0"}
            connection.request("PUT", self._place, headers=place)
            reply = connection.getresponse()
            reply.read()
            if reply.status in (200, 201):
                return self.size
            assert reply.status == _GOING_ON, reply.status
            found = fullmatch(r"bytes=0-(\d+)", reply.headers.get("Range", ""))
            return int(found[1]) + 1 if found else 0

    def _send(self, start, cut_after):
        """Send from ``start`` to the end, or until the line is cut."""
        with self._line() as line, self.path.open("rb") as file:
            file.seek(start)
            line.sendall(self._head(start))
            left = self.size - start if cut_after is None else cut_after
            with suppress(ConnectionError):
                while left and (piece := file.read(min(left, _PIECE_BYTES))):
                    line.sendall(piece)
                    self.sent_bytes += len(piece)
                    left -= len(piece)
            if cut_after is not None:
                self._cut(line)
            elif not self._answered(line):
                self.refused += 1

    def _line(self):
        host, port = self._address.hostname, self._address.port
        line = socket.create_connection((host, port), timeout=_SECONDS)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LINE_BYTES)
        return line

    def _head(self, start):
        lines = [
            f"PUT {self._place} HTTP/1.1",
            f"Host: {self._address.netloc}",
            f"Content-Length: {self.size - start}",
            f"Content-Range: bytes {start}-{self.size - 1}/{self.size}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _cut(self, line):
        """Hang up in order, or as a line does that breaks."""
        self.happened += 1
        if self._random.random() < 0.5:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def _answered(self, line):
        with suppress(OSError):
            return line.recv(12)[9:12] in (b"200", b"201")
        return False
