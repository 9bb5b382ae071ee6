"""GET /lectures/{id}/integrity: is everything there that the database speaks of?"""

from io import BytesIO

import pytest

from tests import factories


@pytest.fixture
def lecture(db):
    return factories.lecture(db)


def integrity(api):
    reply = api.get("/lectures/l1/integrity")
    assert reply.status_code == 200
    return reply.json


def states(api):
    return [(one["kind"], one["state"]) for one in integrity(api)["checks"]]


def test_a_fresh_upload_lacks_its_transcript(api, deps, lecture):
    stored = factories.media(deps.storage, lecture)
    assert integrity(api) == {
        "lectureId": "l1",
        "status": "degraded",
        "missingCount": 1,
        "checkCount": 2,
        "checks": [
            {
                "kind": "audio",
                "path": deps.storage.uri(stored.key),
                "exists": True,
                "state": "ok",
            },
            {
                "kind": "transcript",
                "path": None,
                "exists": False,
                "state": "missing_reference",
            },
        ],
    }


def test_a_whole_lecture_is_whole(api, ingest, worker, queue):
    ingest()
    worker.run_all(queue)
    for verb in ("generate", "export"):
        api.post(f"/lectures/l1/{verb}", json={})
        worker.run_all(queue)
    found = integrity(api)
    assert (found["status"], found["missingCount"]) == ("ok", 0)
    assert found["checkCount"] == len(found["checks"]) == 13
    assert all(one["exists"] and one["state"] == "ok" for one in found["checks"])


def test_recording_and_transcript_come_before_artifacts_and_exports(
    api, db, deps, lecture
):
    factories.media(deps.storage, lecture)
    factories.transcript(db, deps.storage, lecture, "Said.")
    for name in ("summary", "flashcards", "key-terms"):
        factories.artifact(db, artifact_type=name)
    for name in ("pdf", "anki"):
        factories.export(db, export_type=name)
    assert states(api) == [
        ("audio", "ok"),
        ("transcript", "ok"),
        ("artifact:flashcards", "missing_file"),
        ("artifact:key-terms", "missing_file"),
        ("artifact:summary", "missing_file"),
        ("export:anki", "missing_file"),
        ("export:pdf", "missing_file"),
    ]


def test_a_file_that_is_lost_is_missed_by_its_path(api, db, deps, lecture):
    made = factories.transcript(db, deps.storage, lecture, "Said.")
    deps.storage.delete(made.object_key)
    factories.media(deps.storage, lecture)
    found = integrity(api)
    assert (found["status"], found["missingCount"]) == ("degraded", 1)
    assert found["checks"][1] == {
        "kind": "transcript",
        "path": deps.storage.uri(made.object_key),
        "exists": False,
        "state": "missing_file",
    }


def test_storage_that_is_empty_lacks_everything(api, deps, lecture, db):
    """Not even its folder is there."""
    factories.export(db)
    assert not deps.settings.storage_dir.exists()
    found = integrity(api)
    assert found["missingCount"] == found["checkCount"] == 3
    assert not any(one["exists"] for one in found["checks"])


def test_other_lectures_files_are_not_counted(api, db, deps, lecture):
    other = factories.lecture(db, "l2")
    factories.transcript(db, deps.storage, other, "Said.")
    factories.artifact(db, "l2")
    assert integrity(api)["checkCount"] == 2


def test_a_file_that_comes_back_is_there_again(api, db, deps, lecture):
    row = factories.artifact(db)
    assert states(api)[2] == ("artifact:summary", "missing_file")
    deps.storage.write(row.object_key, BytesIO(b"{}"))
    assert states(api)[2] == ("artifact:summary", "ok")


def test_an_unknown_lecture_is_not_found(api):
    reply = api.get("/lectures/none/integrity")
    assert (reply.status_code, reply.json["detail"]) == (404, "Lecture not found.")
