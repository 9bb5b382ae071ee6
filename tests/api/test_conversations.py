"""Talks with Wiz: begun about anything with words in it, listed, and one's own."""

import re
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from api_service.people import guests
from common.models import Conversation, Job, Message, Video
from tests import factories
from tests.api import talking
from tests.api.guards import with_settings
from tests.api.people import guest, person, signed_in

VIDEO = talking.VIDEO


@pytest.fixture
def ann(db, deps):
    return signed_in(deps, person(db))


@pytest.fixture
def bob(db, deps):
    return signed_in(deps, person(db, "bob@example.com"))


@pytest.fixture
def begin(api, ann):
    def begin(headers=None, **body):
        return api.post("/v2/conversations", json=body, headers=headers or ann)

    return begin


def count(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def test_a_talk_about_a_video_looks_as_clients_know_it(begin):
    reply = begin(video_id=f"https://youtu.be/{VIDEO}?si=x")
    assert reply.status_code == 201
    stamp = r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000"'
    assert re.fullmatch(
        rf'{{"id":\d+,"video_id":"{VIDEO}","created_at":{stamp},"updated_at":{stamp}}}\n?',
        reply.text,
    )


def test_the_video_is_made_and_fetched(begin, db):
    begin(video_id=VIDEO)
    with db.begin() as session:
        kinds = set(session.scalars(select(Job.kind)))
    assert kinds == {"metadata", "transcript"}


def test_each_visit_is_a_talk_of_its_own_about_one_video(begin, db):
    assert begin(video_id=VIDEO).json["id"] != begin(video_id=VIDEO).json["id"]
    assert (count(db, Video), count(db, Job)) == (1, 2)


def test_a_talk_can_be_about_a_lecture_or_a_file(begin, db):
    talking.lecture(db)
    asset = factories.asset(db)
    of_lecture, of_asset = begin(lecture_id="l1"), begin(asset_id=str(asset.id))
    assert (of_lecture.json["lecture_id"], of_lecture.json["video_id"]) == ("l1", None)
    assert of_asset.json["asset_id"] == str(asset.id)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Value error, exactly one of video_id, lecture_id, asset_id is needed"),
        ({"video_id": VIDEO, "lecture_id": "l1"}, "Value error, exactly one of"),
        ({"video_id": ""}, "Value error, video_id cannot be empty"),
        ({"video_id": "x" * 12}, "Value error, video_id must be a valid YouTube"),
        ({"video_id": f"{VIDEO}&list=1"}, "Value error, playlist URLs are not"),
        ({"video_id": VIDEO, "title": "x"}, "Extra inputs are not permitted"),
        ({"video_id": 7}, "Input should be a valid string"),
        ({"lecture_id": "a\0b"}, "Value error, lecture_id must be without NUL"),
    ],
)
def test_a_subject_that_cannot_be_one_leaves_nothing_behind(begin, db, body, message):
    reply = begin(**body)
    assert reply.status_code == 422
    assert reply.json["error"]["details"][0]["message"].startswith(message)
    assert (count(db, Conversation), count(db, Video)) == (0, 0)


def test_what_does_not_exist_is_not_found(begin):
    assert begin(lecture_id="none").json["error"]["message"] == "Lecture not found"
    reply = begin(asset_id=str(uuid4()))
    assert (reply.status_code, reply.json["error"]["code"]) == (404, "NOT_FOUND")


def test_another_person_s_lecture_is_not_found(begin, db, bob):
    owner = person(db, "carl@example.com")
    talking.lecture(db, owner_id=owner.id)
    assert begin(lecture_id="l1").status_code == 404
    assert begin(bob, lecture_id="l1").status_code == 404
    assert begin(guest(), lecture_id="l1").status_code == 404


def test_guests_talk_about_videos_and_open_lectures(begin, api, db):
    talking.lecture(db)
    assert begin(guest(), video_id=VIDEO).status_code == 201
    made = begin(guest(), lecture_id="l1")
    path = f"/v2/conversations/{made.json['id']}"
    assert api.get(path, headers=guest()).status_code == 200


def test_where_reading_needs_a_token_guests_get_no_lecture(begin, api, db, deps):
    talking.lecture(db)
    made = begin(guest(), lecture_id="l1").json
    closed = with_settings(deps, read_api_token=SecretStr("r" * 32))
    api.application.extensions["deps"] = closed
    path = f"/v2/conversations/{made['id']}"
    assert begin(guest(), lecture_id="l1").status_code == 404
    assert api.get(path, headers=guest()).status_code == 404
    assert begin(guest(), video_id=VIDEO).status_code == 201


def test_a_guest_s_id_is_stored_as_its_hash_only(begin, db):
    begin(guest(), video_id=VIDEO)
    with db.begin() as session:
        [stored] = session.scalars(select(Conversation.guest))
    assert re.fullmatch("[0-9a-f]{64}", stored)
    assert guest()["X-Guest-Session-ID"] not in stored


def test_nobody_sees_another_s_talk(begin, api, ann, bob):
    mine, theirs = begin(ann, video_id=VIDEO), begin(guest("g2"), video_id=VIDEO)
    for made, owner in ((mine, ann), (theirs, guest("g2"))):
        path = f"/v2/conversations/{made.json['id']}"
        assert api.get(path, headers=owner).status_code == 200
        for other in (bob, guest("g3"), guest("g2") | bob):
            for tail in ("", "/messages"):
                reply = api.get(path + tail, headers=other)
                assert reply.status_code == 404
                assert reply.json["error"]["message"] == "Conversation not found"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "abc",
            "Input should be a valid integer, unable to parse string as an integer",
        ),
        ("0", "Input should be greater than or equal to 1"),
        ("99999999999", "Input should be less than or equal to 2147483647"),
    ],
)
def test_a_number_that_cannot_be_one_is_told(api, ann, path, message):
    reply = api.get(f"/v2/conversations/{path}", headers=ann)
    assert reply.status_code == 422
    assert reply.json["error"]["details"][0]["message"] == message


def test_talks_are_listed_newest_first_with_their_titles(begin, api, db, ann, bob):
    talking.video(db, title="A video")
    talking.lecture(db, title="A lecture")
    first, second = begin(video_id=VIDEO).json, begin(lecture_id="l1").json
    begin(bob, video_id=VIDEO)
    message = {"conversation_id": first["id"], "role": "user", "content": "Hi"}
    factories.save(db, Message(**message))
    page = api.get("/v2/conversations", headers=ann).json
    listed = [(c["id"], c["title"], c["message_count"]) for c in page["conversations"]]
    assert listed == [(second["id"], "A lecture", 0), (first["id"], "A video", 1)]
    assert (page["total"], page["page"], page["total_pages"]) == (2, 1, 1)


def test_talks_come_in_pages_and_by_subject(begin, api, db, ann):
    talking.lecture(db)
    ids = [begin(video_id=VIDEO).json["id"] for _ in range(3)]
    begin(lecture_id="l1")
    page = api.get(
        f"/v2/conversations?video_id={VIDEO}&per_page=2&page=2", headers=ann
    ).json
    assert [c["id"] for c in page["conversations"]] == [ids[0]]
    assert (page["total"], page["total_pages"]) == (3, 2)
    beyond = api.get("/v2/conversations?page=9", headers=ann).json
    assert (beyond["conversations"], beyond["total"]) == ([], 4)


def test_a_list_costs_three_statements_however_long_it_is(
    begin, api, ann, db, statements
):
    found = talking.video(db)
    for number in range(5):
        talking.talk(db, found, guest=f"{number:064}")
        begin(video_id=VIDEO)
    statements.clear()
    assert api.get("/v2/conversations", headers=ann).json["total"] == 5
    assert len(statements) == 3  # who it is, how many, which


def test_a_long_term_token_is_no_person_here(begin):
    reply = begin({"Authorization": "Bearer wiz_" + "x" * 43}, video_id=VIDEO)
    assert reply.status_code == 401
    assert reply.json["error"]["message"] == "Missing Auth or Guest ID"


def test_a_guest_gets_a_session_id_that_nobody_guesses(api, begin):
    ids = {api.post("/v2/guests").json["guest_session_id"] for _ in range(5)}
    assert len(ids) == 5
    headers = {"X-Guest-Session-ID": ids.pop()}
    assert len(headers["X-Guest-Session-ID"]) <= 200
    assert begin(headers, video_id=VIDEO).status_code == 201


def test_an_id_of_ours_that_we_did_not_sign_is_refused(api, begin, deps):
    ours = guests.issue(deps.settings)
    for forged in (ours[:-1] + ("0" if ours[-1] != "0" else "1"), ours[:40], "g1." * 9):
        reply = begin({"X-Guest-Session-ID": forged}, video_id=VIDEO)
        assert (reply.status_code, forged) == (401, forged)


def test_ids_for_guests_are_given_out_slowly(api, deps):
    api.application.extensions["deps"] = with_settings(
        deps, write_rate_limit_max_requests=2
    )
    replies = [api.post("/v2/guests").status_code for _ in range(3)]
    assert replies == [201, 201, 429]


def test_talks_are_begun_slowly(begin, api, deps):
    api.application.extensions["deps"] = with_settings(
        deps, write_rate_limit_max_requests=2
    )
    replies = [begin(guest(f"g{n}"), video_id=VIDEO) for n in range(3)]
    assert [reply.status_code for reply in replies] == [201, 201, 429]
    assert replies[2].json["error"]["details"]["reset_in_seconds"] > 0
