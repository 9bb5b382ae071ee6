"""POST /lectures/ingest: a recording comes in."""

import json
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from common.models import Course, DoomedObject, Job, Lecture, Recording
from tests import factories
from tests.conftest import spoken_wav
from worker_service.schedules import sweep

FORM = {"course_id": "c1", "lecture_id": "l1", "preset_id": "exam-mode", "title": "T"}


def stored(folder):
    """Return the keys of all objects, and whatever else lies there."""
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    }


def rows(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def doomed(db):
    with db.begin() as session:
        return set(session.scalars(select(DoomedObject.object_key)))


def test_an_upload_is_answered_with_its_places(api, ingest, deps):
    reply = ingest(lecture_mode="OPEN")
    assert reply.status_code == 200
    assert list(reply.json.items()) == [
        ("lectureId", "l1"),
        ("metadataPath", reply.json["metadataPath"]),
        ("audioPath", api.get("/lectures/l1").json["audio_path"]),
        ("lectureMode", "OPEN"),
        ("fileType", "audio"),
    ]
    assert Path(reply.json["audioPath"]).read_bytes() == spoken_wav()
    assert Path(reply.json["audioPath"]).suffix == ".wav"


def test_the_metadata_document_has_these_keys(ingest):
    reply = ingest(duration_sec="7", source_type="record", preset_id="exam").json
    document = json.loads(Path(reply["metadataPath"]).read_bytes())
    moment = document["createdAt"]
    assert moment.endswith("+00:00")
    assert document == {
        "id": "l1",
        "courseId": "c1",
        "presetId": "exam-mode",
        "title": "First lecture",
        "lectureMode": None,
        "recordedAt": moment,
        "durationSec": 7,
        "audioSource": {
            "sourceType": "record",
            "originalFilename": "talk.wav",
            "storagePath": reply["audioPath"],
            "sizeBytes": len(spoken_wav()),
            "fileType": "audio",
        },
        "status": "uploaded",
        "artifacts": [],
        "createdAt": moment,
        "updatedAt": moment,
    }


def test_an_upload_stores_two_objects_and_nothing_else(ingest, db, storage_dir):
    ingest()
    assert {key.split("/")[0] for key in stored(storage_dir)} == {"audio", "metadata"}
    assert len(stored(storage_dir)) == 2
    assert doomed(db) == set()


def test_an_upload_is_transcribed_unless_told_otherwise(api, ingest, db, queue):
    ingest()
    [job] = api.get("/lectures/l1/jobs").json["jobs"]
    assert (job["jobType"], job["status"]) == ("transcription", "queued")
    assert [str(task.job_id) for task in queue.take()] == [job["id"]]
    ingest(lecture_id="l2", auto_transcribe="false")
    assert api.get("/lectures/l2/jobs").json["jobs"] == []
    assert queue.take() == []


def test_the_job_gets_what_the_form_says(api, ingest, db):
    ingest(transcribe_model="base", transcribe_language_code="de-DE")
    [job] = api.get("/lectures/l1/jobs").json["jobs"]
    with db.begin() as session:
        payload = session.get_one(Job, UUID(job["id"])).payload
    assert (payload["model"], payload["language"]) == ("base", "de-DE")
    assert payload["provider"] == "pocketsphinx"


def test_asking_for_the_transcript_then_names_the_job_of_the_upload(api, ingest):
    ingest()
    [job] = api.get("/lectures/l1/jobs").json["jobs"]
    reply = api.post("/lectures/l1/transcribe?model=base").json
    assert (reply["jobId"], reply["deduplicated"]) == (job["id"], True)


@pytest.mark.parametrize("alias", ["exam", "exam-mode"])
def test_a_preset_may_be_named_by_its_kind(api, ingest, alias):
    ingest(preset_id=alias)
    assert api.get("/lectures/l1").json["preset_id"] == "exam-mode"


def test_the_field_may_be_called_file(api):
    form = {**FORM, "file": (BytesIO(spoken_wav()), "talk.wav")}
    assert api.post("/lectures/ingest", data=form).status_code == 200


def test_of_two_files_audio_wins(api, db):
    form = {
        **FORM,
        "file": (BytesIO(b"no sound"), "other.wav"),
        "audio": (BytesIO(spoken_wav()), "talk.wav"),
    }
    assert api.post("/lectures/ingest", data=form).status_code == 200
    with db.begin() as session:
        assert session.scalars(select(Recording.original_filename)).all() == [
            "talk.wav"
        ]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd.wav", "C:\\talks\\a.wav", "ü/ß.WAV", 'a"b\n.wav', "x" * 5000],
)
def test_a_files_name_never_becomes_a_path(ingest, storage_dir, name):
    reply = ingest(name=name)
    assert reply.status_code == 200
    path = Path(reply.json["audioPath"])
    assert path.parent == storage_dir / "audio" / "l1"
    assert path.suffix in (".wav", ".bin")
    assert UUID(path.stem)


@pytest.mark.parametrize("missing", ["course_id", "lecture_id", "preset_id", "title"])
@pytest.mark.parametrize("value", ["", "   ", None])
def test_four_fields_are_required(api, missing, value, storage_dir):
    form = {**FORM, missing: value, "audio": (BytesIO(b"x"), "talk.wav")}
    form = {name: value for name, value in form.items() if value is not None}
    reply = api.post("/lectures/ingest", data=form)
    assert (reply.status_code, reply.json["detail"]) == (
        400,
        "Missing required fields: course_id, lecture_id, preset_id, title",
    )
    assert stored(storage_dir) == set()


@pytest.mark.parametrize(
    "body", [{}, {"json": {}}, {"data": b"x"}, {"data": {"a": "b"}}]
)
def test_a_request_without_a_form_lacks_all_fields(api, body):
    reply = api.post("/lectures/ingest", **body)
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "missing_fields")


@pytest.mark.parametrize("extra", [{}, {"audio": "text"}, {"audio": (BytesIO(), "")}])
def test_a_file_is_required(api, extra):
    reply = api.post("/lectures/ingest", data={**FORM, **extra})
    assert (reply.status_code, reply.json["detail"]) == (
        400,
        "Either 'audio', 'file', or 'storage_path' parameter is required",
    )


def test_fields_are_asked_for_before_the_file_and_the_file_before_the_preset(api):
    reply = api.post("/lectures/ingest", data={"preset_id": "nothing"})
    assert "Missing required fields" in reply.json["detail"]
    reply = api.post("/lectures/ingest", data={**FORM, "preset_id": "nothing"})
    assert "parameter is required" in reply.json["detail"]


def test_an_unknown_preset_is_refused(ingest, storage_dir, db):
    reply = ingest(preset_id="nothing")
    assert (reply.status_code, reply.json["detail"]) == (400, "Invalid preset_id.")
    assert stored(storage_dir) == set()
    assert rows(db, Lecture) == rows(db, Course) == 0


def test_an_unknown_transcriber_is_refused_before_anything_is_stored(
    ingest, storage_dir
):
    reply = ingest(transcribe_provider="parrot")
    assert (reply.status_code, reply.json["error"]["code"]) == (400, "provider_unknown")
    assert stored(storage_dir) == set()


def test_a_courses_title_is_its_id_until_one_is_sent(ingest, db):
    def title():
        with db.begin() as session:
            return session.get_one(Course, "c1").title

    ingest()
    assert title() == "c1"
    ingest(course_title="Biology")
    assert title() == "Biology"
    ingest(lecture_id="l2")  # upstream lost the title here
    assert title() == "Biology"
    ingest(course_title="  ")
    assert title() == "Biology"


@pytest.fixture
def replaced(api, ingest, worker, queue, db):
    """A lecture that is transcribed and then gets another recording."""
    ingest()
    with db.begin() as session:
        past = {"created_at": factories.minute(0)}
        session.execute(update(Lecture).values(past))
    worker.run_all(queue)
    before = api.get("/lectures/l1").json
    ingest(spoken_wav(2.0), title="Second take", course_id="c2", preset_id="research")
    return before, api.get("/lectures/l1").json


def test_a_second_upload_replaces_the_first(replaced, api):
    before, after = replaced
    assert before["status"] == "transcribed"
    assert after["status"] == "uploaded"
    assert after["title"] == "Second take"
    assert (after["course_id"], after["preset_id"]) == ("c2", "research-mode")
    assert after["transcript_path"] is None
    assert after["audio_path"] != before["audio_path"]
    assert after["created_at"] == before["created_at"] == "2026-11-20T20:00:00.000000Z"
    assert api.get("/lectures/l1/media").data == spoken_wav(2.0)


def test_a_replaced_recordings_objects_are_removed(replaced, deps, db, storage_dir):
    before, after = replaced
    assert rows(db, Recording) == 1
    assert {deps.storage.uri(key) for key in doomed(db)} >= {
        before["audio_path"],
        before["transcript_path"],
    }
    sweep.run(deps)
    left = {deps.storage.uri(key) for key in stored(storage_dir)}
    assert before["audio_path"] not in left
    assert before["transcript_path"] not in left
    assert after["audio_path"] in left
    assert len([path for path in left if "/metadata/" in path]) == 1


def test_a_replaced_recordings_jobs_are_cancelled(api, ingest, db, queue):
    ingest()
    api.post("/lectures/l1/export")
    ingest()
    jobs = api.get("/lectures/l1/jobs").json["jobs"]
    states = sorted((job["jobType"], job["status"]) for job in jobs)
    assert states == [
        ("export", "failed"),
        ("transcription", "failed"),
        ("transcription", "queued"),
    ]
