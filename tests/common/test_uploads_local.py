"""A folder keeps what has arrived, whoever dies in the middle."""

import io
import os

import pytest

from common.errors import Conflict, NotFound
from common.providers.storage.local import LocalStorage


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path)


class Breaks(io.RawIOBase):
    """Has three bytes, and then its line is gone."""

    def __init__(self):
        self.parts = [b"abc"]

    def read(self, _size=-1):
        if not self.parts:
            raise ConnectionResetError
        return self.parts.pop()


def begin(storage, size=6):
    return storage.start_upload(
        "a/b", size_bytes=size, content_type="audio/wav", origin=None
    )


def partial(tmp_path):
    [path] = (tmp_path / ".uploads").iterdir()
    return path


def test_what_came_before_the_line_broke_is_safe(storage):
    session = begin(storage)
    with pytest.raises(ConnectionResetError):
        storage.append(session, "a/b", 0, Breaks())
    assert storage.uploaded_bytes(session, "a/b") == 3
    assert storage.append(session, "a/b", 3, io.BytesIO(b"def")) == 6


def test_who_dies_after_the_last_byte_is_made_good(storage, tmp_path):
    session = begin(storage)
    partial(tmp_path).write_bytes(b"abcdef")
    assert storage.size_bytes("a/b") is None
    assert storage.uploaded_bytes(session, "a/b") == 6
    assert storage.size_bytes("a/b") == 6
    assert list((tmp_path / ".uploads").iterdir()) == []


def test_who_dies_between_the_two_names_is_made_good(storage, tmp_path):
    session = begin(storage)
    partial(tmp_path).write_bytes(b"abcdef")
    (tmp_path / "a").mkdir()
    os.link(partial(tmp_path), tmp_path / "a" / "b")
    assert storage.uploaded_bytes(session, "a/b") == 6
    assert list((tmp_path / ".uploads").iterdir()) == []


def test_an_object_of_somebody_else_is_not_taken_for_ours(storage):
    session = begin(storage)
    storage.write("a/b", io.BytesIO(b"theirs"))
    with pytest.raises(Conflict):
        storage.append(session, "a/b", 0, io.BytesIO(b"abcdef"))
    with storage.read("a/b") as stream:
        assert stream.read() == b"theirs"


@pytest.mark.parametrize("session", ["", "6", "6:../../etc/passwd", "x:" + "0" * 32])
def test_a_session_is_never_a_path(storage, session):
    with pytest.raises(NotFound):
        storage.append(session, "a/b", 0, io.BytesIO(b"abcdef"))
    storage.abort_upload(session, "a/b")


def test_giving_up_under_a_sender_makes_no_object(storage):
    session = begin(storage)

    class GivesUp(io.BytesIO):
        def read(self, size=-1):
            storage.abort_upload(session, "a/b")
            return super().read(size)

    with pytest.raises(NotFound):
        storage.append(session, "a/b", 0, GivesUp(b"abcdef"))
    assert storage.size_bytes("a/b") is None


def test_a_key_outside_the_folder_opens_no_session(storage, tmp_path):
    with pytest.raises(ValueError, match="leaves the storage folder"):
        storage.start_upload("../x", size_bytes=1, content_type="a/b", origin=None)
    assert list(tmp_path.iterdir()) == []
