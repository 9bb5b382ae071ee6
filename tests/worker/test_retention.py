"""What is kept no longer goes; everything made of it stays."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from common import threads
from common.errors import Unavailable
from common.models import (
    Asset,
    DoomedObject,
    Job,
    Lecture,
    Recording,
    SegmentRecord,
    TranscriptRecord,
)
from tests import factories
from tests.conftest import SECRET
from worker_service.schedules import retention

ROOT = Path(__file__).parents[2]
NOTHING = {
    "lecturesScanned": 0,
    "audioDeleted": 0,
    "transcriptsDeleted": 0,
    "audioDeleteFailures": 0,
    "transcriptDeleteFailures": 0,
    "lecturesUpdated": 0,
    "lecturesWouldUpdate": 0,
}
SCHEDULER = "scheduler@pegasus.internal"


def days_ago(days, seconds=0):
    return datetime.now(UTC) - timedelta(days=days, seconds=seconds)


@pytest.fixture
def lecture(db, deps):
    """Make a lecture of some age with recording and transcript in storage."""
    return lambda *args, **kwargs: make(db, deps, *args, **kwargs)


def make(db, deps, lecture_id="l1", *, days, seconds=60, **fields):
    created = days_ago(days, seconds)
    found = factories.lecture(db, lecture_id, created_at=created, **fields)
    factories.media(deps.storage, found)
    with db.begin() as session:
        session.execute(
            update(Recording)
            .where(Recording.id == found.recording_id)
            .values(metadata_key=f"metadata/{lecture_id}.json")
        )
    deps.storage.write(f"metadata/{lecture_id}.json", BytesIO(b"{}"))
    factories.transcript(db, deps.storage, found, "Said.")
    return found


@pytest.fixture
def run(deps):
    def call(*, dry_run=False):
        return asdict(retention.run(deps, dry_run=dry_run))

    return call


@pytest.fixture
def limits(deps, settings):
    """Have other limits than the usual 30 and 14 days."""

    def change(audio, transcript):
        limits = {
            "retention_raw_audio_days": audio,
            "retention_transcript_days": transcript,
        }
        changed = settings.model_copy(update=limits)
        object.__setattr__(deps, "settings", changed)

    return change


def keys(db, lecture_id="l1"):
    """Return what the database says of recording and transcript."""
    with db.begin() as session:
        found = session.get_one(Lecture, lecture_id)
        recording = session.get_one(Recording, found.recording_id)
        transcript = session.get(TranscriptRecord, found.recording_id)
        return recording.object_key, transcript and transcript.object_key


def doomed(db):
    with db.begin() as session:
        return set(session.scalars(select(DoomedObject.object_key)))


def stored(deps):
    """Return all files that storage holds."""
    folder = deps.settings.storage_dir
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("days", "audio", "transcript"),
    [(13, True, True), (14, True, False), (29, True, False), (30, False, False)],
)
def test_each_goes_at_its_own_age(run, lecture, db, days, audio, transcript):
    lecture(days=days)
    report = run()
    found = keys(db)
    assert (found[0] is not None, found[1] is not None) == (audio, transcript)
    assert (report["audioDeleted"], report["transcriptsDeleted"]) == (
        not audio,
        not transcript,
    )


@pytest.mark.parametrize(("seconds", "gone"), [(-60, False), (60, True)])
def test_an_age_is_counted_in_whole_days(run, lecture, seconds, gone):
    lecture(days=30, seconds=seconds)
    assert run()["audioDeleted"] == gone


def test_the_limits_are_settings(run, lecture, limits, db):
    limits(audio=2, transcript=5)
    lecture(days=3)
    run()
    audio, transcript = keys(db)
    assert audio is None
    assert transcript is not None


def test_zero_days_keep_nothing(run, lecture, limits, db):
    limits(audio=0, transcript=0)
    lecture(days=0, seconds=1)
    run()
    assert keys(db) == (None, None)


def test_the_files_are_gone_and_nothing_else_is(run, lecture, deps, db):
    found = lecture(days=40)
    for name in ("artifacts/l1/summary.json", "exports/l1/run.1/markdown"):
        deps.storage.write(name, BytesIO(b"made"))
    factories.artifact(db)
    factories.export(db)
    before = stored(deps)
    audio, transcript = keys(db)

    run()

    assert before - stored(deps) == {audio, transcript}
    with db.begin() as session:
        after = session.get_one(Lecture, "l1")
        assert (after.status, after.title) == (found.status, found.title)
        assert session.get_one(Recording, found.recording_id).metadata_key


def test_segments_go_with_their_transcript(run, ingest, worker, queue, limits, db):
    ingest()
    worker.run_all(queue)
    limits(audio=99, transcript=0)
    run()
    with db.begin() as session:
        assert session.scalars(select(SegmentRecord.number)).all() == []


def test_a_changed_lecture_says_when(run, lecture, db):
    lecture(days=40, updated_at=days_ago(40))
    run()
    with db.begin() as session:
        assert session.get_one(Lecture, "l1").updated_at > days_ago(1)


def test_a_lecture_that_has_nothing_old_is_not_touched(run, lecture, db):
    before = lecture(days=3, updated_at=days_ago(3)).updated_at
    assert run() == NOTHING | {"lecturesScanned": 1}
    with db.begin() as session:
        assert session.get_one(Lecture, "l1").updated_at == before


@pytest.mark.parametrize("state", ["queued", "running", "waiting"])
def test_a_lecture_with_a_live_job_is_left_alone(run, lecture, db, state):
    lecture(days=40)
    factories.job(db, state=state)
    factories.job(db, state="failed")
    assert run() == NOTHING | {"lecturesScanned": 1}
    assert None not in keys(db)


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_jobs_that_have_ended_do_not_keep_anything(run, lecture, db, state):
    lecture(days=40)
    factories.job(db, state=state)
    run()
    assert keys(db) == (None, None)


def test_a_job_that_is_asked_for_at_that_moment_keeps_its_lecture(
    committed_db, committed_deps, engine
):
    """The job is committed after the candidates were looked for, before their lock."""
    make(committed_db, committed_deps, days=40)
    asked: list[str] = []

    def ask(_connection, _cursor, statement, *_):
        if "FOR UPDATE OF lectures" in statement and not asked:
            asked.append(statement)
            factories.job(committed_db)

    event.listen(engine, "after_cursor_execute", ask)
    report = retention.run(committed_deps)
    event.remove(engine, "after_cursor_execute", ask)

    assert asked
    assert report.lecturesUpdated == 0
    assert None not in keys(committed_db)


def test_a_dry_run_counts_and_changes_nothing(run, lecture, deps, db):
    lecture("l1", days=40)
    lecture("l2", days=20)
    lecture("l3", days=1)
    before = stored(deps)

    assert run(dry_run=True) == NOTHING | {
        "lecturesScanned": 3,
        "audioDeleted": 1,
        "transcriptsDeleted": 2,
        "lecturesWouldUpdate": 2,
    }
    assert stored(deps) == before
    assert doomed(db) == set()
    assert run() == NOTHING | {
        "lecturesScanned": 3,
        "audioDeleted": 1,
        "transcriptsDeleted": 2,
        "lecturesUpdated": 2,
    }
    assert run() == NOTHING | {"lecturesScanned": 3}


def test_a_missing_object_counts_as_done(run, lecture, deps, db):
    lecture(days=40)
    for key in keys(db):
        deps.storage.delete(key)
    report = run()
    assert (report["audioDeleted"], report["transcriptsDeleted"]) == (1, 1)
    assert keys(db) == (None, None)
    assert doomed(db) == set()


@pytest.mark.parametrize("error", [Unavailable(), PermissionError("read-only")])
def test_what_storage_refuses_is_counted_and_removed_by_the_sweep(
    run, lecture, deps, db, worker, monkeypatch, error
):
    lecture(days=40)
    audio, transcript = keys(db)
    delete = type(deps.storage).delete

    def refuse(storage, key):
        if key == audio:
            raise error
        return delete(storage, key)

    with monkeypatch.context() as patch:
        patch.setattr(type(deps.storage), "delete", refuse)
        report = run()

    assert report == NOTHING | {
        "lecturesScanned": 1,
        "transcriptsDeleted": 1,
        "audioDeleteFailures": 1,
        "lecturesUpdated": 1,
    }
    assert keys(db) == (None, None)
    assert doomed(db) == {audio}
    assert audio in stored(deps)
    assert transcript not in stored(deps)

    worker.post("/schedules/sweep", {}, caller=SCHEDULER)
    assert audio not in stored(deps)


def test_a_run_that_dies_between_batches_is_taken_up_again(
    run, lecture, deps, db, worker, monkeypatch
):
    monkeypatch.setattr(retention, "_BATCH", 2)
    for number in range(5):
        lecture(f"l{number}", days=40)
    remove = type(deps.storage).delete
    calls = []

    def die(storage, key):
        calls.append(key)
        if len(calls) == 6:  # the second file of the second batch's first half
            raise KeyboardInterrupt
        return remove(storage, key)

    with monkeypatch.context() as patch:
        patch.setattr(type(deps.storage), "delete", die)
        with pytest.raises(KeyboardInterrupt):
            run()
    assert run()["lecturesUpdated"] == 1

    worker.post("/schedules/sweep", {}, caller=SCHEDULER)
    assert {keys(db, f"l{number}") for number in range(5)} == {(None, None)}
    assert all(name.startswith("metadata/") for name in stored(deps))
    assert doomed(db) == set()


def test_a_batch_costs_the_same_statements_whatever_its_size(
    run, lecture, db, statements
):
    costs = []
    for size in (2, 30):
        for number in range(size):
            lecture(f"{size}-{number}", days=40)
        statements.clear()
        assert run()["lecturesUpdated"] == size
        costs.append(len(statements))
    assert costs[0] == costs[1]


def test_a_document_is_kept_as_long_as_a_recording(run, lecture, db):
    found = lecture(days=20)
    with db.begin() as session:
        session.execute(update(Recording).values(kind="pdf"))
    run()
    assert keys(db) == (found.recording.object_key, None)


def test_clients_are_told_what_is_gone(run, lecture, api, db):
    lecture(days=40)
    factories.artifact(db)
    run()

    for path, text in (
        ("/lectures/l1/transcript", "Transcript not found for lecture."),
        ("/lectures/l1/media", "Recording file missing."),
    ):
        reply = api.get(path)
        assert (reply.status_code, reply.json["detail"]) == (404, text)
    reply = api.post("/lectures/l1/transcribe")
    assert (reply.status_code, reply.json["detail"]) == (
        404,
        "Audio not found for lecture.",
    )
    row = api.get("/lectures/l1").json
    assert (row["audio_path"], row["transcript_path"]) == (None, None)
    checks = api.get("/lectures/l1/integrity").json["checks"]
    assert [(c["kind"], c["state"]) for c in checks[:2]] == [
        ("audio", "missing_reference"),
        ("transcript", "missing_reference"),
    ]


def test_generating_says_that_the_transcript_is_gone(
    run, lecture, api, db, worker, queue
):
    lecture(days=20)
    run()
    job_id = api.post("/lectures/l1/generate", json={}).json["jobId"]
    worker.run_all(queue)
    assert api.get(f"/jobs/{job_id}").json["error"] == "Transcript not found."


def test_evidence_of_threads_survives(run, lecture, api, db):
    from tests.common.test_threads import concept  # noqa: PLC0415

    lecture(days=40)
    with db.begin() as session:
        threads.lock(session, "l1")
        threads.replace(session, "c1", "l1", [concept()], [])
    run()
    [thread] = api.get("/courses/c1/threads").json["threads"]
    assert api.get(f"/threads/{thread['id']}").json["occurrences"]


# The two ways to start it


def test_the_scheduler_starts_it(worker, lecture, db):
    lecture(days=40)
    path = "/schedules/retention"
    dry = worker.post(path, {"dry_run": True}, caller=SCHEDULER)
    assert (dry.status_code, dry.json["lecturesWouldUpdate"]) == (200, 1)
    assert worker.post(path, {}, caller=SCHEDULER).json["lecturesUpdated"] == 1
    assert keys(db) == (None, None)


def test_nobody_else_does(worker, lecture, db):
    lecture(days=40)
    path = "/schedules/retention"
    assert worker.client.post(path, json={}).status_code == 401
    assert worker.post(path, {}).status_code == 403, "the queue's key"
    assert None not in keys(db)


def test_a_malformed_wish_is_refused(worker, lecture, db):
    lecture(days=40)
    reply = worker.post(
        "/schedules/retention", {"dry_run": "perhaps"}, caller=SCHEDULER
    )
    assert reply.status_code == 400
    assert None not in keys(db)


def command(settings, *arguments, **changes):
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "PEGASUS_INTERNAL_SECRET": SECRET,
        "PLC_STORAGE_DIR": str(settings.storage_dir),
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "worker_service.schedules.retention", *arguments],
        cwd=ROOT,
        env=environment | changes,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_prints_one_line_of_json(committed_db, committed_deps, settings):
    make(committed_db, committed_deps, days=40)

    for arguments, counter in (
        (["--dry-run"], "lecturesWouldUpdate"),
        ([], "lecturesUpdated"),
    ):
        done = command(settings, *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1
        assert json.loads(done.stdout) == NOTHING | {
            "lecturesScanned": 1,
            "audioDeleted": 1,
            "transcriptsDeleted": 1,
            counter: 1,
        }
    assert keys(committed_db) == (None, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "must be an integer."), ("-1", "must be zero or greater.")],
)
def test_the_command_refuses_a_limit_that_is_no_number(settings, value, text):
    done = command(settings, "--dry-run", PLC_RETENTION_RAW_AUDIO_DAYS=value)
    assert done.returncode != 0
    assert f"PLC_RETENTION_RAW_AUDIO_DAYS {text}" in done.stderr


def test_no_job_is_ever_made_or_changed(run, lecture, db):
    lecture(days=40)
    factories.job(db, state="failed")
    run()
    with db.begin() as session:
        assert session.scalars(select(Job.state)).all() == ["failed"]


def test_files_of_projects_are_kept_until_they_are_deleted(db, deps):
    """A lecture's recording is a means to its transcript; a project's film is what
    people edit."""
    asset = factories.asset(db)
    old = datetime.now(UTC) - timedelta(days=1000)
    with db.begin() as session:
        session.execute(update(Recording).values(created_at=old))
        session.execute(update(Asset).values(created_at=old))
    report = retention.run(deps)
    assert (report.audioDeleted, report.transcriptsDeleted) == (0, 0)
    with db.begin() as session:
        assert session.get_one(Recording, asset.recording_id).object_key
