"""Jobs of a project over REST: asked for, listed, shown, cancelled."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from api_service.routes.projects import jobs as project_jobs
from common import jobs
from common.jobs import GiveBack
from common.models import Job, JobLog
from tests import factories
from tests.api.guards import with_settings
from tests.conftest import make_api


@pytest.fixture
def asset(db):
    return factories.asset(db)


def order(asset, **fields):
    return {"job_type": "ingest", "payload": {"asset_id": str(asset.id)}, **fields}


def post(api, asset, project="demo", **fields):
    return api.post(f"/projects/{project}/jobs", json=order(asset, **fields))


def count(db, model=Job):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def lines(document):
    return [line["message"] for line in document["logs"]]


def test_a_job_is_queued_and_sent(api, asset, queue):
    reply = post(api, asset, max_attempts=5, retry_delay_seconds=10)
    assert reply.status_code == 201
    told = reply.json
    [line] = told.pop("logs")
    for at in (told.pop("created_at"), told.pop("updated_at"), line.pop("timestamp")):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", at)
    assert [str(task.job_id) for task in queue.take()] == [told.pop("id")]
    assert told == {
        "project_id": "demo",
        "job_type": "ingest",
        "status": "queued",
        "progress": 0.0,
        "attempts": 0,
        "max_attempts": 5,
        "retry_delay_seconds": 10.0,
        "payload": {"asset_id": str(asset.id), "checksum": None},
        "result": {},
        "error_message": None,
        "error_code": None,
    }
    details = {"max_attempts": 5, "retry_delay_seconds": 10}
    assert line == {"level": "INFO", "message": "Job queued", "details": details}


def test_terms_have_defaults(api, deps, asset):
    api.application.extensions["deps"] = with_settings(
        deps, job_max_attempts=7, job_retry_delay_seconds=1.5
    )
    told = post(api, asset).json
    assert (told["max_attempts"], told["retry_delay_seconds"]) == (7, 1.5)


def test_a_delay_of_nothing_is_not_the_default(api, asset):
    assert post(api, asset, retry_delay_seconds=0).json["retry_delay_seconds"] == 0


@pytest.mark.parametrize(
    ("body", "place", "kind"),
    [
        ({}, ["body", "job_type"], "missing"),
        ({"job_type": "dance"}, ["body", "job_type"], "literal_error"),
        ({"max_attempts": 0}, ["body", "max_attempts"], "greater_than_equal"),
        ({"max_attempts": 101}, ["body", "max_attempts"], "less_than_equal"),
        (
            {"retry_delay_seconds": -1},
            ["body", "retry_delay_seconds"],
            "greater_than_equal",
        ),
        ({"payload": []}, ["body", "payload"], "dict_type"),
        ({"payload": {}}, ["body", "payload", "asset_id"], "missing"),
        (
            {"payload": {"asset_id": "x"}},
            ["body", "payload", "asset_id"],
            "uuid_parsing",
        ),
    ],
)
def test_what_is_wrong_is_told_at_the_door(api, db, body, place, kind):
    document = {"job_type": "ingest", **body} if body else {}
    reply = api.post("/projects/demo/jobs", json=document)
    assert reply.status_code == 422
    [problem] = reply.json["detail"]
    assert (problem["loc"], problem["type"]) == (place, kind)
    assert list(reply.json["errors"]) == [".".join(place[1:])]
    assert reply.json["message"]
    assert count(db) == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b'"x"'])
def test_what_is_no_object_is_refused(api, db, raw):
    reply = api.post("/projects/demo/jobs", data=raw, content_type="application/json")
    assert reply.status_code == 422
    assert count(db) == 0


def test_a_job_about_nothing_is_not_written(api, db, asset, queue):
    for project, id_ in (("demo", uuid4()), ("other", asset.id)):
        payload = {"asset_id": str(id_)}
        document = {"job_type": "ingest", "payload": payload}
        reply = api.post(f"/projects/{project}/jobs", json=document)
        assert reply.status_code == 404
        assert reply.json["detail"] == "Video asset not found"
    assert count(db) == 0
    assert queue.take() == []


def test_the_same_job_is_not_asked_for_twice_while_it_lives(api, db, asset):
    first, second = post(api, asset).json, post(api, asset).json
    assert first["id"] == second["id"]
    assert count(db) == 1


def test_a_key_makes_a_job_happen_once(api, db, asset):
    send = {"json": order(asset), "headers": {"Idempotency-Key": "k"}}
    first = api.post("/projects/demo/jobs", **send)
    assert api.post(f"/projects/demo/jobs/{first.json['id']}/cancel").status_code == 200
    again = api.post("/projects/demo/jobs", **send)
    assert (again.status_code, again.json) == (201, first.json)
    assert count(db) == 1


def test_a_full_queue_refuses_instead_of_blocking(api, deps, db, queue):
    api.application.extensions["deps"] = with_settings(deps, max_queue_size=2)
    assets = [factories.asset(db, f"p{n}") for n in range(3)]
    for n in range(2):
        assert post(api, assets[n], f"p{n}").status_code == 201
    reply = post(api, assets[2], "p2")
    assert reply.status_code == 429
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.json["error"]["code"] == "queue_full"
    assert count(db) == 2
    assert len(queue.take()) == 2
    assert post(api, assets[0], "p0").status_code == 201  # it is there already


def test_what_has_ended_makes_room(api, deps, db, asset):
    api.application.extensions["deps"] = with_settings(deps, max_queue_size=1)
    factories.project_job(db, factories.asset(db), state="succeeded")
    factories.job(db)  # a lecture's does not count
    assert post(api, asset).status_code == 201


def test_of_many_at_once_exactly_one_gets_the_last_place(
    committed_deps, committed_db, monkeypatch
):
    counted = project_jobs._live  # noqa: SLF001 - what lies between it and the commit
    meeting = threading.Barrier(2)

    def count_and_meet(session):
        """Wait for another who counts before the first one's job is there."""
        found = counted(session)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.7)
        return found

    monkeypatch.setattr(project_jobs, "_live", count_and_meet)
    deps = with_settings(
        committed_deps, max_queue_size=3, write_rate_limit_max_requests=1000
    )
    api = make_api(deps)
    for _ in range(2):
        factories.project_job(committed_db, factories.asset(committed_db))
    assets = [factories.asset(committed_db) for _ in range(6)]

    def status(asset):
        return post(api.application.test_client(), asset).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(status, assets))
    assert sorted(statuses) == [201] + [429] * 5
    assert count(committed_db) == 3


def test_jobs_are_listed_newest_first(api, db, asset):
    ids = [
        str(factories.project_job(db, asset, state=state, created_at=at).id)
        for state, at in zip(
            ("succeeded", "failed", "cancelled", "queued"),
            map(factories.minute, range(4)),
            strict=True,
        )
    ]
    factories.project_job(db, factories.asset(db, "other"))
    listed = api.get("/projects/demo/jobs").json
    assert [job["id"] for job in listed] == ids[::-1]
    statuses = [job["status"] for job in listed]
    assert statuses == ["queued", "failed", "failed", "completed"]
    assert [
        job["id"] for job in api.get("/projects/demo/jobs?limit=1&offset=1").json
    ] == [ids[2]]
    assert api.get("/projects/none/jobs").json == []


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("status=queued", {"queued"}),
        ("status=queued&status=running", {"queued", "running", "waiting"}),
        ("status=COMPLETED", {"succeeded"}),
        ("status=failed", {"failed", "cancelled"}),
    ],
)
def test_a_filter_may_be_repeated(api, db, asset, query, states):
    every = ("queued", "running", "waiting", "succeeded", "failed", "cancelled")
    ids = {s: str(factories.project_job(db, asset, state=s).id) for s in every}
    listed = api.get(f"/projects/demo/jobs?{query}").json
    assert {job["id"] for job in listed} == {ids[state] for state in states}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("status=bogus", "bogus"),
        ("status=queued,running", "queued,running"),
        ("status=zeta&status=queued&status=alpha", "alpha, zeta"),
        ("status=", ""),
    ],
)
def test_an_unknown_filter_is_named(api, query, named):
    reply = api.get(f"/projects/demo/jobs?{query}")
    assert reply.status_code == 400
    assert reply.json["detail"] == f"Invalid status filter(s): {named}"


def test_a_listing_is_two_statements(api, db, asset, statements):
    for _ in range(5):
        job = factories.project_job(db, asset, state="succeeded")
        with db.begin() as session:
            jobs.note(session, job.id, "A line")
    statements.clear()
    listed = api.get("/projects/demo/jobs").json
    assert [lines(job) for job in listed] == [["Job queued", "A line"]] * 5
    assert len(statements) == 2


def test_a_detail_is_two_statements_and_asking_is_seven(api, asset, statements):
    statements.clear()
    id_ = post(api, asset).json["id"]
    asked = [s for s in statements if "rate_windows" not in s and "outbox" not in s]
    assert len(asked) <= 7
    statements.clear()
    assert api.get(f"/projects/demo/jobs/{id_}").json["id"] == id_
    assert len(statements) == 2


@pytest.mark.parametrize("id_", ["none", "00000000-0000-4000-8000-000000000000"])
def test_a_job_that_is_not_there(api, id_):
    for reply in (
        api.get(f"/projects/demo/jobs/{id_}"),
        api.post(f"/projects/demo/jobs/{id_}/cancel"),
    ):
        assert reply.status_code == 404
        assert reply.json["detail"] == "Job not found"


def test_another_projects_job_is_not_there(api, db, asset):
    id_ = factories.project_job(db, asset).id
    assert api.get(f"/projects/other/jobs/{id_}").status_code == 404
    assert api.post(f"/projects/other/jobs/{id_}/cancel").status_code == 404
    assert api.get(f"/projects/demo/jobs/{id_}").json["status"] == "queued"


def test_a_lectures_job_is_none_of_a_project(api, db):
    id_ = factories.job(db).id
    assert api.get(f"/projects/demo/jobs/{id_}").status_code == 404


def test_a_waiting_job_is_cancelled_at_once(api, asset):
    id_ = post(api, asset).json["id"]
    told = api.post(f"/projects/demo/jobs/{id_}/cancel").json
    assert (told["status"], told["error_code"]) == ("failed", "cancelled")
    assert told["error_message"] == "Job cancelled"
    assert lines(told) == ["Job queued", "Job cancelled"]
    assert api.post(f"/projects/demo/jobs/{id_}/cancel").json == told


def test_a_running_job_is_cancelled_at_its_next_step(api, db, asset):
    job = factories.project_job(db, asset, state="running")
    told = api.post(f"/projects/demo/jobs/{job.id}/cancel").json
    assert told["status"] == "running"
    with db.begin() as session:
        assert session.get_one(Job, job.id).cancel_requested


def claimed(db, id_):
    with db.begin() as session:
        seq = session.scalar(select(Job.dispatch_seq).where(Job.id == id_))
        return jobs.claim(session, id_, seq, owner="w", seconds=60)


def test_the_log_tells_of_every_try(api, db, asset):
    id_ = post(api, asset, max_attempts=2, retry_delay_seconds=0).json["id"]
    for _ in range(2):
        lease = claimed(db, id_)
        with db.begin() as session:
            jobs.give_back(session, lease, GiveBack("bad", "It went wrong."))
    told = api.get(f"/projects/demo/jobs/{id_}").json
    assert [(line["level"], line["message"]) for line in told["logs"]] == [
        ("INFO", "Job queued"),
        ("INFO", "Job started"),
        ("ERROR", "Job failed; retry scheduled"),
        ("INFO", "Job started"),
        ("ERROR", "Job failed"),
    ]
    assert told["logs"][1]["details"] == {"attempt": 1, "max_attempts": 2}
    assert told["logs"][2]["details"] == {
        "error": "It went wrong.",
        "attempt": 1,
        "max_attempts": 2,
        "retry_delay_seconds": 0,
    }
    assert (told["status"], told["attempts"]) == ("failed", 2)
    assert told["error_message"] == "It went wrong."


def test_waiting_politely_is_told_once(api, db, asset):
    id_ = post(api, asset).json["id"]
    for _ in range(3):
        lease = claimed(db, id_)
        wait = GiveBack("waiting", counted=False, delay_seconds=0)
        with db.begin() as session:
            jobs.give_back(session, lease, wait)
    told = api.get(f"/projects/demo/jobs/{id_}").json
    assert lines(told) == ["Job queued", "Job started"]


def test_a_try_that_follows_a_failure_shows_no_error(api, db, asset):
    id_ = post(api, asset, retry_delay_seconds=0).json["id"]
    lease = claimed(db, id_)
    with db.begin() as session:
        jobs.give_back(session, lease, GiveBack("bad", "No."))
    assert api.get(f"/projects/demo/jobs/{id_}").json["error_message"] == "No."
    claimed(db, id_)
    told = api.get(f"/projects/demo/jobs/{id_}").json
    assert (told["status"], told["error_message"]) == ("running", None)


def test_a_log_is_bounded(db, asset):
    job = factories.project_job(db, asset)
    with db.begin() as session:
        for number in range(205):
            jobs.note(session, job.id, f"Line {number}")
    with db.begin() as session:
        kept = session.scalars(select(JobLog.message).order_by(JobLog.id)).all()
    assert len(kept) == 200
    assert (kept[0], kept[-1]) == ("Line 5", "Line 204")


def test_a_lectures_job_writes_no_log(db):
    factories.job(db)
    assert count(db, JobLog) == 0
