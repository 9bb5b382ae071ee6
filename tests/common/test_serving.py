"""A stream without a descriptor is read by a child that may be hostile."""

import io
import random
import time
import tracemalloc
from hashlib import sha256
from typing import Any

import psutil
import pytest

from common import sandbox
from common.documents import check as documents
from common.errors import Unavailable, UnreadableDocument, UnreadableMedia
from common.media.check import check_open
from tests import media_samples
from tests.api.test_documents import PAGES, pdf
from tests.conftest import spoken_wav

SOUND = spoken_wav()
MIB = 1024 * 1024
CONNECT = (
    "import socket, struct, sys\n"
    "line = socket.socket(fileno=0)\n"
    "size, = struct.unpack('!Q', line.recv(8))\n"
    "def ask(place, length):\n"
    "    line.sendall(struct.pack('!QI', place, length))\n"
    "    head = line.recv(4, socket.MSG_WAITALL)\n"
    "    if len(head) < 4: sys.exit('hung up')\n"
    "    said, = struct.unpack('!I', head)\n"
    "    return line.recv(said, socket.MSG_WAITALL) if said else b''\n"
    "def say(*words): print(*words, flush=True)\n"
)


class Reads(io.RawIOBase):
    """Seekable and without a descriptor; counts what is read of it."""

    def __init__(self, content):
        self.file, self.bytes_read = io.BytesIO(content), 0

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        return self.file.seek(offset, whence)

    def read(self, size=-1):
        piece = self.file.read(size)
        self.bytes_read += len(piece)
        return piece


class Fails(Reads):
    def read(self, size=-1):
        raise Unavailable("Storage does not answer: HTTP 503.")


# As the storages' streams, which are no BinaryIO in name.
Stream: Any = Reads
Broken: Any = Fails


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Let this code take the place of a child's; return what it says of a stream."""

    def run(code, stream, seconds=10.0, most=10_000):
        package = tmp_path / "other" / "common" / "media"
        package.mkdir(parents=True)
        (package / "__main__.py").write_text(CONNECT + code)
        monkeypatch.setattr(sandbox, "_ROOT", str(tmp_path / "other"))
        return sandbox.ask(
            "common.media", file=stream, timeout_seconds=seconds, most_bytes=most
        )

    return run


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".m4a", ".mp4", ".mkv", ".flac"])
def test_a_recording_is_looked_into_as_if_it_were_a_file(tmp_path, suffix):
    path = media_samples.speechlike(tmp_path / f"a{suffix}")
    with path.open("rb") as file:
        expected = check_open(file)
    assert check_open(Stream(path.read_bytes())) == expected


def test_a_document_is_read_as_if_it_were_a_file():
    content = pdf(*PAGES)
    assert documents.check(Stream(content)) == 3
    with_descriptor = documents.pages(Stream(content))
    assert [page.split()[0] for page in with_descriptor] == ["A", "The", "Osmosis"]


def test_a_document_s_parts_are_fetched_once():
    stream = Stream(pdf(*PAGES * 100))
    documents.pages(stream)
    assert stream.bytes_read == len(stream.file.getvalue())


@pytest.mark.parametrize("content", [b"", b"no sound" * 100_000, SOUND[:40]])
def test_rubbish_is_refused(content):
    with pytest.raises(UnreadableMedia):
        check_open(Stream(content))
    with pytest.raises(UnreadableDocument):
        documents.check(Stream(content))


def test_only_the_beginning_of_a_long_recording_is_fetched():
    stream = Stream(spoken_wav(300))
    check_open(stream)
    assert stream.bytes_read < 2 * MIB


def test_an_outage_of_the_storage_is_no_damage_of_the_file():
    with pytest.raises(Unavailable):
        check_open(Broken(SOUND))


def test_ranges_are_served_in_any_order(child):
    content = random.Random(1).randbytes(3 * MIB)  # noqa: S311
    code = (
        "import hashlib\n"
        "places = list(range(0, size, 100_000))\n"
        "parts = {p: ask(p, 100_000) for p in reversed(places)}\n"
        "say(hashlib.sha256(b''.join(parts[p] for p in places)).hexdigest())\n"
    )
    assert child(code, Stream(content)).decode().strip() == sha256(content).hexdigest()


def test_a_huge_request_gets_little(child):
    code = "say(len(ask(0, 2**32 - 1)), len(ask(2**64 - 1, 5)), len(ask(size, 5)))\n"
    answer = child(code, Stream(bytes(2 * MIB)))
    assert answer.split() == [b"262144", b"0", b"0"]


def test_garbage_on_the_line_harms_nobody(child):
    code = "import os\nline.sendall(os.urandom(12 * 50 + 7))\nsay('done')\n"
    assert child(code, Stream(SOUND)) == b"done\n"


def test_who_asks_for_ever_is_not_answered_any_more(child):
    code = "total = 0\nwhile True:\n    total += len(ask(0, 262_144))\n    say(total)\n"
    said = child(code, Stream(bytes(MIB)), seconds=30, most=MIB).split()
    assert 60 * MIB < int(said[-1]) < 70 * MIB


def test_who_asks_and_does_not_listen_costs_no_memory_and_no_more_time(child):
    code = (
        "line.setblocking(False)\nimport time\n"
        "while True:\n"
        "    try: line.send(struct.pack('!QI', 0, 262_144))\n"
        "    except BlockingIOError: time.sleep(0.05)\n"
    )
    stream = Stream(bytes(8 * MIB))
    tracemalloc.start()
    started = time.monotonic()
    child(code, stream, seconds=1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - started < 3
    assert peak < 2 * MIB


def test_who_hangs_up_may_still_answer(child):
    code = "line.close()\nsay('still here')\n"
    assert child(code, Stream(SOUND)) == b"still here\n"


def test_the_child_gets_no_other_way_out(child):
    code = (
        "import os\n"
        "fds = sorted(int(n) for n in os.listdir('/proc/self/fd'))\n"
        "say(line.family == socket.AF_UNIX, repr(line.getpeername()), len(fds) <= 4)\n"
    )
    assert child(code, Stream(SOUND)).split() == [b"True", b"''", b"True"]


def test_no_socket_stays_open():
    before = _sockets()
    check_open(Stream(SOUND))
    assert _sockets() == before


def _sockets():
    return len([c for c in psutil.Process().net_connections("unix") if c])
