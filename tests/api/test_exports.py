"""POST /lectures/{id}/export, GET /exports/{id}/{type} and the recording itself."""

from io import BytesIO

import pytest

from common.exports import FORMATS
from tests import factories

CONTENT = bytes(range(256)) * 4
FILES = {
    "markdown": (".md", "text/markdown; charset=utf-8"),
    "anki": (".csv", "text/csv; charset=utf-8"),
    "pdf": (".pdf", "application/pdf"),
}


@pytest.fixture
def lecture(db, deps):
    made = factories.recording(db, size_bytes=len(CONTENT))
    found = factories.lecture(db, recording_id=made.id)
    factories.media(deps.storage, found, CONTENT)
    return found


@pytest.fixture
def exported(db, deps, lecture):
    """One stored file of each format."""
    for name in FORMATS:
        found = factories.export(
            db,
            export_type=name,
            object_key=f"exports/l1/{name}",
            size_bytes=len(CONTENT),
        )
        deps.storage.write(found.object_key, BytesIO(CONTENT))


PATHS = ["/exports/l1/markdown", "/exports/l1/pdf", "/lectures/l1/media"]


def test_asking_for_files_queues_a_job(api, queue, lecture):
    reply = api.post("/lectures/l1/export")
    assert reply.status_code == 200
    assert list(reply.json.items()) == [
        ("jobId", reply.json["jobId"]),
        ("status", "queued"),
        ("jobType", "export"),
    ]
    assert [str(task.job_id) for task in queue.take()] == [reply.json["jobId"]]


def test_what_the_mobile_app_sends_along_is_ignored(api, lecture):
    reply = api.post("/lectures/l1/export", json={"export_type": "markdown"})
    assert (reply.status_code, reply.json["jobType"]) == (200, "export")


def test_asking_again_while_it_is_live_names_the_same_job(api, queue, lecture):
    first = api.post("/lectures/l1/export").json
    queue.take()
    again = api.post("/lectures/l1/export").json
    assert again == {**first, "deduplicated": True}
    assert queue.take() == []


def test_files_of_an_unknown_lecture_are_not_asked_for(api, queue):
    reply = api.post("/lectures/none/export")
    assert (reply.status_code, reply.json["detail"]) == (404, "Lecture not found.")
    assert queue.take() == []


def test_without_study_material_the_job_fails_and_says_what_is_missing(
    api, worker, queue, lecture
):
    job_id = api.post("/lectures/l1/export").json["jobId"]
    worker.run_all(queue)
    job = api.get(f"/jobs/{job_id}").json
    assert job["status"] == "failed"
    assert job["error"] == (
        "Cannot export lecture before all required artifacts are generated:"
        " exam-questions, flashcards, key-terms, outline, summary"
    )


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_downloaded_under_the_lectures_name(api, exported, name):
    reply = api.get(f"/exports/l1/{name}")
    assert (reply.status_code, reply.data) == (200, CONTENT)
    suffix = FORMATS[name].extension
    assert reply.headers["Content-Disposition"] in (
        f"attachment; filename=l1{suffix}",
        f'attachment; filename="l1{suffix}"',
    )
    assert reply.headers["Content-Type"] == FORMATS[name].media_type
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", FILES)
def test_the_formats_that_clients_know_have_their_types(name):
    assert (FORMATS[name].extension, FORMATS[name].media_type) == FILES[name]


@pytest.mark.parametrize(
    "path", ["/exports/l1/pdf", "/exports/none/pdf", "/exports/l1/doc"]
)
def test_a_file_that_was_never_made_is_not_found(api, lecture, path):
    reply = api.get(path)
    assert (reply.status_code, reply.json["detail"]) == (404, "Export not found.")


def test_a_file_that_is_gone_says_so(api, deps, exported):
    deps.storage.delete("exports/l1/pdf")
    reply = api.get("/exports/l1/pdf")
    assert (reply.status_code, reply.json["detail"]) == (404, "Export file missing.")


@pytest.mark.parametrize("path", PATHS)
def test_a_file_says_how_long_and_how_old_it_is(api, exported, path):
    reply = api.get(path)
    assert reply.headers["Content-Length"] == str(len(CONTENT))
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert reply.headers["ETag"]
    assert reply.headers["Last-Modified"].endswith("GMT")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("asked", "part", "place"),
    [
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/1024"),
        ("bytes=1000-", CONTENT[1000:], "bytes 1000-1023/1024"),
        ("bytes=-4", CONTENT[-4:], "bytes 1020-1023/1024"),
        ("bytes=1020-5000", CONTENT[1020:], "bytes 1020-1023/1024"),
    ],
)
def test_ranges_are_served(api, exported, path, asked, part, place):
    reply = api.get(path, headers={"Range": asked})
    assert (reply.status_code, reply.data) == (206, part)
    assert reply.headers["Content-Range"] == place
    assert reply.headers["Content-Length"] == str(len(part))


@pytest.mark.parametrize("path", PATHS)
def test_a_range_beyond_the_end_is_refused(api, exported, path):
    reply = api.get(path, headers={"Range": "bytes=5000-"})
    assert reply.status_code == 416
    assert reply.json["error"]["code"] == "requested_range_not_satisfiable"


@pytest.mark.parametrize("path", PATHS)
def test_a_file_that_the_client_has_is_not_sent_again(api, exported, path):
    etag = api.get(path).headers["ETag"]
    reply = api.get(path, headers={"If-None-Match": etag})
    assert (reply.status_code, reply.data) == (304, b"")


@pytest.mark.parametrize("path", PATHS)
def test_a_range_of_an_older_file_gives_the_new_one_whole(api, exported, path):
    headers = {"Range": "bytes=0-9", "If-Range": '"older"'}
    assert api.get(path, headers=headers).data == CONTENT


def test_a_recording_is_played_in_the_page(api, lecture):
    reply = api.get("/lectures/l1/media")
    assert (reply.status_code, reply.data) == (200, CONTENT)
    assert reply.headers["Content-Type"] in ("audio/wav", "audio/x-wav")
    assert "attachment" not in reply.headers.get("Content-Disposition", "")


def test_a_recording_that_is_gone_tells_nothing_of_the_storage(api, deps, lecture):
    deps.storage.delete(lecture.recording.object_key)
    reply = api.get("/lectures/l1/media")
    assert reply.status_code == 404
    assert lecture.recording.object_key not in reply.text
