"""GET /lectures and what hangs below one lecture: itself, progress, summary."""

import pytest

from tests import factories
from tests.factories import minute

ROW = [
    *("id", "course_id", "preset_id", "title", "status", "audio_path"),
    *("transcript_path", "created_at", "updated_at", "source_type", "user_id"),
]
STAGE = {"status", "jobId", "createdAt", "updatedAt", "error", "progressPercent"}
LINKS = {
    "summary": "/lectures/l1/summary",
    "progress": "/lectures/l1/progress",
    "artifacts": "/lectures/l1/artifacts",
    "jobs": "/lectures/l1/jobs",
}


@pytest.fixture
def three(db):
    """Three lectures, made in the order a, b, c."""
    factories.lecture(db, "a", created_at=minute(1), status="transcribed")
    factories.lecture(db, "b", created_at=minute(2), course_id="c2")
    factories.lecture(
        db, "c", created_at=minute(3), preset_id="research-mode", status="transcribed"
    )


def ids(reply):
    assert reply.status_code == 200
    return [one["id"] for one in reply.json["lectures"]]


def test_a_lecture_has_these_keys_and_no_others(api, db, deps):
    found = factories.lecture(db, title="Vaccines", created_at=minute(1))
    row = api.get("/lectures/l1").json
    assert list(row) == ROW
    assert row == {
        "id": "l1",
        "course_id": "c1",
        "preset_id": "exam-mode",
        "title": "Vaccines",
        "status": "uploaded",
        "audio_path": deps.storage.uri(found.recording.object_key),
        "transcript_path": None,
        "created_at": "2026-11-20T20:01:00.000000Z",
        "updated_at": row["updated_at"],
        "source_type": "audio",
        "user_id": None,
    }


def test_a_transcribed_lecture_names_its_transcript(api, db, deps):
    found = factories.lecture(db)
    made = factories.transcript(db, deps.storage, found, "Hello.")
    row = api.get("/lectures/l1").json
    assert row["transcript_path"] == deps.storage.uri(made.object_key)


def test_a_lecture_from_a_document_says_so(api, db):
    made = factories.recording(db, kind="pdf")
    factories.lecture(db, recording_id=made.id)
    assert api.get("/lectures/l1").json["source_type"] == "pdf"


@pytest.mark.parametrize(
    "path", ["", "/progress", "/summary", "/jobs", "/transcript", "/media"]
)
def test_what_is_below_an_unknown_lecture_is_not_found(api, path):
    reply = api.get(f"/lectures/none{path}")
    assert (reply.status_code, reply.json["detail"]) == (404, "Lecture not found.")


def test_lectures_are_listed_newest_first(api, three):
    reply = api.get("/lectures")
    assert list(reply.json) == ["lectures", "pagination"]
    assert ids(reply) == ["c", "b", "a"]
    assert list(reply.json["lectures"][0]) == ROW


def test_a_listed_lecture_is_shown_as_alone(api, three):
    assert api.get("/lectures").json["lectures"][0] == api.get("/lectures/c").json


def test_without_lectures_the_list_is_empty(api):
    reply = api.get("/lectures")
    assert reply.json["lectures"] == []
    assert reply.json["pagination"]["total"] == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("course_id=c1", ["c", "a"]),
        ("course_id=c2", ["b"]),
        ("course_id=unknown", []),
        ("status=transcribed", ["c", "a"]),
        ("status=Transcribed", []),
        ("preset_id=research-mode", ["c"]),
        ("preset_id=research", ["c"]),
        ("preset_id=exam", ["b", "a"]),
        ("course_id=c1&status=transcribed&preset_id=exam-mode", ["a"]),
        ("course_id=", []),
    ],
)
def test_filters_are_exact_and_all_count(api, three, query, expected):
    reply = api.get(f"/lectures?{query}")
    assert ids(reply) == expected
    assert reply.json["pagination"]["total"] == len(expected)


@pytest.mark.parametrize("path", ["/lectures", "/lectures/l1/artifacts"])
@pytest.mark.parametrize("preset", ["nothing", "", "EXAM", "exam-mode "])
def test_an_unknown_preset_is_no_filter(api, path, preset):
    reply = api.get(path, query_string={"preset_id": preset})
    assert (reply.status_code, reply.json["detail"]) == (400, "Invalid preset_id.")


def test_lectures_of_the_same_moment_have_a_fixed_order(api, db):
    for name in ("m", "k", "l"):
        factories.lecture(db, name, created_at=minute(1))
    pages = [ids(api.get(f"/lectures?limit=1&offset={n}"))[0] for n in range(3)]
    assert pages == ids(api.get("/lectures")) == ["m", "l", "k"]


def test_progress_of_a_fresh_lecture(api, db):
    factories.lecture(db)
    not_started = {
        **dict.fromkeys(("jobId", "createdAt", "updatedAt", "error")),
        "status": "not_started",
        "progressPercent": 0,
    }
    assert api.get("/lectures/l1/progress").json == {
        "lectureId": "l1",
        "lectureStatus": "uploaded",
        "stageCount": 3,
        "completedStageCount": 0,
        "overallStatus": "not_started",
        "progressPercent": 0,
        "currentStage": "transcription",
        "hasFailedStage": False,
        "stages": dict.fromkeys(("transcription", "generation", "export"), not_started),
        "links": LINKS,
    }


@pytest.mark.parametrize(
    ("states", "overall", "percent", "current", "failed"),
    [
        (["queued"], "in_progress", 0, "transcription", False),
        (["running"], "in_progress", 0, "transcription", False),
        (["waiting"], "in_progress", 0, "transcription", False),
        (["succeeded"], "in_progress", 33, "generation", False),
        (["succeeded", "queued"], "in_progress", 33, "generation", False),
        (["succeeded", "succeeded"], "in_progress", 66, "export", False),
        (["succeeded"] * 3, "completed", 100, "completed", False),
        (["failed"], "failed", 0, "transcription", True),
        (["succeeded", "failed"], "failed", 33, "generation", True),
        (["succeeded", "failed", "succeeded"], "failed", 66, "generation", True),
        (["succeeded", "succeeded", "cancelled"], "failed", 66, "export", True),
    ],
)
def test_stages_amount_to_the_lectures_progress(
    api, db, states, overall, percent, current, failed
):
    factories.lecture(db)
    for kind, state in zip(factories.QUEUES, states, strict=False):
        factories.job(db, kind=kind, state=state)
    expected = {
        "overallStatus": overall,
        "progressPercent": percent,
        "currentStage": current,
        "hasFailedStage": failed,
    }
    progress = api.get("/lectures/l1/progress").json
    assert {name: progress[name] for name in expected} == expected
    assert progress["completedStageCount"] == states.count("succeeded")
    summary = api.get("/lectures/l1/summary").json
    assert {name: summary[name] for name in expected} == expected
    assert summary["stages"] == progress["stages"]


def test_the_newest_job_of_a_stage_counts(api, db):
    factories.lecture(db)
    factories.job(db, state="failed", created_at=minute(2), error_detail="No sound.")
    factories.job(db, state="succeeded", created_at=minute(1))
    stage = api.get("/lectures/l1/progress").json["stages"]["transcription"]
    assert (stage["status"], stage["error"]) == ("failed", "No sound.")
    newest = factories.job(db, state="running", created_at=minute(3), progress=40)
    stage = api.get("/lectures/l1/progress").json["stages"]["transcription"]
    assert set(stage) == STAGE
    assert stage["status"] == "running"
    assert stage["jobId"] == str(newest.id)
    assert stage["createdAt"] == "2026-11-20T20:03:00.000000Z"
    assert (stage["error"], stage["progressPercent"]) == (None, 40)


def test_another_lectures_jobs_do_not_count(api, db):
    factories.lecture(db)
    factories.lecture(db, "l2")
    factories.job(db, "l2", state="failed")
    assert api.get("/lectures/l1/progress").json["overallStatus"] == "not_started"


def test_a_summary_has_these_keys_and_no_others(api, db):
    factories.lecture(db)
    assert api.get("/lectures/l1/summary").json == {
        "lecture": api.get("/lectures/l1").json,
        "artifactCount": 0,
        "exportCount": 0,
        "artifactTypes": [],
        "exportTypes": [],
        "overallStatus": "not_started",
        "progressPercent": 0,
        "currentStage": "transcription",
        "hasFailedStage": False,
        "stages": api.get("/lectures/l1/progress").json["stages"],
        "links": {**LINKS, "exports": "/exports/l1/{export_type}"},
    }


def test_a_summary_names_what_was_made_in_the_order_of_names(api, db):
    factories.lecture(db)
    factories.lecture(db, "l2")
    for name in ("summary", "key-terms", "flashcards"):
        factories.artifact(db, artifact_type=name)
    factories.artifact(db, "l2", "outline")
    for name in ("pdf", "anki"):
        factories.export(db, export_type=name)
    found = api.get("/lectures/l1/summary").json
    assert found["artifactTypes"] == ["flashcards", "key-terms", "summary"]
    assert found["exportTypes"] == ["anki", "pdf"]
    assert (found["artifactCount"], found["exportCount"]) == (3, 2)
