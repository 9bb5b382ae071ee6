"""Names of projects and of their files: any script, and never a path."""

from itertools import islice

import pytest

from common.assets import names
from common.errors import BadRequest

DIGEST = "0" * 64

PATHS = [
    *("..", ".", "...", " .. ", "../x", "a/b", "a\\b", "/etc", "\\\\host\\share"),
    *("%2e%2e", "%2E%2E", "%2e.", ".%2e", "%252e%252e", "%25252e%25252e"),
    *("%2e%2e%2f", "..%2f..", "..%5c..", "%2f", "%5c", "%255c"),
    *("\uff0e\uff0e", "%ef%bc%8e%ef%bc%8e", "\u2024\u2024", "a\uff0fb"),
    *("%c0%ae%c0%ae", "%c0%af", "\N{REPLACEMENT CHARACTER}", "a%00b", "a\tb", "a\x7f"),
]
NAMES = [
    *(
        "demo",
        "VICTIM",
        "victim",
        "مش",
        "模块",
        "a b",
        "100%",
        "50% off",
        "..a",
        "a..b",
    ),
    *("d9a2346a-1111-4111-8111-0123456789ab", "📼", "a.b", "-", "x" * 200),
]


@pytest.mark.parametrize("value", PATHS)
def test_no_path_passes_for_a_project(value):
    with pytest.raises(BadRequest, match="no path"):
        names.project_id(value)


@pytest.mark.parametrize("value", ["", " ", "\t", "\u00a0"])
def test_a_project_has_a_name(value):
    text = "Storage path component cannot be empty"
    with pytest.raises(BadRequest, match=text):
        names.project_id(value)


@pytest.mark.parametrize("value", NAMES)
def test_a_project_may_be_called_what_its_client_likes(value):
    assert names.project_id(value) == value


def test_a_name_is_not_endless():
    with pytest.raises(BadRequest):
        names.project_id("x" * 201)
    deep = "/"
    for _ in range(20):
        deep = deep.replace("%", "%25") if "%" in deep else "%2f"
    with pytest.raises(BadRequest):
        names.project_id(deep)


def test_no_two_projects_share_a_folder():
    alike = [
        *(
            "victim",
            "VICTIM",
            "Victim",
            "مش",
            "شم",
            "م",
            "-",
            "--",
            "a b",
            "a-b",
            "a_b",
        ),
        *("a.b", "a..b", "ab", "\uff21\uff22", "x" * 64, "x" * 65, "x" * 66),
    ]
    alike += [names.folder(one) for one in alike]  # nor one that is called like it
    projects = set(alike)
    folders = {names.folder(one) for one in projects}
    assert len(folders) == len(projects)
    assert len({one.casefold() for one in folders}) == len(folders)
    for one in folders:
        assert one.isascii()
        assert not set(one) & set("/\\% ")
        assert one.strip(".") == one


def test_a_plain_project_is_its_own_folder():
    id_ = "d9a2346a-1111-4111-8111-0123456789ab"
    assert names.relative_path("source", id_, "a.mp4") == f"uploads/{id_}/a.mp4"


def test_names_are_foreseeable_and_differ_by_project_name_and_content():
    def first(*asked):
        return next(names.stored_names(*asked))

    usual = first("demo", "My Lesson (1).mp4", DIGEST)
    assert usual == first("demo", "My Lesson (1).mp4", DIGEST)
    others = {
        first("Demo", "My Lesson (1).mp4", DIGEST),
        first("demo", "my lesson (1).mp4", DIGEST),
        first("demo", "My Lesson (1).mp4", "1" * 64),
    }
    assert len(others | {usual}) == 4
    several = list(islice(names.stored_names("demo", "a.mp4", DIGEST), 50))
    assert len(set(several)) == 50


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("My Lesson (1).mp4", "my-lesson-1-"),
        ("درس.mp4", "-"),
        ("../../etc/passwd.mp4", "passwd"),
        ("C:\\films\\a.MOV", "a"),
        ("...mp4", "-"),
        ("x" * 500 + ".avi", "x" * 80),
        ("a\r\nb.mp4", "a-b"),
    ],
)
def test_a_stored_name_keeps_what_can_be_read(sent, kept):
    name = next(names.stored_names("demo", sent, DIGEST))
    stem, _, rest = name.rpartition("-")
    assert stem == kept
    assert rest.partition(".")[2] in ("mp4", "mov", "avi")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")


@pytest.mark.parametrize("sent", ["a.mkv", "a.mp4.exe", "a.html", "a.mp4 "])
def test_other_formats_are_named(sent):
    with pytest.raises(BadRequest, match="Unsupported video format"):
        names.extension(sent)
