"""Tasks of helpers outside: claimed by one at a time, and ended by their claim only."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from common import jobs, videos
from common.models import Job, Note, PullTask, SegmentRecord, TranscriptRecord, Video
from tests import video_steps
from tests.api.people import ADMIN, person
from tests.conftest import make_api
from tests.video_steps import ABOUT, ID, LINES, OTHER_ID

TASKS = "/v2/internal/tasks"
ANSWER = [
    *("task_id", "task_type", "task_details", "retry_count", "message", "claim"),
]


def want(db, *ids):
    """Have these videos fetched, as somebody's notes do."""
    for id_ in ids or (ID,):
        with db.begin() as session:
            videos.fetch(session, videos.ensure(session, id_))


@pytest.fixture
def claim(api):
    def get(kind="transcript", seconds=1):
        query = {"type": kind, "timeout": seconds}
        return api.get("/v2/internal/tasks", query_string=query, headers=ADMIN)

    return get


@pytest.fixture
def submit(api):
    def post(task, **result):
        body = {"video_id": task["task_details"]["video_id"], **result}
        path = f"/v2/internal/tasks/{task['task_id']}/result"
        return api.post(path, json=body, headers=ADMIN)

    return post


def job(db, kind="transcript"):
    with db.begin() as session:
        return session.scalars(select(Job).where(Job.kind == kind)).one()


def video(db):
    with db.begin() as session:
        return session.scalars(select(Video)).one()


def change_job(db, kind="transcript", **values):
    with db.begin() as session:
        session.execute(update(Job).where(Job.kind == kind).values(**values))


def due(db):
    """Have the pause before the next try be over."""
    change_job(db, available_at=func.now())


def nothing_waits(db):
    """Tell whether no helper would get anything now; asking for it takes a second."""
    with db.begin() as session:
        return jobs.pull(session, "transcript", owner="test", seconds=1) is None


def lapse(db):
    """Have the helper's two minutes be over."""
    change_job(db, lease_expires_at=func.now() - func.make_interval(0, 0, 0, 0, 0, 1))


def test_a_task_is_handed_out_as_helpers_know_it(db, claim):
    want(db)
    reply = claim()
    assert reply.status_code == 200
    assert list(reply.json) == ANSWER
    with db.begin() as session:
        task = session.scalars(select(PullTask)).one()
    assert reply.json == {
        "task_id": task.id,
        "task_type": "fetch_transcript",
        "task_details": {"video_id": ID},
        "retry_count": 1,
        "message": "Task retrieved successfully",
        "claim": str(job(db).lease_token),
    }


def test_the_helper_has_two_minutes(db, claim):
    want(db)
    claim()
    with db.begin() as session:
        left = select(func.extract("epoch", Job.lease_expires_at - func.now()))
        seconds = session.scalar(left.where(Job.kind == "transcript"))
    assert 115 < seconds < 125


def test_metadata_come_back_and_fill_the_title(db, claim, submit):
    """W32: videos that nobody noted anything about used to stay untitled."""
    want(db)
    task = claim("metadata").json
    reply = submit(task, success=True, metadata=ABOUT)
    assert reply.status_code == 200
    assert reply.json == {
        "message": "Task result submitted successfully",
        "task_id": task["task_id"],
        "status": "completed",
    }
    found = video(db)
    assert (found.about, found.title) == (ABOUT, "Cells in five minutes")
    assert job(db, "metadata").state == "succeeded"


def test_a_transcript_comes_back_and_is_kept_in_storage(db, deps, claim, submit):
    want(db)
    reply = submit(claim().json, success=True, transcript=[*LINES, {"text": "End."}])
    assert reply.json["status"] == "completed"
    with db.begin() as session:
        record = session.scalars(select(TranscriptRecord)).one()
        said = session.scalars(select(SegmentRecord.text)).all()
    assert record.job_id == job(db).id
    assert record.object_key.startswith(f"captions/{ID}/")
    with deps.storage.read(record.object_key) as stored:
        assert stored.read().startswith(b'[{"text": "A cell is the smallest')
    assert said == [*(line["text"] for line in LINES), "End."]


def test_a_failure_waits_longer_and_longer_and_then_is_told(db, claim, submit):
    """W26, W29: three tries, and none of them at once."""
    want(db)
    for attempt, (status, pause) in enumerate(
        (("pending", 15), ("pending", 60), ("failed", None)), start=1
    ):
        task = claim().json
        assert task["retry_count"] == attempt
        reply = submit(task, success=False, error_message="No\ncaptions.")
        assert reply.json["status"] == status
        assert nothing_waits(db)
        if pause is not None:
            with db.begin() as session:
                left = select(func.extract("epoch", Job.available_at - func.now()))
                seconds = session.scalar(left.where(Job.kind == "transcript"))
            assert seconds == pytest.approx(pause, abs=1)
        due(db)
    assert (job(db).state, job(db).attempt) == ("failed", 3)
    assert video(db).transcript_error == "No captions."
    want(db)
    assert nothing_waits(db)


def test_a_failure_that_says_nothing_has_a_reason(db, claim, submit):
    want(db)
    submit(claim().json, success=False)
    assert job(db).error_detail == "Unknown error occurred"


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("transcript", {}),
        ("transcript", {"transcript": []}),
        ("transcript", {"transcript": [{"text": " "}, {"text": "\n"}]}),
        ("metadata", {}),
        ("metadata", {"metadata": {}}),
    ],
)
def test_a_success_without_anything_in_it_is_a_failure(db, claim, submit, kind, result):
    """W28: it used to make a transcript that was there and was not."""
    want(db)
    assert submit(claim(kind).json, success=True, **result).json["status"] == "pending"
    found = video(db)
    assert found.about is None
    with db.begin() as session:
        assert session.scalars(select(TranscriptRecord)).all() == []


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({"transcript": [{"offset": 1}]}, "transcript items must contain 'text' field"),
        ({"transcript": [{"text": 5}]}, "'text' must be a string"),
        ({"transcript": [{"text": "x" * 5001}]}, "'text' must be a string of at most"),
        ({"transcript": [{"text": "a", "offset": "1"}]}, "'offset' must be a number"),
        ({"transcript": [{"text": "a", "duration": True}]}, "'duration' must be a"),
        ({"transcript": [{"text": "a", "offset": 1e7}]}, "'offset' must be a number"),
        ({"transcript": ["a"]}, "Input should be a valid dictionary"),
        ({"transcript": [{"text": "a"}] * 50_001}, "List should have at most 50000"),
        ({"metadata": {"a": "x" * 70_000}}, "metadata is too large"),
        ({"metadata": []}, "Input should be a valid dictionary"),
        ({"language": "../en"}, "String should match pattern"),
        ({"success": "perhaps"}, "Input should be a valid boolean"),
    ],
)
def test_what_is_no_result_is_refused_and_the_claim_stays(
    db, claim, submit, result, message
):
    want(db)
    reply = submit(claim().json, **{"success": True, **result})
    assert reply.status_code == 422
    assert message in reply.json["error"]["details"][0]["message"]
    assert job(db).state == "running"


def nested(depth):
    found: object = "x"
    for _ in range(depth):
        found = {"a": found}
    return found


@pytest.mark.parametrize(("depth", "status"), [(15, 200), (25, 422)])
def test_metadata_are_as_deep_as_they_may_be(db, claim, submit, depth, status):
    want(db)
    task = claim("metadata").json
    assert submit(task, success=True, metadata=nested(depth)).status_code == status


def test_what_postgresql_cannot_hold_is_replaced(db, api, claim):
    want(db)
    for kind, key, value in (
        ("metadata", "metadata", r'{"a\u0000": ["x\u0000\ud800"]}'),
        ("transcript", "transcript", r'[{"text": "a\u0000b \ud800"}]'),
    ):
        task = claim(kind).json
        body = f'{{"video_id": "{ID}", "success": true, "{key}": {value}}}'
        reply = api.post(
            f"/v2/internal/tasks/{task['task_id']}/result",
            data=body,
            headers=ADMIN | {"Content-Type": "application/json"},
        )
        assert reply.json["status"] == "completed", reply.text
    assert video(db).about == {"a ": ["x ?"]}
    with db.begin() as session:
        assert session.scalar(select(SegmentRecord.text)) == "a b ?"


def test_a_larger_body_than_any_transcript_is_refused(db, claim, submit):
    want(db)
    lines = [{"text": "x" * 5000}] * 1700
    assert submit(claim().json, success=True, transcript=lines).status_code == 413
    assert job(db).state == "running"


@pytest.mark.parametrize(
    ("kind", "result", "status", "message"),
    [
        ("transcript", {"video_id": OTHER_ID}, 400, "Task video_id mismatch"),
        (
            "transcript",
            {"metadata": ABOUT},
            400,
            "Metadata payload is not valid for tr",
        ),
        ("metadata", {"transcript": LINES}, 400, "Transcript payload is not valid for"),
        ("transcript", {"claim": "no"}, 403, "Task belongs to a different worker"),
    ],
)
def test_a_result_of_another_task_is_refused(
    db, claim, submit, kind, result, status, message
):
    want(db)
    reply = submit(claim(kind).json, **{"success": True, **result})
    assert reply.status_code == status
    assert reply.json["error"]["message"].startswith(message)
    assert job(db, kind).state == "running"


def test_a_helper_may_show_its_claim(db, claim, submit):
    want(db)
    task = claim().json
    reply = submit(task, success=True, transcript=LINES, claim=task["claim"])
    assert reply.json["status"] == "completed"


@pytest.mark.parametrize("number", ["999999", "1"])
def test_a_task_that_there_is_not_is_not_found_whatever_is_sent(api, number):
    path = f"/v2/internal/tasks/{number}/result"
    for body in ({"wrong": 1}, {"video_id": ID, "success": True}):
        reply = api.post(path, json=body, headers=ADMIN)
        assert (reply.status_code, reply.json["error"]["message"]) == (
            404,
            "Task not found",
        )


def test_a_second_result_is_refused(db, claim, submit):
    want(db)
    task = claim().json
    submit(task, success=True, transcript=LINES)
    again = submit(task, success=False)
    assert again.status_code == 400
    assert again.json["error"]["message"] == "Task is not in progress"
    assert job(db).state == "succeeded"


def test_a_late_result_is_refused(db, claim, submit):
    """W27: the task may be in other hands by now."""
    want(db)
    task = claim().json
    lapse(db)
    reply = submit(task, success=True, transcript=LINES)
    assert reply.json["error"]["message"] == "Task is not in progress"
    assert video(db).transcript_error is None


def test_a_helper_that_lost_its_claim_cannot_end_that_of_another(db, claim, submit):
    """W27: even one that sends no claim, as the older ones do."""
    want(db)
    late = claim().json
    lapse(db)
    with db.begin() as session:
        jobs.rescue(session)
    present = claim().json
    assert present["retry_count"] == 2
    assert submit(late, success=False).status_code == 400
    assert job(db).state == "running"
    assert submit(present, success=True, transcript=LINES).status_code == 200


def test_a_task_that_nobody_brings_back_ends_after_three(db, claim, worker):
    """W25: it used to be handed out for ever, before all others."""
    want(db)
    for attempt in (1, 2, 3):
        assert claim().json["retry_count"] == attempt
        lapse(db)
        worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")
    assert nothing_waits(db)
    assert job(db).state == "failed"
    assert video(db).transcript_error == "No helper could fetch it."


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("type=foo", 400, None),
        ("", 422, "query.type"),
        ("type=metadata&timeout=0", 422, "query.timeout"),
        ("type=metadata&timeout=x", 422, "query.timeout"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(api, query, status, field):
    reply = api.get(f"/v2/internal/tasks?{query}", headers=ADMIN)
    assert reply.status_code == status
    if field is None:
        assert reply.json["error"]["message"] == "Invalid task type"
    else:
        assert reply.json["error"]["details"][0]["field"] == field


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({"Authorization": "Bearer wrong"}, 403)],
)
def test_only_helpers_of_the_operator_get_tasks(api, db, headers, status):
    want(db)
    assert api.get("/v2/internal/tasks?type=metadata", headers=headers).status_code == (
        status
    )
    assert job(db, "metadata").state == "queued"


def test_a_claim_and_its_result_cost_so_many_statements(db, claim, submit, statements):
    want(db, ID, *(f"video-{n:05}" for n in range(20)))
    statements.clear()
    task = claim().json
    assert len(statements) == 2, statements
    statements.clear()
    submit(task, success=True, transcript=LINES)
    assert len(statements) == 11, statements


@pytest.fixture
def committed_api(committed_deps):
    """An app whose watcher is seen by none of the other tests."""
    client = make_api(committed_deps)
    yield client
    client.application.extensions["streams"].close()


def poll(app, kind="transcript", seconds=5):
    query = {"type": kind, "timeout": seconds}
    started = time.monotonic()
    reply = app.test_client().get(TASKS, query_string=query, headers=ADMIN)
    return reply, time.monotonic() - started


def test_without_a_task_the_answer_waits_for_its_time(committed_api):
    reply, seconds = poll(committed_api.application, seconds=1)
    assert (reply.status_code, reply.data) == (204, b"")
    assert 0.9 < seconds < 3


def test_who_waits_gets_the_task_when_it_comes_and_holds_nothing_meanwhile(
    committed_api, committed_db, engine
):
    """W17: a thread used to keep a connection and a transaction for a minute."""
    app = committed_api.application
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(poll, app) for _ in range(8)]
        time.sleep(0.5)
        assert engine.pool.checkedout() <= 1  # the one look for all of them
        want(committed_db, *(f"video-{n:05}" for n in range(8)))
        found = [one.result() for one in waiting]
    tasks = {reply.json["task_details"]["video_id"] for reply, _ in found}
    assert len(tasks) == 8  # each its own
    assert max(seconds for _, seconds in found) < 4


def test_many_helpers_at_once_get_many_tasks_oldest_first(committed_api, committed_db):
    """W19: one used to lock all that waited, and the others stood by."""
    ids = [f"video-{n:05}" for n in range(24)]
    want(committed_db, *ids)
    app = committed_api.application
    got = []
    lock = threading.Lock()

    def take(_):
        reply, seconds = poll(app)
        with lock:
            got.append(reply.json["task_details"]["video_id"])
        return seconds

    with ThreadPoolExecutor(8) as pool:
        seconds = list(pool.map(take, range(24)))
    assert sorted(got) == ids
    assert set(got[:8]) <= set(ids[:16])
    assert max(seconds) < 3


@pytest.fixture
def ann(db):
    return person(db, ai_notes_enabled=True)


def test_what_waits_for_a_transcript_goes_on_when_it_comes(
    db, ann, claim, submit, worker, queue
):
    """W34: notes and summary follow in the transaction that stores it."""
    want(db)
    note = video_steps.note(db, ann, timestamp="0:14")
    bob = person(db, "bob@example.com")
    theirs = video_steps.note(db, bob, timestamp="0:14")
    submit(claim("metadata").json, success=True, metadata=ABOUT)
    assert worker.run_all(queue) == 0
    submit(claim().json, success=True, transcript=LINES)
    assert worker.run_all(queue) == 2
    with db.begin() as session:
        written = session.get_one(Note, note.id)
        assert (written.text, written.generated_by_ai) == (LINES[2]["text"], True)
        assert session.get_one(Note, theirs.id).text is None
    assert len(video(db).suggested_questions) == 3
    assert 100 < len(video(db).summary) <= 800


def test_the_summary_follows_whatever_comes_last(db, claim, submit, worker, queue):
    want(db)
    submit(claim().json, success=True, transcript=LINES)
    assert worker.run_all(queue) == 0
    submit(claim("metadata").json, success=True, metadata=ABOUT)
    assert worker.run_all(queue) == 1
    assert video(db).summary


def test_nobody_makes_a_paid_model_write_without_end(db, ann, claim, submit, queue):
    want(db)
    with db.begin() as session:
        session.add_all(
            [Note(video_id=ID, user_id=ann.id, timestamp="0:01") for _ in range(203)]
        )
    submit(claim().json, success=True, transcript=LINES)
    assert len(queue.tasks) == 200
    with db.begin() as session:
        refused = select(func.count()).where(Note.ai_error == "too_many_waiting")
        assert session.scalar(refused) == 3
