"""How many statements each route costs: exactly, and whatever the number of rows."""

import io

import pytest

from api_service.routes.projects import TWIN
from tests import factories
from tests.conftest import spoken_wav
from tests.factories import minute
from tests.sending import sender

BODY = {"title": "A course"}
NOWHERE = "00000000-0000-0000-0000-000000000000"

# A new route gets a row. A write is counted against its client's limit (1). One that
# asks for work finds and locks the lecture (1), writes the job with its promise (1),
# takes and keeps the promise (2) and reads the job's state (1).
COSTS = [
    ("GET", "/health", 0),
    ("GET", "/health/live", 0),
    ("GET", "/health/ready", 1),
    ("GET", "/presets", 0),
    ("GET", "/presets/exam-mode", 0),
    ("GET", "/openapi.json", 0),
    ("GET", "/docs", 0),
    ("GET", "/lectures", 2),
    ("GET", "/lectures?course_id=c1&status=uploaded&preset_id=exam&limit=5", 2),
    ("GET", "/lectures/l0", 1),
    ("GET", "/lectures/l0/progress", 2),
    ("GET", "/lectures/l0/summary", 3),
    ("GET", "/lectures/l0/jobs", 3),
    ("GET", "/lectures/l0/artifacts", 5),
    ("GET", "/lectures/l0/transcript", 2),
    ("GET", "/lectures/l0/media", 1),
    ("GET", "/lectures/l0/integrity", 3),
    ("GET", "/courses", 2),
    ("GET", "/courses/c1", 1),
    ("GET", "/courses/c1/lectures", 3),
    ("GET", "/courses/c1/progress", 3),
    ("GET", "/courses/c1/threads", 4),
    ("GET", f"/threads/{NOWHERE}", 1),
    ("GET", f"/jobs/{NOWHERE}", 1),
    ("GET", "/jobs/dead-letter", 2),
    ("GET", "/search?q=one", 3),  # and one that marks the words, see test_search
    ("GET", "/ops/metrics", 4),
    ("GET", "/ops/metrics/prometheus", 4),
    ("GET", "/ops/deletion-audit", 2),
    ("GET", "/exports/l0/pdf", 1),
    ("POST", "/lectures/l1/transcribe", 7),
    ("POST", "/lectures/l1/generate", 6),
    ("POST", "/lectures/l1/export", 6),
    ("POST", "/courses", 3),
    ("GET", f"/uploads/{NOWHERE}", 1),
    ("POST", f"/uploads/{NOWHERE}/complete", 2),
    ("DELETE", f"/uploads/{NOWHERE}", 2),
    ("PUT", f"/uploads/{NOWHERE}/content?token=x", 1),
]


def fill(db, deps, size):
    """Make so many lectures, and so many jobs and files of the first one."""
    for number in range(size):
        lecture = factories.lecture(db, f"l{number}", created_at=minute(number))
        for kind in factories.QUEUES:
            factories.job(
                db, "l0", kind=kind, state="failed", created_at=minute(number)
            )
        factories.artifact(db, "l0", f"type-{number}")
        factories.export(db, "l0", f"format-{number}")
        if number == 0:
            factories.transcript(db, deps.storage, lecture, "One.")
            factories.media(deps.storage, lecture)


def cost(api, statements, method, path):
    statements.clear()
    reply = api.open(path, method=method, json=BODY if method == "POST" else None)
    assert reply.status_code in (200, 201, 404), reply.text
    return len(statements)


@pytest.mark.parametrize(("method", "path", "expected"), COSTS)
def test_a_request_costs_these_statements(
    api, db, deps, statements, method, path, expected
):
    fill(db, deps, 2)
    assert cost(api, statements, method, path) == expected, statements


def test_no_read_costs_more_when_there_are_more_rows(api, db, deps, statements):
    fill(db, deps, 25)
    reads = [row for row in COSTS if row[0] == "GET"]
    found = [(m, path, cost(api, statements, m, path)) for m, path, _ in reads]
    assert found == reads


def test_every_route_has_a_row(api):
    adapter = api.application.url_map.bind("localhost")
    measured = {
        adapter.match(path.partition("?")[0], method=method)[0]
        for method, path, _ in COSTS
    }
    theirs = {  # see test_project_*: how much they do depends on what is sent
        endpoint
        for endpoint in api.application.view_functions
        if endpoint.removeprefix(TWIN).startswith("project_")
    }
    assert set(api.application.view_functions) - measured - theirs == {
        "documentation.asset",
        "recordings.ingest",  # below
        "uploads.announce",
        "uploads.sign",
        "deletions.delete_course",  # these cost more, the more there is to do
        "deletions.delete_lecture",
        "dead_letters.replay",
        "dead_letters.replay_batch",
        "v2_auth.register",  # see test_v2_accounts
        "v2_auth.login",
        "v2_auth.google",
        "v2_auth.create_token",
        "v2_auth.revoke_token",
        "v2_users.me",  # see test_v2_profile
        "v2_users.change_me",
        "v2_payments.products",
        "v2_videos.index",  # these are for people and helpers: see test_videos,
        "v2_videos.get",
        "v2_videos.stream",
        "v2_notes.of_video",  # test_notes,
        "v2_notes.create",
        "v2_notes.change",
        "v2_notes.remove",
        "v2_internal_tasks.claim",  # test_internal_tasks,
        "v2_internal_tasks.submit",
        "v2_internal.waiting_notes",  # and test_internal_videos
        "v2_internal.get_video",
        "v2_internal.put_transcript",
        "v2_internal.put_metadata",
        "v2_internal.put_summary",
        "v2_internal.write_note",
        "v2_conversations.create",  # test_conversations
        "v2_conversations.list_all",
        "v2_conversations.get",
        "v2_messages.list_all",  # test_messages
        "v2_messages.ask",
        "v2_guests.create",
        "chat.answer",  # and test_chat
        "lecture_events.events",  # a stream holds no connection: test_lecture_events
    }


@pytest.mark.parametrize(("auto_transcribe", "expected"), [("true", 11), ("false", 8)])
def test_an_upload_costs_these_statements(
    ingest, statements, auto_transcribe, expected
):
    statements.clear()
    ingest(auto_transcribe=auto_transcribe)
    assert len(statements) == expected, statements


def test_replacing_a_recording_costs_these_statements(ingest, statements):
    ingest()
    statements.clear()
    ingest()
    assert len(statements) == 21, statements


def test_an_upload_in_pieces_costs_these_statements(api, statements):
    upload, costs = sender(api, spoken_wav()), {}
    for name, act in (
        ("send", lambda: upload.send(0, 1000)),
        ("ask", upload.ask),
        ("show", upload.show),
        ("send the rest", lambda: upload.send(1000)),
        ("complete", upload.complete),
        ("complete again", upload.complete),
    ):
        statements.clear()
        act()
        costs[name] = len(statements)
    assert costs == {
        "send": 1,
        "ask": 1,
        "show": 1,
        "send the rest": 2,  # the second one looks whether it is wanted still
        "complete": 15,
        "complete again": 3,
    }


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/uploads", {"contentType": "audio/wav", "sizeBytes": 9}),
        ("/upload/signed-url", {"content_type": "audio/wav"}),
    ],
)
def test_announcing_an_upload_costs_these_statements(api, statements, path, told):
    statements.clear()
    assert api.post(path, json={"filename": "a.wav", **told}).status_code < 300
    assert len(statements) == 6, statements


def test_an_upload_that_is_refused_costs_only_its_count(api, statements):
    form: dict[str, object] = {
        "course_id": "c1",
        "lecture_id": "l1",
        "preset_id": "exam",
        "title": "T",
    }
    for content, status in ((b"no sound", 422), (spoken_wav(), 400)):
        form["audio"] = (io.BytesIO(content), "talk.wav")
        statements.clear()
        assert api.post("/lectures/ingest", data=form).status_code == status
        assert len(statements) == 1, statements
        form |= {"lecture_id": "../l1"}
