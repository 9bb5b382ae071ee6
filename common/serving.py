"""A file for a child process that may have no more than its bytes.

The parent answers from a stream, over a pair of sockets: first how long the file is, in
8 bytes, then to each request (8 bytes of place, 4 of length) as many bytes as there
are, after 4 that tell how many. The child may be in the hands of whoever made the file,
so nothing that it sends may do more than cost the little that is allowed.
"""

import io
import os
import socket
import stat
import struct
import sys
from collections import OrderedDict
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import BinaryIO, cast

_SIZE = struct.Struct("!Q")
_REQUEST = struct.Struct("!QI")
_LENGTH = struct.Struct("!I")
_BLOCK_BYTES = 256 * 1024  # what a bucket is asked for at once, see storage.ranged
_BLOCKS = 256  # 64 MiB in the child: PDFs are read criss-cross, and most are smaller
# Who reads a file criss-cross that is larger than that reads parts of it again.
_MOST_TIMES = 4
_MOST_SPARE_BYTES = 64 * 1024 * 1024


class Server:
    """The parent's side. It never waits for the child: a selector says when to go on.

    One answer is under way at a time, so a child that asks and does not listen costs
    no more memory than that; one that asks for ever is not answered any more.
    """

    def __init__(self, line: socket.socket, file: BinaryIO) -> None:
        line.setblocking(False)
        self._line = line
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        self._left = self._size * _MOST_TIMES + _MOST_SPARE_BYTES
        self._asked = b""
        self._answer = memoryview(_SIZE.pack(self._size))

    def start(self, ready: BaseSelector) -> None:
        """Have ``serve`` called when it is needed; it is the key's ``data``."""
        ready.register(self._line, EVENT_WRITE, self)

    def serve(self, ready: BaseSelector) -> None:
        """Go on as far as that is possible without waiting.

        Raises:
            Exception: what reading the file raises.
        """
        try:
            alive = self._send() if self._answer else self._hear()
        except ConnectionError:
            alive = False
        if not alive:
            ready.unregister(self._line)
            self._line.close()  # so that nobody waits for more
            return
        ready.modify(self._line, EVENT_WRITE if self._answer else EVENT_READ, self)

    def _send(self) -> bool:
        with suppress(BlockingIOError):
            self._answer = self._answer[self._line.send(self._answer) :]
        return True

    def _hear(self) -> bool:
        try:
            part = self._line.recv(_REQUEST.size - len(self._asked))
        except BlockingIOError:
            return True
        self._asked += part
        if len(self._asked) == _REQUEST.size:
            place, length = _REQUEST.unpack(self._asked)
            self._asked = b""
            self._look_up(place, min(length, _BLOCK_BYTES))
            return self._left >= 0
        return bool(part)

    def _look_up(self, place: int, length: int) -> None:
        piece = b""
        if place < self._size:
            self._file.seek(place)
            piece = self._file.read(length)
        self._left -= len(piece) + _REQUEST.size
        self._answer = memoryview(_LENGTH.pack(len(piece)) + piece)


def given(descriptor: int = 0) -> BinaryIO:
    """Return the file that this process, a child, got: as its standard input."""
    if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        line = socket.socket(fileno=descriptor)
        return cast("BinaryIO", io.BufferedReader(_Served(line)))
    return os.fdopen(descriptor, "rb") if descriptor else sys.stdin.buffer


class _Served(io.RawIOBase):
    """The child's side: keeps the blocks that it has used last."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line.makefile("rwb")
        self._size: int = _SIZE.unpack(self._line.read(_SIZE.size))[0]
        self._place = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base: dict[int, int] = {
            io.SEEK_SET: 0,
            io.SEEK_CUR: self._place,
            io.SEEK_END: self._size,
        }
        place = base[whence] + offset
        if place < 0:
            raise ValueError(f"negative seek position {place}")
        self._place = place
        return place

    def readinto(self, buffer: bytearray, /) -> int:  # type: ignore[override]
        if self._place >= self._size:
            return 0
        number, offset = divmod(self._place, _BLOCK_BYTES)
        part = memoryview(self._block(number))[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        self._place += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number in self._blocks:
            self._blocks.move_to_end(number)
            return self._blocks[number]
        self._line.write(_REQUEST.pack(number * _BLOCK_BYTES, _BLOCK_BYTES))
        self._line.flush()
        [length] = _LENGTH.unpack(self._line.read(_LENGTH.size))
        self._blocks[number] = self._line.read(length)
        if len(self._blocks) > _BLOCKS:
            self._blocks.popitem(last=False)
        return self._blocks[number]
