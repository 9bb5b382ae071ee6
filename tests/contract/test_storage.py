"""What every storage does. A new one is a fixture in ``conftest.py``."""

import io
import resource
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from common.errors import Conflict, NotFound, Unavailable

MIB = 1024 * 1024
PEAK_BYTES = {"local": 8 * MIB, "gcs": 36 * MIB, "s3": 28 * MIB}  # chunks of 8 MiB
ROUNDS = {"local": 150, "gcs": 30, "s3": 10}  # only folders come and go


class Stream(io.RawIOBase):
    """So many zeros, made as they are read; ``pause`` is called half way."""

    def __init__(self, size, pause=lambda: None):
        self.left, self.half, self.pause = size, size // 2, pause

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.left <= self.half:
            self.pause()
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count


class Broken(io.RawIOBase):
    """Fails after its first bytes, as an upload whose client is gone."""

    def __init__(self):
        self.parts = [b"half"]

    def read(self, _size=-1):
        if self.parts:
            return self.parts.pop()
        raise ConnectionResetError("the client is gone")


def kind(request):
    return request.node.callspec.params["storage"]


def content(storage, key):
    with storage.read(key) as stream:
        return stream.read()


def left_over(storage):
    """Return all files of a local storage that are no objects."""
    return list((storage._folder / ".incoming").glob("*"))  # noqa: SLF001


def test_what_was_written_is_read(storage):
    stored = storage.write("audio/l1/a.wav", io.BytesIO(b"sound"))
    assert (stored.key, stored.size_bytes) == ("audio/l1/a.wav", 5)
    assert stored.sha256 == sha256(b"sound").hexdigest()
    assert content(storage, "audio/l1/a.wav") == b"sound"
    assert storage.size_bytes("audio/l1/a.wav") == 5


def test_an_empty_object_is_an_object(storage):
    assert storage.write("a/b", io.BytesIO()).size_bytes == 0
    assert storage.size_bytes("a/b") == 0
    assert content(storage, "a/b") == b""


def test_writing_begins_where_the_source_stands(storage):
    source = io.BytesIO(b"headsound")
    source.seek(4)
    assert storage.write("a/b", source).size_bytes == 5
    assert content(storage, "a/b") == b"sound"


def test_a_stream_can_be_moved_in(storage):
    storage.write("a/b", io.BytesIO(b"0123456789"))
    with storage.read("a/b") as stream:
        stream.seek(4)
        assert stream.read(3) == b"456"
        assert stream.seek(0, io.SEEK_END) == 10


def test_the_same_bytes_again_are_harmless(storage):
    first = storage.write("a/b", io.BytesIO(b"sound"))
    assert storage.write("a/b", io.BytesIO(b"sound")) == first
    assert content(storage, "a/b") == b"sound"


@pytest.mark.parametrize("other", [b"other", b"", b"sound and more", b"soun"])
def test_other_bytes_never_replace_an_object(storage, other):
    storage.write("a/b", io.BytesIO(b"sound"))
    with pytest.raises(Conflict) as refusal:
        storage.write("a/b", io.BytesIO(other))
    assert refusal.value.code == "object_exists"
    assert content(storage, "a/b") == b"sound"


def test_of_many_writers_one_wins_and_its_object_is_whole(storage):
    bodies = [bytes([number]) * MIB for number in range(8)]

    def write(body):
        try:
            storage.write("a/b", io.BytesIO(body))
        except Conflict:
            return None
        return body

    with ThreadPoolExecutor(8) as pool:
        written = [body for body in pool.map(write, bodies) if body]
    assert [content(storage, "a/b")] == written


def test_many_writers_of_the_same_bytes_all_succeed(storage):
    with ThreadPoolExecutor(8) as pool:
        stored = pool.map(
            lambda _: storage.write("a/b", io.BytesIO(b"x" * MIB)), range(8)
        )
        assert len(set(stored)) == 1


def test_a_reader_sees_all_of_an_object_or_nothing(storage):
    half_way, go_on = threading.Event(), threading.Event()

    def pause():
        half_way.set()
        assert go_on.wait(10)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(storage.write, "a/b", Stream(8 * MIB, pause))
        assert half_way.wait(10)
        assert storage.size_bytes("a/b") is None
        with pytest.raises(NotFound):
            storage.read("a/b")
        go_on.set()
        assert writing.result().size_bytes == 8 * MIB
    assert storage.size_bytes("a/b") == 8 * MIB


def test_a_reader_keeps_what_is_deleted_meanwhile(storage):
    storage.write("a/b", io.BytesIO(b"sound"))
    with storage.read("a/b") as stream:
        storage.delete("a/b")
        assert stream.read() == b"sound"


def test_a_source_that_breaks_off_leaves_nothing(storage):
    with pytest.raises((ConnectionResetError, Unavailable)):
        storage.write("a/b", Broken())
    assert storage.size_bytes("a/b") is None


def test_what_is_not_there_is_not_found(storage):
    with pytest.raises(NotFound):
        storage.read("a/none")
    assert storage.size_bytes("a/none") is None


def test_deleting_tells_whether_there_was_something(storage):
    storage.write("a/b", io.BytesIO(b"sound"))
    assert storage.delete("a/b") is True
    assert storage.delete("a/b") is False
    assert storage.size_bytes("a/b") is None


def test_a_deleted_key_can_be_written_again(storage):
    storage.write("a/b", io.BytesIO(b"one"))
    storage.delete("a/b")
    storage.write("a/b", io.BytesIO(b"two"))
    assert content(storage, "a/b") == b"two"


def test_deleting_spares_the_neighbours(storage):
    for key in ("a/l1/x", "a/l1.b/x", "a/l10/x"):
        storage.write(key, io.BytesIO(key.encode()))
    storage.delete("a/l1/x")
    assert content(storage, "a/l1.b/x") == b"a/l1.b/x"
    assert content(storage, "a/l10/x") == b"a/l10/x"


def test_a_large_stream_is_not_held_in_memory(storage, request):
    tracemalloc.start()
    try:
        storage.write("a/b", Stream(64 * MIB))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert storage.size_bytes("a/b") == 64 * MIB
    assert peak < PEAK_BYTES[kind(request)]


def test_writing_and_deleting_beside_each_other_never_fail(storage, request):
    """A deletion that empties a folder must not pull it from under a writer."""
    stop = threading.Event()

    def come_and_go(name):
        while not stop.is_set():
            storage.write(f"a/l1/{name}", io.BytesIO(b"x"))
            storage.delete(f"a/l1/{name}")

    with ThreadPoolExecutor(2) as pool:
        others = [pool.submit(come_and_go, name) for name in "xy"]
        try:
            for number in range(ROUNDS[kind(request)]):
                storage.write(f"a/l1/{number}", io.BytesIO(b"x"))
                storage.delete(f"a/l1/{number}")
        finally:
            stop.set()
        for other in others:
            other.result()


@pytest.mark.parametrize(
    "key", ["../x", "a/../../x", "/etc/passwd", "..", "a/../../objects2/x"]
)
@pytest.mark.parametrize("action", ["write", "read", "delete", "size_bytes"])
def test_a_key_that_leaves_the_folder_is_refused(local, tmp_path, key, action):
    argument = (io.BytesIO(b"x"),) if action == "write" else ()
    with pytest.raises(ValueError, match="leaves the storage folder"):
        getattr(local, action)(key, *argument)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_link_inside_the_folder_leads_nowhere_else(local, tmp_path):
    local.write("a/b", io.BytesIO(b"x"))
    (tmp_path / "objects" / "out").symlink_to("/etc")
    with pytest.raises(ValueError, match="leaves the storage folder"):
        local.read("out/passwd")


def test_a_local_object_is_named_by_its_path(local, tmp_path):
    local.write("a/b", io.BytesIO(b"x"))
    assert local.uri("a/b") == str(tmp_path / "objects" / "a" / "b")


def test_a_folder_that_holds_nothing_more_goes(local, tmp_path):
    local.write("a/l1/b", io.BytesIO(b"x"))
    local.delete("a/l1/b")
    assert not (tmp_path / "objects" / "a").exists()
    assert (tmp_path / "objects").exists()


def test_a_full_disk_is_an_outage_and_leaves_nothing(local):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(Unavailable, match="cannot be written"):
            local.write("a/b", Stream(3 * MIB))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert local.size_bytes("a/b") is None
    assert left_over(local) == []


@pytest.mark.parametrize("in_the_way", ["objects", "objects/.incoming", "objects/a"])
def test_a_folder_that_cannot_be_made_is_an_outage(local, tmp_path, in_the_way):
    path = tmp_path / in_the_way
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file, not a folder")
    with pytest.raises(Unavailable, match="cannot be written"):
        local.write("a/b", io.BytesIO(b"x"))


def test_nothing_is_left_over_from_ordinary_writing(local):
    local.write("a/b", io.BytesIO(b"x"))
    local.write("a/b", io.BytesIO(b"x"))
    with pytest.raises(Conflict):
        local.write("a/b", io.BytesIO(b"y"))
    assert left_over(local) == []
