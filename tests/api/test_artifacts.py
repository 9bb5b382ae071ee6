"""POST /lectures/{id}/generate and GET /lectures/{id}/artifacts."""

from uuid import UUID

import pytest

from common.models import Job
from tests import factories
from tests.api.guards import with_settings
from tests.conftest import make_api

TYPES = ("exam-questions", "flashcards", "key-terms", "outline", "summary")


@pytest.fixture
def lecture(db):
    return factories.lecture(db)


@pytest.fixture
def made(db, lecture):
    return [factories.artifact(db, artifact_type=name) for name in TYPES]


def test_asking_for_study_material_queues_a_job(api, db, queue, lecture):
    reply = api.post("/lectures/l1/generate", json={})
    assert reply.status_code == 200
    assert list(reply.json.items()) == [
        ("jobId", reply.json["jobId"]),
        ("status", "queued"),
        ("jobType", "generation"),
        ("courseId", "c1"),
        ("presetId", "exam-mode"),
    ]
    assert [str(task.job_id) for task in queue.take()] == [reply.json["jobId"]]
    with db.begin() as session:
        payload = session.get_one(Job, UUID(reply.json["jobId"])).payload
    assert payload == {"lecture_id": "l1", "provider": "extractive", "model": None}


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"llm_model": "a"}, "a"),
        ({"openai_model": "b"}, "b"),
        ({"llm_model": "a", "openai_model": "b"}, "a"),
    ],
)
def test_the_model_may_have_its_older_name(api, db, lecture, body, model):
    job_id = api.post("/lectures/l1/generate", json=body).json["jobId"]
    with db.begin() as session:
        assert session.get_one(Job, UUID(job_id)).payload["model"] == model


def test_asking_again_while_it_is_live_names_the_same_job(api, queue, lecture):
    first = api.post("/lectures/l1/generate", json={}).json
    queue.take()
    again = api.post("/lectures/l1/generate", json={"llm_model": "other"}).json
    assert again == {**first, "deduplicated": True}
    assert queue.take() == []


@pytest.mark.parametrize("preset", ["exam-mode", "exam"])
def test_course_and_preset_may_be_repeated(api, lecture, preset):
    body = {"course_id": "c1", "preset_id": preset}
    reply = api.post("/lectures/l1/generate", json=body)
    assert (reply.status_code, reply.json["presetId"]) == (200, "exam-mode")


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("none", {}, 404, "Lecture not found."),
        ("l1", {"preset_id": "nothing"}, 400, "Invalid preset_id."),
        ("l1", {"preset_id": ""}, 400, "Invalid preset_id."),
        ("none", {"preset_id": "nothing"}, 400, "Invalid preset_id."),
        ("l1", {"course_id": "c2"}, 400, "course_id does not match lecture."),
        ("l1", {"preset_id": "research"}, 400, "preset_id does not match lecture."),
    ],
)
def test_what_does_not_fit_the_lecture_is_refused(
    api, queue, lecture, path, body, status, text
):
    reply = api.post(f"/lectures/{path}/generate", json=body)
    assert (reply.status_code, reply.json["detail"]) == (status, text)
    assert queue.take() == []


def test_a_provider_that_we_do_not_have_is_refused(api, lecture):
    reply = api.post("/lectures/l1/generate", json={"llm_provider": "parrot"})
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "provider_unknown")


def test_a_provider_without_its_key_is_refused(api, lecture):
    reply = api.post("/lectures/l1/generate", json={"llm_provider": "openai"})
    assert reply.status_code == 400
    assert reply.json["error"]["code"] == "provider_not_configured"


def test_vertex_is_refused_where_our_account_has_no_role_for_it(deps, lecture, queue):
    project = {"google_cloud_project": "lectures-test"}
    body = {"llm_provider": "vertex"}
    without = make_api(with_settings(deps, vertex=False, **project))
    reply = without.post("/lectures/l1/generate", json=body)
    assert reply.status_code == 400
    assert "is not configured: set PEGASUS_VERTEX." in reply.text
    assert queue.take() == []
    allowed = make_api(with_settings(deps, **project))
    assert allowed.post("/lectures/l1/generate", json=body).status_code == 200


def test_without_a_transcript_the_job_fails_and_says_why(api, worker, queue, lecture):
    job_id = api.post("/lectures/l1/generate", json={}).json["jobId"]
    worker.run_all(queue)
    job = api.get(f"/jobs/{job_id}").json
    assert (job["status"], job["error"]) == ("failed", "Transcript not found.")


def test_artifacts_of_an_unknown_lecture_are_empty(api):
    reply = api.get("/lectures/none/artifacts")
    assert reply.status_code == 200
    assert list(reply.json.items()) == [
        ("lectureId", "none"),
        ("artifacts", {}),
        ("artifactRecords", []),
        ("pagination", reply.json["pagination"]),
        ("artifactPaths", {}),
        ("artifactDownloadUrls", {}),
        ("exportRecords", []),
        ("lecture", None),
    ]
    assert reply.json["pagination"]["total"] == 0


def test_artifacts_come_with_their_whole_documents(api, deps, made):
    reply = api.get("/lectures/l1/artifacts").json
    assert reply["artifacts"] == {one.artifact_type: one.document for one in made}
    assert reply["artifactPaths"] == {
        one.artifact_type: deps.storage.uri(one.object_key) for one in made
    }
    assert reply["lecture"] == api.get("/lectures/l1").json


def test_records_are_in_the_order_of_their_types(api, made):
    records = api.get("/lectures/l1/artifacts").json["artifactRecords"]
    assert tuple(one["artifact_type"] for one in records) == TYPES


def test_a_record_has_these_keys_and_no_others(api, deps, db, lecture):
    summary = factories.artifact(db, created_at=factories.minute(5))
    [record] = api.get("/lectures/l1/artifacts").json["artifactRecords"]
    assert list(record.items()) == [
        ("id", str(summary.id)),
        ("lecture_id", "l1"),
        ("course_id", "c1"),
        ("preset_id", "exam-mode"),
        ("artifact_type", "summary"),
        ("storage_path", deps.storage.uri(summary.object_key)),
        ("summary_overview", "Overview."),
        ("summary_section_count", 1),
        ("created_at", "2026-11-20T20:05:00.000000Z"),
    ]


def test_only_a_summary_has_an_overview(api, db, lecture):
    factories.artifact(db, artifact_type="outline")
    [record] = api.get("/lectures/l1/artifacts").json["artifactRecords"]
    assert record["summary_overview"] is None
    assert record["summary_section_count"] is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("artifact_type=summary", ["summary"]),
        ("artifact_type=Summary", []),
        ("artifact_type=poem", []),
        ("preset_id=exam", list(TYPES)),
        ("preset_id=research-mode", []),
        ("limit=2&offset=1", ["flashcards", "key-terms"]),
    ],
)
def test_filters_and_pages_choose_records_and_documents_alike(
    api, made, query, expected
):
    reply = api.get(f"/lectures/l1/artifacts?{query}").json
    assert [one["artifact_type"] for one in reply["artifactRecords"]] == expected
    assert list(reply["artifacts"]) == list(reply["artifactPaths"]) == expected
    assert reply["pagination"]["count"] == len(expected)


def test_exports_are_listed_whatever_the_filter(api, db, deps, lecture):
    found = factories.export(db, created_at=factories.minute(1))
    factories.export(db, export_type="anki", created_at=factories.minute(2))
    reply = api.get("/lectures/l1/artifacts?artifact_type=poem&limit=0").json
    assert reply["exportRecords"][1] == {
        "id": "l1-markdown",
        "lecture_id": "l1",
        "export_type": "markdown",
        "storage_path": deps.storage.uri(found.object_key),
        "created_at": "2026-11-20T20:01:00.000000Z",
    }
    assert [one["id"] for one in reply["exportRecords"]] == ["l1-anki", "l1-markdown"]


def test_another_lectures_artifacts_are_not_shown(api, db, made):
    factories.lecture(db, "l2")
    reply = api.get("/lectures/l2/artifacts").json
    assert (reply["artifacts"], reply["exportRecords"]) == ({}, [])
    assert reply["lecture"]["id"] == "l2"
