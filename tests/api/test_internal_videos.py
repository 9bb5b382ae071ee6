"""What writers and helpers outside may read and write, of any video and any note."""

import pytest
from sqlalchemy import select, update

from common.models import Job, Note, SegmentRecord, TranscriptRecord, Video
from tests import video_steps
from tests.api.people import ADMIN, person, signed_in
from tests.factories import minute
from tests.video_steps import ABOUT, ID, LINES


@pytest.fixture
def ann(db):
    return person(db, ai_notes_enabled=True)


@pytest.fixture
def post(api):
    def send(what, **body):
        return api.post(f"/v2/internal/videos/{ID}/{what}", json=body, headers=ADMIN)

    return send


@pytest.fixture
def patch(api):
    def send(note_id, **body):
        return api.patch(f"/v2/internal/notes/{note_id}", json=body, headers=ADMIN)

    return send


def saved(db, model=Video):
    with db.begin() as session:
        return session.scalars(select(model)).first()


def test_any_video_is_shown(api, db):
    video_steps.video(db, title="Cells")
    shown = api.get(f"/v2/internal/videos/{ID}", headers=ADMIN)
    assert (shown.status_code, shown.json["title"]) == (200, "Cells")


def test_one_that_nobody_knows_is_not_found(api):
    for path in (f"/v2/internal/videos/{ID}", f"/v2/internal/videos/{ID}/ai-notes"):
        reply = api.get(path, headers=ADMIN)
        assert (reply.status_code, reply.json["error"]["message"]) == (
            404,
            "Video not found",
        )


def test_a_transcript_is_stored_unasked_and_the_next_one_replaces_it(db, deps, post):
    first = post("transcript", transcript=LINES)
    assert (first.status_code, first.json["transcript_available"]) == (200, True)
    key = saved(db, TranscriptRecord).object_key
    post("transcript", transcript=LINES[:1], language="de")
    again = saved(db, TranscriptRecord)
    assert (again.job_id, again.language) == (None, "de")
    assert again.object_key != key
    with db.begin() as session:
        assert len(session.scalars(select(SegmentRecord.text)).all()) == 1
    assert deps.storage.size_bytes(again.object_key)


def test_an_empty_one_is_refused_and_nothing_kept(db, post, storage_dir):
    """W28: then chats would be about nothing, for ever."""
    for lines in ([], [{"text": " "}]):
        reply = post("transcript", transcript=lines)
        assert reply.status_code == 422
        assert reply.json["error"]["message"] == "The transcript is empty"
    assert saved(db) is None
    assert not storage_dir.exists()


def test_metadata_are_stored_and_the_next_ones_replace_them(db, post):
    assert post("metadata", metadata=ABOUT).json["title"] == ABOUT["title"]
    shown = post("metadata", metadata={"duration": 5}).json
    assert (shown["metadata"], shown["title"]) == ({"duration": 5}, ABOUT["title"])


@pytest.mark.parametrize("title", [None, 5, "", " \n", ["x"]])
def test_a_title_that_is_none_leaves_the_one_before(post, title):
    post("metadata", metadata=ABOUT)
    shown = post("metadata", metadata={"title": title}).json
    assert shown["title"] == ABOUT["title"]


def test_a_summary_is_stored_as_both_generations_of_writers_send_it(post):
    shown = post("summary", summary="S").json
    assert (shown["summary"], shown["suggested_questions"]) == ("S", None)
    questions = ["One?", "Two?", "Three?"]
    shown = post("summary", miscellaneous_data={"suggested_questions": questions}).json
    assert (shown["summary"], shown["suggested_questions"]) == ("S", questions)
    assert post("summary", summary=None).json["summary"] == "S"


@pytest.mark.parametrize(
    "body",
    [
        {"summary": "x" * 10_001},
        {"summary": 5},
        {"miscellaneous_data": {"suggested_questions": ["One?", "Two?"]}},
        {"miscellaneous_data": {"suggested_questions": ["A?", "A?", "B?"]}},
        {"miscellaneous_data": {"suggested_questions": ["A?", " ", "B?"]}},
        {"miscellaneous_data": {"suggested_questions": ["A?", "B?", "x" * 501]}},
    ],
)
def test_another_summary_is_refused(db, post, body):
    assert post("summary", **body).status_code == 422
    assert saved(db) is None


def test_none_of_them_has_anything_fetched(db, post):
    post("transcript", transcript=LINES)
    post("metadata", metadata=ABOUT)
    with db.begin() as session:
        assert session.scalars(select(Job.kind)).all() == ["video_summary"]


def test_notes_that_wait_are_listed_oldest_first(api, db, ann):
    video_steps.video(db)
    bob = person(db, "bob@example.com")
    second = video_steps.note(db, ann, text="", created_at=minute(2))
    first = video_steps.note(db, ann, created_at=minute(1))
    video_steps.note(db, ann, text="Written")
    video_steps.note(db, bob)
    shown = api.get(f"/v2/internal/videos/{ID}/ai-notes", headers=ADMIN).json
    assert [row["id"] for row in shown["notes"]] == [first.id, second.id]
    assert {**shown, "notes": []} == {
        "video_id": ID,
        "notes": [],
        "message": "Successfully retrieved notes for AI note generation.",
    }


def test_where_none_waits_that_is_said(api, db):
    video_steps.video(db)
    reply = api.get(f"/v2/internal/videos/{ID}/ai-notes", headers=ADMIN)
    assert (reply.status_code, reply.json["error"]["message"]) == (
        404,
        "No notes found for users with AI notes enabled",
    )


def test_a_listing_costs_two_statements(api, db, ann, statements):
    video_steps.video(db)
    for _ in range(7):
        video_steps.note(db, ann)
    statements.clear()
    api.get(f"/v2/internal/videos/{ID}/ai-notes", headers=ADMIN)
    assert len(statements) == 2, statements


@pytest.mark.parametrize("text", [None, ""])
def test_a_note_gets_the_text_that_a_writer_made(db, ann, patch, text):
    video_steps.video(db)
    note = video_steps.note(db, ann, text=text, ai_error="provider_auth")
    reply = patch(note.id, text="By a model.", generated_by_ai=True)
    assert reply.status_code == 200
    assert (reply.json["text"], reply.json["generated_by_ai"]) == ("By a model.", True)
    assert reply.json["ai_error"] is None


def test_never_over_what_a_person_wrote(api, deps, db, ann, patch):
    """W7, W30: one token for all writers used to be able to rewrite any note."""
    video_steps.video(db)
    note = video_steps.note(db, ann)
    headers = signed_in(deps, ann)
    api.patch(f"/v2/notes/{note.id}", json={"text": "Mine"}, headers=headers)
    reply = patch(note.id, text="By a model.", generated_by_ai=True)
    assert reply.status_code == 200
    assert (reply.json["text"], reply.json["generated_by_ai"]) == ("Mine", False)
    assert saved(db, Note).text == "Mine"


def test_a_text_that_is_delivered_twice_is_written_once(db, ann, patch):
    video_steps.video(db)
    note = video_steps.note(db, ann)
    for text in ("First.", "Second."):
        patch(note.id, text=text, generated_by_ai=True)
    assert saved(db, Note).text == "First."


def test_a_change_of_nothing_changes_nothing(db, ann, patch):
    video_steps.video(db)
    note = video_steps.note(db, ann)
    with db.begin() as session:
        session.execute(update(Note).values(updated_at=minute(0)))
    reply = patch(note.id)
    assert (reply.status_code, reply.json["updated_at"]) == (
        200,
        "2026-11-20T20:00:00+0000",
    )


def test_a_key_that_nobody_knows_and_a_note_that_there_is_not(db, ann, patch):
    video_steps.video(db)
    note = video_steps.note(db, ann)
    assert patch(note.id, timestamp="1:00").status_code == 422
    assert patch(999_999, timestamp="1:00").status_code == 404


def test_a_person_may_not(api, deps, ann):
    for headers, status in ((signed_in(deps, ann), 403), ({}, 401)):
        for reply in (
            api.post(f"/v2/internal/videos/{ID}/transcript", headers=headers),
            api.post(f"/v2/internal/videos/{ID}/metadata", headers=headers),
            api.post(f"/v2/internal/videos/{ID}/summary", headers=headers),
        ):
            assert reply.status_code == status
