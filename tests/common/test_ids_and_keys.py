"""Identifiers and the keys that are made of them."""

import time
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import object_keys
from common.errors import BadRequest
from common.ids import client_id, new_id

IDS = st.one_of(
    st.text(max_size=140),
    st.text(alphabet="ab./-_\\%*~:\0\n\u2215", max_size=12),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,130}", fullmatch=True),
)


def test_our_ids_are_uuids_of_version_7():
    made = new_id()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_our_ids_tell_when_they_were_made():
    before = time.time_ns() // 1_000_000
    milliseconds = new_id().int >> 80
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_no_two_of_our_ids_are_alike():
    assert len({new_id() for _ in range(20_000)}) == 20_000


def accepted(value):
    try:
        return client_id("lecture_id", value) == value
    except BadRequest:
        return False


def test_a_refusal_names_the_field():
    with pytest.raises(BadRequest, match=r"^course_id must be ") as refusal:
        client_id("course_id", "../x")
    assert refusal.value.code == "invalid_id"


@pytest.mark.parametrize(
    "value", ["a", "7", "lecture-1700000000000", "a.b_c-D", "x" * 128]
)
def test_ordinary_ids_are_taken(value):
    assert accepted(value)


@pytest.mark.parametrize(
    "value",
    [
        *("", ".", "..", "../x", "a/../b", "a..b", "/a", "a/b", "a\\b", "a\0", "a\n"),
        *(
            " a",
            "a ",
            "*",
            "?",
            "~",
            "-a",
            "_a",
            ".a",
            "ä",
            "\uff11",
            "x" * 129,
            "a%2fb",
        ),
    ],
)
def test_anything_that_means_something_to_a_file_system_is_not(value):
    assert not accepted(value)


@given(IDS)
def test_no_accepted_id_leaves_its_folder(value):
    if not accepted(value):
        return
    for key in (
        object_keys.recording(value, new_id(), "a.wav"),
        object_keys.metadata(value, new_id()),
        object_keys.transcript(value, "run"),
        object_keys.artifacts(value, "run"),
        object_keys.exports(value, "run"),
    ):
        _folder, name, _file = PurePosixPath(key).parts
        assert name == value
        assert ".." not in key
        assert len(key.encode()) < 400


@given(st.text(max_size=60))
def test_only_a_known_suffix_of_a_files_name_is_kept(name):
    made = new_id()
    key = object_keys.recording("l1", made, name)
    folder, lecture, file = key.split("/")
    assert lecture == "l1"
    stem, suffix = file[:36], file[36:]
    assert stem == str(made)
    assert (folder == "documents") == (suffix == ".pdf")
    assert suffix == ".bin" or name.replace("\\", "/").lower().endswith(suffix)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("talk.WAV", ".wav"),
        ("talk.tar.mp3", ".mp3"),
        ("talk.wav/../../x.mp4", ".mp4"),
        ("a.wav\\b.mov", ".mov"),
        ("talk", ".bin"),
        ("talk.exe", ".bin"),
        (".wav", ".bin"),
        ("", ".bin"),
        ("talk.wav\0", ".bin"),
    ],
)
def test_suffixes(name, end):
    assert object_keys.recording("l1", new_id(), name).endswith(end)


@pytest.mark.parametrize(
    "make", [object_keys.transcript, object_keys.artifacts, object_keys.exports]
)
def test_no_key_is_made_of_an_unchecked_id(make):
    with pytest.raises(BadRequest):
        make("../x", "run")


def test_pieces_of_a_job_are_in_order():
    job = new_id()
    keys = [object_keys.piece(job, number) for number in (0, 9, 10, 99_999)]
    assert keys == sorted(keys)
