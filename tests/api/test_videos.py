"""The videos of a person: listed, searched, shown; and of nobody else."""

from urllib.parse import quote

import pytest

from tests import video_steps
from tests.api.people import guest, person, signed_in
from tests.factories import minute
from tests.video_steps import ABOUT, ID, OTHER_ID

LISTED = ["video_id", "title", "metadata"]
READ = [
    *("id", "video_id", "title", "metadata", "transcript_available", "summary"),
    *("suggested_questions", "created_at", "updated_at"),
    *("transcript_error", "metadata_error"),
]


@pytest.fixture
def ann(db):
    return person(db)


@pytest.fixture
def as_ann(deps, ann):
    return signed_in(deps, ann)


@pytest.fixture
def bob(db):
    return person(db, "bob@example.com")


@pytest.fixture
def listed(api, as_ann):
    def ask(**query):
        reply = api.get("/v2/videos", query_string=query, headers=as_ann)
        assert reply.status_code == 200, reply.text
        return reply.json

    return ask


def ids(page):
    return [row["video_id"] for row in page["videos"]]


def noted(db, user, *titles):
    """Save a video of each title, which the person noted something about in turn."""
    for number, title in enumerate(titles):
        id_ = f"video-{number:05}"
        video_steps.video(db, id_, title=title, created_at=minute(-number))
        video_steps.note(db, user, id_, created_at=minute(number))


def test_a_person_s_videos_are_listed_as_clients_know_them(db, ann, listed):
    video_steps.video(db, title="Cells", about=ABOUT)
    video_steps.note(db, ann)
    video_steps.note(db, ann, timestamp="1:00")
    page = listed()
    assert page == {
        "videos": [{"video_id": ID, "title": "Cells", "metadata": ABOUT}],
        "total": 1,
        "page": 1,
        "per_page": 10,
        "total_pages": 1,
    }
    assert list(page["videos"][0]) == LISTED


def test_nobody_else_s_videos_are(db, bob, ann, listed):
    video_steps.video(db)
    video_steps.note(db, bob)
    video_steps.conversation(db, user_id=ann.id)
    assert listed() == {
        "videos": [],
        "total": 0,
        "page": 1,
        "per_page": 10,
        "total_pages": 0,
    }


def test_the_newest_are_those_that_the_person_noted_last(db, ann, bob, listed):
    noted(db, ann, "A", "B", "C")
    video_steps.note(db, bob, "video-00000", created_at=minute(50))
    assert ids(listed()) == ["video-00002", "video-00001", "video-00000"]
    assert ids(listed(sort="created_at_asc"))[0] == "video-00000"


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("title_asc", ["1", "0", "2", "3"]), ("title_desc", ["2", "0", "1", "3"])],
)
def test_titles_are_sorted_without_regard_to_case(db, ann, listed, sort, expected):
    noted(db, ann, "b", "A", "C", None)
    assert [id_[-1] for id_ in ids(listed(sort=sort))] == expected


def test_equal_titles_have_one_order_on_all_pages(db, ann, listed):
    noted(db, ann, *["Same"] * 7)
    pages = [listed(sort="title_desc", per_page=2, page=n) for n in range(1, 5)]
    assert sorted(id_ for page in pages for id_ in ids(page)) == [
        f"video-{n:05}" for n in range(7)
    ]
    assert {page["total_pages"] for page in pages} == {4}
    assert ids(listed(page=99)) == []
    assert listed(page=99)["page"] == 99


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("cell", ["0", "2"]),
        ("  CELL ", ["0", "2"]),
        ("100%", ["1"]),
        ("%%", []),
        ("_e", []),
        ("\\", ["0", "1", "2"]),
        ("x", ["0", "1", "2"]),
        ("\\e", []),
    ],
)
def test_a_search_finds_what_stands_in_the_title_and_no_pattern(
    db, ann, listed, q, found
):
    noted(db, ann, "Cells", "100% of life", "The cell wall")
    page = listed(q=q, sort="created_at_asc")
    assert [id_[-1] for id_ in ids(page)] == found
    assert page["total"] == len(found)


@pytest.mark.parametrize(
    ("query", "field", "kind"),
    [
        ({"page": ""}, "query.page", "int_parsing"),
        ({"page": "0"}, "query.page", "greater_than_equal"),
        ({"page": str(2**31)}, "query.page", "less_than_equal"),
        ({"per_page": "0"}, "query.per_page", "greater_than_equal"),
        ({"per_page": "51"}, "query.per_page", "less_than_equal"),
        ({"q": "x" * 201}, "query.q", "string_too_long"),
        ({"q": "a\0b"}, "query.q", "string_nul"),
    ],
)
def test_a_page_that_cannot_be_is_refused(api, as_ann, query, field, kind):
    reply = api.get("/v2/videos", query_string=query, headers=as_ann)
    assert reply.status_code == 422
    [problem] = reply.json["error"]["details"]
    assert (problem["field"], problem["type"]) == (field, kind)


def test_an_order_that_nobody_knows_is_refused(api, as_ann):
    reply = api.get("/v2/videos?sort=views", headers=as_ann)
    assert reply.status_code == 400
    assert reply.json["error"] == {
        "code": "BAD_REQUEST",
        "message": "Invalid sort parameter",
        "details": None,
    }


def test_a_listing_costs_two_statements_and_its_caller(
    db, ann, as_ann, api, statements
):
    noted(db, ann, *["Title"] * 12)
    for rows in (2, 10):
        statements.clear()
        query = f"q=title&per_page={rows}"
        assert (
            len(api.get(f"/v2/videos?{query}", headers=as_ann).json["videos"]) == rows
        )
        assert len(statements) == 3, statements


def test_a_video_is_shown_with_every_key(db, ann, api, as_ann):
    found = video_steps.video(db, created_at=minute(1), updated_at=minute(2))
    video_steps.note(db, ann)
    reply = api.get(f"/v2/videos/{ID}", headers=as_ann)
    assert reply.status_code == 200
    assert list(reply.json) == READ
    assert reply.json == dict.fromkeys(READ) | {
        "id": found.id,
        "video_id": ID,
        "transcript_available": False,
        "created_at": "2026-11-20T20:01:00+0000",
        "updated_at": "2026-11-20T20:02:00+0000",
    }


def test_it_tells_what_is_there_and_what_will_not_come(db, ann, api, as_ann):
    video_steps.heard(db, video_steps.video(db, metadata_error="It is private."))
    video_steps.note(db, ann)
    shown = api.get(f"/v2/videos/{ID}", headers=as_ann).json
    assert shown["transcript_available"] is True
    assert shown["metadata_error"] == "It is private."


def test_a_video_costs_one_statement_and_its_caller(db, ann, api, as_ann, statements):
    video_steps.video(db)
    video_steps.note(db, ann)
    statements.clear()
    api.get(f"/v2/videos/{ID}", headers=as_ann)
    assert len(statements) == 2, statements


def test_a_conversation_is_enough_to_see_the_video(db, ann, api, as_ann):
    video_steps.video(db)
    video_steps.conversation(db, user_id=ann.id)
    assert api.get(f"/v2/videos/{ID}", headers=as_ann).status_code == 200


def test_what_others_have_saved_is_not_found(db, ann, bob, api, as_ann):
    """W6: else anybody could learn what people watch."""
    video_steps.video(db, title="A secret")
    video_steps.note(db, bob)
    video_steps.conversation(db, user_id=bob.id)
    video_steps.conversation(db, guest="a" * 64)
    reply = api.get(f"/v2/videos/{ID}", headers=as_ann)
    assert reply.status_code == 404
    assert reply.json["error"] == {
        "code": "NOT_FOUND",
        "message": "Video not found",
        "details": None,
    }
    missing = api.get(f"/v2/videos/{OTHER_ID}", headers=as_ann)
    assert missing.json["error"] == reply.json["error"]


def test_a_guest_has_no_list_and_no_video(db, api):
    video_steps.video(db)
    for path in ("/v2/videos", f"/v2/videos/{ID}"):
        assert api.get(path, headers=guest()).status_code == 401


def test_what_a_client_calls_a_video_is_seen_by_that_person_only(
    db, ann, bob, deps, api, as_ann
):
    """W5: a title that anybody can choose would stand in everybody's page."""
    body = {"timestamp": "0:05", "video_title": "Buy <b>now</b>"}
    api.post(f"/v2/videos/{ID}/notes", json=body, headers=as_ann)
    video_steps.note(db, bob)
    as_bob = signed_in(deps, bob)
    for headers, title in ((as_ann, "Buy <b>now</b>"), (as_bob, None)):
        shown = api.get(f"/v2/videos/{ID}", headers=headers).json
        [row] = api.get("/v2/videos", headers=headers).json["videos"]
        assert (shown["title"], row["title"]) == (title, title)
    for headers, count in ((as_ann, 1), (as_bob, 0)):
        assert api.get("/v2/videos?q=now", headers=headers).json["total"] == count


def test_the_title_of_the_metadata_comes_before_what_a_client_calls_it(
    db, ann, api, as_ann
):
    video_steps.video(db, title="Cells", about=ABOUT)
    for title in ("Mine", "No YouTube video title found."):
        body = {"timestamp": "0:05", "video_title": title}
        api.post(f"/v2/videos/{ID}/notes", json=body, headers=as_ann)
    assert api.get(f"/v2/videos/{ID}", headers=as_ann).json["title"] == "Cells"
    assert api.get("/v2/videos?q=mine", headers=as_ann).json["total"] == 0


@pytest.mark.parametrize(
    "name",
    [
        ID,
        f" {ID} ",
        f"https://youtu.be/{ID}",
        f"https://www.youtube.com/watch?v={ID}&t=3",
        f"http:/youtu.be/{ID}",
        f"youtube.com/shorts/{ID}",
    ],
)
def test_a_path_may_hold_an_address(db, ann, api, as_ann, name):
    """W35: automations on telephones have nothing else."""
    video_steps.video(db)
    video_steps.note(db, ann)
    path = quote(name, safe="")
    assert api.get(f"/v2/videos/{path}", headers=as_ann).json["video_id"] == ID
    [row] = api.get(f"/v2/videos/{path}/notes", headers=as_ann).json
    assert row["video_id"] == ID


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("short", "video_id must be a valid YouTube video ID"),
        ("%20", "video_id cannot be empty"),
        ("https%3A%2F%2Fevil.example%2Fwatch", "video_id must be a valid YouTube vi"),
        ("PL%3Flist%3Dx", "playlist URLs are not supported"),
        (f"{ID}%00", "video_id must be a valid YouTube video ID"),
    ],
)
@pytest.mark.parametrize("rest", ["", "/notes", "/stream"])
def test_another_path_is_refused(api, as_ann, name, message, rest):
    reply = api.get(f"/v2/videos/{name}{rest}", headers=as_ann)
    assert reply.status_code == 422
    [problem] = reply.json["error"]["details"]
    assert problem["field"] == "path.video_id"
    assert problem["type"] == "value_error"
    assert problem["message"].startswith(f"Value error, {message}")


def test_whoever_may_not_come_in_learns_nothing_of_the_path(api):
    assert api.get("/v2/videos/short").status_code == 401


def test_a_slash_too_many_leads_to_the_path_without_it(api):
    for reply, path in (
        (api.get("/v2/videos/"), "/v2/videos"),
        (api.get(f"/v2/videos/{ID}/"), f"/v2/videos/{ID}"),
        (api.get(f"/v2/videos/{ID}/stream/"), f"/v2/videos/{ID}/stream"),
        (api.post(f"/v2/videos/{ID}/notes/"), f"/v2/videos/{ID}/notes"),
    ):
        assert (reply.status_code, reply.headers["Location"]) == (307, path)


def test_a_line_break_is_in_no_path(api, as_ann):
    assert api.get(f"/v2/videos/{ID}%0A", headers=as_ann).status_code == 404
