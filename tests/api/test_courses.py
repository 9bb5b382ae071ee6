"""Courses: listed, made, and what they hold."""

from uuid import UUID, uuid4

import pytest

from common.models import Course, Thread
from tests import factories
from tests.factories import minute, save

COURSE = ["id", "title", "description", "created_at", "updated_at"]
PAGES = [
    ("", (None, 0, 3, 3, False, None, None)),
    ("limit=2", (2, 0, 2, 3, True, 2, None)),
    ("limit=2&offset=2", (2, 2, 1, 3, False, None, 0)),
    ("offset=6", (None, 6, 0, 3, False, None, 5)),
    ("limit=0", (0, 0, 0, 3, True, 0, None)),
    (f"limit={2**63 - 1}&offset={2**63 - 1}", None),
]
LISTINGS = {
    "/courses": "courses",
    "/courses/c1/lectures": "lectures",
    "/courses/c1/threads": "threads",
}


def thread(db, course_id="c1", title="Energy", **fields):
    values = {
        "id": uuid4(),
        "course_id": course_id,
        "key": title.lower(),
        "aliases": [],
        "title": title,
        "summary": f"What {title} is.",
        "status": "foundational",
        "complexity_level": 1,
        "lecture_refs": [],
    }
    return save(db, Thread(**{**values, **fields}))


@pytest.fixture
def three_of_each(db):
    """Three courses; of the first one three lectures and three threads."""
    for number in range(1, 4):
        factories.course(db, f"c{number}", created_at=minute(number))
    for number in range(3):
        factories.lecture(db, f"l{number}", created_at=minute(number))
        thread(db, title=f"T{number}", created_at=minute(number))


def ids(reply, rows):
    assert reply.status_code == 200, reply.text
    return [one["id"] for one in reply.json[rows]]


def detail(reply):
    return reply.status_code, reply.json["detail"]


def test_a_course_has_these_keys(api, db):
    factories.course(db, title="Biology", created_at=minute(1), updated_at=minute(2))
    row = api.get("/courses/c1").json
    assert list(row) == COURSE
    assert row == {
        "id": "c1",
        "title": "Biology",
        "description": None,
        "created_at": "2026-11-20T20:01:00.000000Z",
        "updated_at": "2026-11-20T20:02:00.000000Z",
    }
    assert api.get("/courses").json["courses"] == [row]


def test_the_newest_course_comes_first(api, three_of_each):
    assert ids(api.get("/courses"), "courses") == ["c3", "c2", "c1"]


def test_courses_of_the_same_moment_have_an_order(api, db):
    for number in (2, 1, 3):
        factories.course(db, f"c{number}", created_at=minute(0))
    assert ids(api.get("/courses"), "courses") == ["c3", "c2", "c1"]


def test_without_courses_the_listing_is_empty(api):
    body = api.get("/courses").json
    assert list(body) == ["courses", "pagination"]
    assert (body["courses"], body["pagination"]["total"]) == ([], 0)


@pytest.mark.parametrize("path", LISTINGS)
@pytest.mark.parametrize(("query", "expected"), PAGES)
def test_a_page_tells_where_it_lies(api, three_of_each, path, query, expected):
    body = api.get(f"{path}?{query}").json
    if expected is None:
        largest = 2**63 - 1
        expected = (largest, largest, 0, 3, False, None, 0)
    assert tuple(body["pagination"].values()) == expected
    assert len(body[LISTINGS[path]]) == expected[2]


@pytest.mark.parametrize("path", LISTINGS)
@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("limit=-1", "greater_than_equal"),
        ("offset=-1", "greater_than_equal"),
        ("limit=abc", "int_parsing"),
        ("limit=", "int_parsing"),
        (f"limit={2**64}", "less_than_equal"),
        (f"offset={10**40}", "less_than_equal"),
    ],
)
def test_a_page_that_is_no_page_is_refused(api, three_of_each, path, query, kind):
    reply = api.get(f"{path}?{query}")
    assert reply.status_code == 422
    [problem] = reply.json["detail"]
    assert (problem["type"], problem["loc"]) == (kind, ["query", query.split("=")[0]])


@pytest.mark.parametrize("below", ["", "/lectures", "/threads", "/progress"])
@pytest.mark.parametrize("course_id", ["none", "..", "%E2%88%91", "a" * 500])
def test_an_unknown_course_is_not_found(api, db, below, course_id):
    factories.course(db)
    reply = api.get(f"/courses/{course_id}{below}")
    assert detail(reply) == (404, "Course not found.")


# POST /courses


def test_a_course_can_be_made(api, db):
    reply = api.post("/courses", json={"title": " Biology ", "description": "Cells"})
    assert reply.status_code == 201
    assert list(reply.json) == COURSE
    assert (reply.json["title"], reply.json["description"]) == ("Biology", "Cells")
    assert UUID(reply.json["id"])
    assert api.get(f"/courses/{reply.json['id']}").json == reply.json


def test_two_courses_may_have_one_title(api):
    made = {api.post("/courses", json={"title": "B"}).json["id"] for _ in range(2)}
    assert len(made) == 2


def test_a_lecture_can_be_sent_to_a_course_that_was_made(api, ingest, db):
    id_ = api.post("/courses", json={"title": "Biology"}).json["id"]
    assert ingest(course_id=id_).status_code == 200
    assert api.get(f"/courses/{id_}").json["title"] == "Biology"
    assert ids(api.get(f"/courses/{id_}/lectures"), "lectures") == ["l1"]


@pytest.mark.parametrize(
    ("body", "kind", "place"),
    [
        ({}, "missing", ["body", "title"]),
        ({"title": None}, "string_type", ["body", "title"]),
        ({"title": 5}, "string_type", ["body", "title"]),
        ({"title": ""}, "string_too_short", ["body", "title"]),
        ({"title": " \t"}, "string_too_short", ["body", "title"]),
        ({"title": "x" * 501}, "string_too_long", ["body", "title"]),
        ({"title": "a\0b"}, "string_nul", ["body", "title"]),
        ({"title": "T", "description": []}, "string_type", ["body", "description"]),
        (
            {"title": "T", "description": "x" * 10_001},
            "string_too_long",
            ["body", "description"],
        ),
        ([], "model_type", ["body"]),
    ],
)
def test_a_course_that_is_none_is_refused(api, db, body, kind, place):
    reply = api.post("/courses", json=body)
    assert reply.status_code == 422
    [problem] = reply.json["detail"]
    assert (problem["type"], problem["loc"]) == (kind, place)
    with db.begin() as session:
        assert session.query(Course).count() == 0


def test_a_course_needs_a_body(api):
    [problem] = api.post("/courses").json["detail"]
    assert (problem["type"], problem["loc"]) == ("missing", ["body"])


# Its lectures


def test_lectures_of_a_course_are_whole_rows_newest_first(api, three_of_each, db):
    factories.lecture(db, "other", course_id="c2", created_at=minute(9))
    body = api.get("/courses/c1/lectures").json
    assert list(body) == ["courseId", "lectures", "pagination"]
    assert body["courseId"] == "c1"
    assert body["lectures"] == [
        api.get(f"/lectures/{id_}").json for id_ in ("l2", "l1", "l0")
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=transcribed", ["b"]),
        ("status=uploaded", ["c", "a"]),
        ("status=UPLOADED", []),
        ("status=", []),
        ("preset_id=research-mode", ["c"]),
        ("preset_id=research", ["c"]),
        ("preset_id=exam&status=uploaded", ["a"]),
        ("unknown=1", ["c", "b", "a"]),
    ],
)
def test_lectures_of_a_course_can_be_filtered(api, db, query, expected):
    factories.lecture(db, "a", created_at=minute(1))
    factories.lecture(db, "b", created_at=minute(2), status="transcribed")
    factories.lecture(db, "c", created_at=minute(3), preset_id="research-mode")
    reply = api.get(f"/courses/c1/lectures?{query}")
    assert ids(reply, "lectures") == expected
    assert reply.json["pagination"]["total"] == len(expected)


@pytest.mark.parametrize("course_id", ["c1", "unknown"])
def test_a_preset_that_does_not_exist_is_told_before_the_course(api, db, course_id):
    factories.course(db)
    reply = api.get(f"/courses/{course_id}/lectures?preset_id=none")
    assert detail(reply) == (400, "Invalid preset_id.")


# Its threads


def test_threads_come_newest_first_with_the_titles_of_their_lectures(
    api, three_of_each, db
):
    thread(
        db,
        title="T3",
        created_at=minute(3),
        lecture_refs=["l0", "gone"],
        face="RED",
        evolution_notes=[
            {"lectureId": "l0", "changeType": "refinement", "note": "Finer."}
        ],
    )
    thread(db, "c2", title="Other")
    body = api.get("/courses/c1/threads").json
    assert list(body) == ["courseId", "threads", "lectureTitles", "pagination"]
    assert [one["title"] for one in body["threads"]] == ["T3", "T2", "T1", "T0"]
    assert body["lectureTitles"] == {"l0": "A lecture"}
    assert body["threads"][0]["evolution_notes"] == [
        {"lectureId": "l0", "changeType": "refinement", "note": "Finer."}
    ]


def test_a_page_of_threads_names_only_its_own_lectures(api, db):
    for number in range(2):
        factories.lecture(db, f"l{number}")
        thread(
            db,
            title=f"T{number}",
            created_at=minute(number),
            lecture_refs=[f"l{number}"],
        )
    body = api.get("/courses/c1/threads?limit=1").json
    assert body["lectureTitles"] == {"l1": "A lecture"}
