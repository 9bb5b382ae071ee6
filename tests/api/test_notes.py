"""Notes on videos: made by people and their tools, changed by their owner only."""

import pytest
from sqlalchemy import select

from common import events
from common.models import Job, Note, User, Video
from tests import video_steps
from tests.api.guards import with_settings
from tests.api.people import guest, person, signed_in
from tests.factories import minute
from tests.video_steps import ABOUT, ID, OTHER_ID

READ = [
    *("id", "video_id", "timestamp", "text", "generated_by_ai", "created_at"),
    *("updated_at", "user_id", "ai_error"),
]
PATH = f"/v2/videos/{ID}/notes"


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
def write(api, as_ann):
    def post(headers=as_ann, **body):
        return api.post(PATH, json={"timestamp": "1:23", **body}, headers=headers)

    return post


def saved(db, note_id):
    with db.begin() as session:
        return session.get(Note, note_id)


def jobs_of(db, kind):
    with db.begin() as session:
        return session.scalars(select(Job).where(Job.kind == kind)).all()


def test_a_note_is_answered_as_clients_know_it(write, ann):
    reply = write(text="  hi ")
    assert reply.status_code == 201
    assert list(reply.json) == READ
    assert reply.json == {
        **reply.json,
        "video_id": ID,
        "timestamp": "1:23",
        "text": "hi",
        "generated_by_ai": False,
        "user_id": ann.id,
        "ai_error": None,
    }
    assert reply.json["created_at"].endswith("+0000")


def test_the_video_becomes_known_and_what_it_lacks_is_fetched(write, db):
    write()
    with db.begin() as session:
        assert session.scalars(select(Video.video_id)).all() == [ID]
    for kind in ("metadata", "transcript"):
        [job] = jobs_of(db, kind)
        assert (job.queue, job.payload) == ("pull", {"video_id": ID})


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_a_blank_text_is_none(write, text):
    assert write(text=text).json["text"] is None


@pytest.mark.parametrize(
    "sent", [{"generated_by_ai": True}, {"user_id": 99}, {"id": 7}, {"ai_error": "x"}]
)
def test_nobody_chooses_what_is_ours_to_say(write, ann, sent):
    made = write(**sent).json
    assert (made["generated_by_ai"], made["user_id"]) == (False, ann.id)
    assert made["ai_error"] is None


@pytest.mark.parametrize("timestamp", ["0:05", "1:02:03", "<b>99:x1</b>", "12:3"])
def test_a_timestamp_is_kept_as_it_was_sent(write, timestamp):
    assert write(timestamp=timestamp).json["timestamp"] == timestamp


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"timestamp": "12"}, "timestamp", "Value error, timestamp must contain at l"),
        ({"timestamp": "a:1"}, "timestamp", "Value error, timestamp must contain at l"),
        ({"timestamp": 62}, "timestamp", "Input should be a valid string"),
        ({"timestamp": None}, "timestamp", "Input should be a valid string"),
        ({"timestamp": "1:" + "0" * 31}, "timestamp", "String should have at most 32"),
        ({"text": "x" * 10_001}, "text", "String should have at most 10000 charac"),
        ({"text": 5}, "text", "Input should be a valid string"),
        ({"text": "a\0"}, "text", "Input should be without NUL"),
        ({"video_title": "x" * 501}, "video_title", "String should have at most 500"),
    ],
)
def test_what_cannot_be_a_note_is_refused_and_nothing_kept(
    write, db, sent, field, message
):
    """W23: nothing is of any size."""
    reply = write(**sent)
    assert reply.status_code == 422
    [problem] = reply.json["error"]["details"]
    assert problem["field"] == f"body.{field}"
    assert problem["message"].startswith(message)
    with db.begin() as session:
        assert session.scalar(select(Video.id)) is None


def test_half_a_character_breaks_nothing(api, as_ann):
    body = '{"timestamp": "1:23", "text": "a\\ud800b"}'
    headers = as_ann | {"Content-Type": "application/json"}
    reply = api.post(PATH, data=body, headers=headers)
    assert reply.status_code == 422
    assert reply.json["error"]["details"][0]["type"] == "string_unicode"


def test_a_missing_timestamp_is_named(api, as_ann):
    reply = api.post(PATH, json={}, headers=as_ann)
    assert reply.json["error"]["details"] == [
        {"field": "body.timestamp", "message": "Field required", "type": "missing"}
    ]


def test_a_tool_with_a_long_term_token_may_write_and_nothing_else(api, as_ann, write):
    token = api.post("/v2/auth/tokens", headers=as_ann).json["token"]
    as_tool = {"Authorization": f"Bearer {token}"}
    made = write(headers=as_tool)
    assert made.status_code == 201
    path = f"/v2/notes/{made.json['id']}"
    assert api.get(PATH, headers=as_tool).status_code == 401
    assert api.patch(path, json={"text": "x"}, headers=as_tool).status_code == 401
    assert api.delete(path, headers=as_tool).status_code == 401


def test_a_guest_may_not(write):
    assert write(headers=guest()).status_code == 401


def test_own_notes_are_listed_in_the_order_in_which_they_were_made(
    api, db, ann, bob, as_ann
):
    video_steps.video(db)
    video_steps.video(db, OTHER_ID)
    second = video_steps.note(db, ann, created_at=minute(2))
    first = video_steps.note(db, ann, created_at=minute(1))
    third = video_steps.note(db, ann, created_at=minute(2))
    video_steps.note(db, bob)
    video_steps.note(db, ann, OTHER_ID)
    rows = api.get(PATH, headers=as_ann).json
    assert [row["id"] for row in rows] == [first.id, second.id, third.id]
    assert list(rows[0]) == READ


def test_of_a_video_that_nobody_knows_there_are_none(api, as_ann):
    reply = api.get(PATH, headers=as_ann)
    assert (reply.status_code, reply.json) == (200, [])


def test_a_text_is_changed_to_what_was_sent(api, db, ann, as_ann):
    video_steps.video(db)
    note = video_steps.note(db, ann, text="a", updated_at=minute(0))
    reply = api.patch(f"/v2/notes/{note.id}", json={"text": " b "}, headers=as_ann)
    assert reply.status_code == 200
    assert (reply.json["text"], reply.json["generated_by_ai"]) == (" b ", False)
    assert reply.json["updated_at"] > "2026-11-20T20:00:00+0000"
    assert saved(db, note.id).text == " b "


def test_the_current_client_says_who_wrote_it(api, db, ann, as_ann):
    video_steps.video(db)
    note = video_steps.note(db, ann, text="a", generated_by_ai=True)
    path = f"/v2/notes/{note.id}"
    older = api.patch(path, json={"text": ""}, headers=as_ann).json
    assert (older["text"], older["generated_by_ai"]) == ("", True)
    body = {"text": "x", "generated_by_ai": False}
    assert api.patch(path, json=body, headers=as_ann).json["generated_by_ai"] is False


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "No fields provided for update"),
        ({"text": None, "generated_by_ai": None}, 400, "No fields provided for update"),
        ({"timestamp": "1:00"}, 422, "Request validation failed"),
        ({"text": "x" * 10_001}, 422, "Request validation failed"),
        ({"generated_by_ai": "maybe"}, 422, "Request validation failed"),
    ],
)
def test_a_change_of_nothing_or_of_too_much_is_refused(
    api, db, ann, as_ann, body, status, message
):
    video_steps.video(db)
    note = video_steps.note(db, ann, text="a")
    reply = api.patch(f"/v2/notes/{note.id}", json=body, headers=as_ann)
    assert (reply.status_code, reply.json["error"]["message"]) == (status, message)
    assert saved(db, note.id).text == "a"


def test_a_note_is_deleted_once_and_the_video_stays(api, db, ann, as_ann):
    video_steps.video(db)
    note = video_steps.note(db, ann)
    path = f"/v2/notes/{note.id}"
    assert api.delete(path, headers=as_ann).json == {
        "message": "Note deleted successfully"
    }
    again = api.delete(path, headers=as_ann)
    assert (again.status_code, again.json["error"]["message"]) == (
        404,
        "Note not found",
    )
    with db.begin() as session:
        assert session.scalar(select(Video.id))


def test_another_s_note_is_not_found_whatever_is_wrong_with_the_request(
    api, db, bob, as_ann
):
    video_steps.video(db)
    note = video_steps.note(db, bob, text="Bob's")
    for path in (f"/v2/notes/{note.id}", "/v2/notes/999999"):
        for body in ({"text": "x"}, {"wrong": 1}):
            reply = api.patch(path, json=body, headers=as_ann)
            assert reply.status_code == 404
            assert reply.json["error"]["message"] == "Note not found"
        assert api.delete(path, headers=as_ann).status_code == 404
    assert saved(db, note.id).text == "Bob's"


@pytest.mark.parametrize("number", ["0", "-1", "abc", str(2**31)])
def test_a_number_that_no_note_has_is_refused(api, as_ann, number):
    reply = api.delete(f"/v2/notes/{number}", headers=as_ann)
    assert reply.status_code == 422
    assert reply.json["error"]["details"][0]["field"] == "path.note_id"
    assert api.delete(f"/v2/notes/{number}").status_code == 401


@pytest.fixture
def heard(db):
    """A video with a transcript."""
    found = video_steps.video(db, about=ABOUT)
    video_steps.heard(db, found)


@pytest.fixture
def wants_notes(db, ann):
    with db.begin() as session:
        session.get_one(User, ann.id).ai_notes_enabled = True


def test_an_empty_note_is_written_by_a_job(
    heard, wants_notes, write, db, worker, queue
):
    note_id = write(timestamp="0:07").json["id"]
    assert worker.run_all(queue) == 1
    note = saved(db, note_id)
    assert note.generated_by_ai
    assert 40 <= len(note.text) <= 120


def test_one_with_a_text_is_not(heard, wants_notes, write, db):
    write(text="Mine")
    assert jobs_of(db, "ai_note") == []


def test_nor_one_of_a_person_who_does_not_want_it(heard, write, db):
    write()
    assert jobs_of(db, "ai_note") == []


def test_nor_before_there_is_a_transcript(wants_notes, write, db):
    write()
    assert jobs_of(db, "ai_note") == []


def test_it_is_told_to_writers_outside_where_these_are_to_write(
    heard, wants_notes, api, deps, db, as_ann, ann
):
    told: list[events.Event] = []
    api.application.extensions["deps"] = with_settings(deps, ai_notes="events")
    note_id = api.post(PATH, json={"timestamp": "1:16"}, headers=as_ann).json["id"]
    events.drain(deps.db, told.append)
    [event] = told
    assert (event.type, event.subject) == ("note.waiting", f"video:{ID}")
    assert event.data == {
        "id": note_id,
        "video_id": ID,
        "timestamp": "1:16",
        "user_id": ann.id,
    }
    assert jobs_of(db, "ai_note") == []


def test_each_request_costs_so_many_statements(
    heard, wants_notes, api, db, ann, as_ann, write, statements
):
    """The caller is looked up first (1), and each write is counted (1)."""
    for _ in range(5):
        video_steps.note(db, ann, text="x")
    path = f"/v2/notes/{video_steps.note(db, ann).id}"
    costs = {}
    for name, call in (
        ("list", lambda: api.get(PATH, headers=as_ann)),
        ("create", lambda: write(text="x")),
        ("have written", write),
        ("change", lambda: api.patch(path, json={"text": "y"}, headers=as_ann)),
        ("delete", lambda: api.delete(path, headers=as_ann)),
    ):
        statements.clear()
        assert call().status_code < 300
        costs[name] = len(statements)
    assert costs == {
        "list": 2,
        "create": 5,
        "have written": 9,  # the job (2), and its task (3)
        "change": 5,
        "delete": 4,
    }
