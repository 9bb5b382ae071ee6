"""Failed jobs: listed, and tried again."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, func, select, text

from common import db as database
from common import jobs, migrations
from common.errors import ProviderError
from common.ids import new_id
from common.models import Job, JobEvent, JobOutbox, Lecture
from tests import factories
from tests.api.guards import with_settings
from tests.common.job_steps import is_blocked, owned_again, together, until
from tests.conftest import make_api, make_ingest
from tests.factories import minute

KINDS = ["transcription", "generation", "export"]
ROW = {
    "id",
    "status",
    "jobType",
    "lectureId",
    "result",
    "error",
    "createdAt",
    "updatedAt",
}


def failed(db, lecture_id="l1", kind="export", at=0, **fields):
    """Save a job that failed, of a lecture that exists; return its id."""
    with db.begin() as session:
        known = session.get(Lecture, lecture_id)
    if known is None:
        factories.lecture(db, lecture_id)
    found = factories.job(
        db, lecture_id, kind=kind, state="failed", created_at=minute(at), **fields
    )
    return str(found.id)


def weird(db, lecture_id="l1", at=0):
    """Save a failed job of a kind that nobody replays."""
    return renamed(db, failed(db, lecture_id, at=at), "weird")


def renamed(db, job_id, kind):
    with db.begin() as session:
        session.get_one(Job, job_id).kind = kind
    return job_id


def job(db, job_id):
    with db.begin() as session:
        return session.get_one(Job, job_id)


def count_jobs(db):
    with db.begin() as session:
        return session.scalar(select(func.count(Job.id)))


def listed(api, path="/jobs/dead-letter"):
    return [one["id"] for one in api.get(path).json["jobs"]]


def fail(db, job_id):
    end(db, job_id, "failed")


def end(db, job_id, state):
    """Have a queued job run and end like this."""
    job_id = UUID(job_id)
    lease = owned_again(db, job_id)
    with db.begin() as session:
        if state == "succeeded":
            jobs.succeed(session, lease, {})
        else:
            jobs.give_back(session, lease, jobs.GiveBack("no_good", permanent=True))


# The listing


def test_where_nothing_failed_nothing_is_listed(api):
    reply = api.get("/jobs/dead-letter")
    assert reply.status_code == 200
    assert reply.json == {
        "jobs": [],
        "filters": {"status": "failed", "lectureId": None, "jobType": None},
        "pagination": {
            "limit": None,
            "offset": 0,
            "count": 0,
            "total": 0,
            "hasMore": False,
            "nextOffset": None,
            "prevOffset": None,
        },
    }


def test_a_failed_job_is_listed_with_all_that_is_known(api, db):
    job_id = failed(db, error_code="no_good", error_detail="It was no good.")
    [found] = api.get("/jobs/dead-letter").json["jobs"]
    assert set(found) == ROW
    assert found["id"] == job_id
    assert found["status"] == "failed"
    assert found["jobType"] == "export"
    assert found["lectureId"] == "l1"
    assert found["error"] == "It was no good."
    assert found["createdAt"] == "2026-11-20T20:00:00.000000Z"


@pytest.mark.parametrize(
    "state", ["queued", "running", "waiting", "succeeded", "cancelled"]
)
def test_what_has_not_failed_is_not_listed(api, db, state):
    factories.job(db, state=state)
    assert listed(api) == []


def test_the_pieces_of_a_job_are_not_listed(api, db):
    parent = failed(db, kind="transcription")
    failed(db, kind="transcription", parent_id=parent, subject=None)
    assert listed(api) == [parent]


def test_the_newest_failure_comes_first(api, db):
    ids = [failed(db, f"l{number}", at=number) for number in (1, 3, 2)]
    assert listed(api) == [ids[1], ids[2], ids[0]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abc"),
        ("lecture_id=l1", "ab"),
        ("job_type=export", "ac"),
        ("lecture_id=l1&job_type=export", "a"),
        ("lecture_id=none", ""),
        ("job_type=none", ""),
        ("lecture_id=", ""),
        ("status=queued", "abc"),
    ],
)
def test_filters_leave_out_what_does_not_match(api, db, query, expected):
    names = {
        failed(db, "l1", "export", 3): "a",
        failed(db, "l1", "generation", 2): "b",
        failed(db, "l2", "export", 1): "c",
    }
    path = f"/jobs/dead-letter?{query}"
    assert [names[id_] for id_ in listed(api, path)] == list(expected)
    assert api.get(path).json["pagination"]["total"] == len(expected)


def test_the_filters_are_told(api):
    path = "/jobs/dead-letter?lecture_id=l1&job_type=weird"
    assert api.get(path).json["filters"] == {
        "status": "failed",
        "lectureId": "l1",
        "jobType": "weird",
    }


@pytest.mark.parametrize(
    ("query", "count", "more", "following", "previous"),
    [
        ("limit=2", 2, True, 2, None),
        ("limit=2&offset=2", 1, False, None, 0),
        ("offset=1", 2, False, None, 0),
        ("limit=0", 0, True, 0, None),
        ("offset=9", 0, False, None, 8),
        (f"limit={2**63 - 1}", 3, False, None, None),
        (f"offset={2**63 - 1}", 0, False, None, 2**63 - 2),
    ],
)
def test_pages(api, db, query, count, more, following, previous):
    for number in range(3):
        failed(db, f"l{number}", at=number)
    page = api.get(f"/jobs/dead-letter?{query}").json["pagination"]
    assert page["count"] == count
    assert page["total"] == 3
    assert page["hasMore"] is more
    assert page["nextOffset"] == following
    assert page["prevOffset"] == previous


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", f"limit={2**63}", "offset=-1"]
)
def test_a_page_that_cannot_be_is_refused(api, query):
    reply = api.get(f"/jobs/dead-letter?{query}")
    assert reply.status_code == 422
    assert reply.json["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_no_other_route_answers_in_their_place(api):
    """Each path would also be one of a job called ``dead-letter``."""
    assert "jobs" in api.get("/jobs/dead-letter").json
    assert api.post("/jobs/dead-letter/replay").json["status"] == "accepted"
    assert api.get("/jobs/dead-letter/replay").status_code == 405


# One replay


@pytest.mark.parametrize("kind", KINDS)
def test_a_replay_is_a_new_job_with_the_same_parameters(api, db, queue, kind):
    own = {"generation": {"provider": "openai", "model": "their-model"}}.get(kind, {})
    if kind == "transcription":
        own = {"provider": "openai", "model": "their-model", "language": "de-AT"}
    old_id = failed(db, kind=kind)
    with db.begin() as session:
        old = session.get_one(Job, old_id)
        old.payload = {**old.payload, **own}

    reply = api.post(f"/jobs/{old_id}/replay")

    assert reply.status_code == 200
    assert reply.json == {
        "jobId": reply.json["jobId"],
        "status": "queued",
        "jobType": kind,
        "lectureId": "l1",
        "replayedFromJobId": old_id,
    }
    new = job(db, reply.json["jobId"])
    assert str(new.id) != old_id
    assert {k: v for k, v in new.payload.items() if v is not None} == old.payload
    assert (new.kind, new.subject, new.queue) == (old.kind, old.subject, old.queue)
    assert str(new.replayed_from) == old_id
    assert [task.job_id for task in queue.take()] == [new.id]


def test_the_failed_job_stays_what_it_is(api, db):
    old_id = failed(db, error_detail="No.")
    api.post(f"/jobs/{old_id}/replay")
    assert listed(api) == [old_id]
    shown = api.get(f"/jobs/{old_id}").json
    assert (shown["status"], shown["error"]) == ("failed", "No.")


def test_a_replay_is_run_by_the_worker(api, worker, queue, ingest, speech):
    speech.errors = [ProviderError("No.")]
    ingest(transcribe_language_code="de-AT")
    worker.run_all(queue)
    assert api.get("/lectures/l1").json["status"] == "failed"
    [old_id] = listed(api)

    new_id = api.post(f"/jobs/{old_id}/replay").json["jobId"]
    worker.run_all(queue)

    assert api.get("/lectures/l1").json["status"] == "transcribed"
    assert api.get("/lectures/l1/transcript").json["language"] == "de-AT"
    assert api.get(f"/jobs/{new_id}").json["status"] == "completed"


def test_while_a_replay_is_live_it_is_not_doubled(api, db, queue):
    old_id = failed(db)
    first, second = (api.post(f"/jobs/{old_id}/replay") for _ in range(2))
    assert second.json == first.json
    assert count_jobs(db) == 2
    assert len(queue.take()) == 1


def test_a_running_replay_is_shown_as_running(api, db):
    old_id = failed(db)
    new_id = api.post(f"/jobs/{old_id}/replay").json["jobId"]
    owned_again(db, UUID(new_id))
    assert api.post(f"/jobs/{old_id}/replay").json["status"] == "running"


def test_a_live_job_for_the_same_work_is_taken_for_the_replay(api, db):
    old_id = failed(db)
    live = api.post("/lectures/l1/export").json["jobId"]
    reply = api.post(f"/jobs/{old_id}/replay").json
    assert (reply["jobId"], reply["replayedFromJobId"]) == (live, old_id)
    assert count_jobs(db) == 2


def test_a_replay_that_failed_may_be_followed_by_another(api, db):
    old_id = failed(db)
    first = api.post(f"/jobs/{old_id}/replay").json["jobId"]
    fail(db, first)
    second = api.post(f"/jobs/{old_id}/replay").json["jobId"]
    assert second != first
    assert count_jobs(db) == 3


def test_when_the_queue_is_down_the_replay_waits_in_the_outbox(api, db, queue):
    queue.down = True
    reply = api.post(f"/jobs/{failed(db)}/replay")
    assert (reply.status_code, reply.json["status"]) == (200, "queued")
    with db.begin() as session:
        assert (
            str(session.scalars(select(JobOutbox.job_id)).one())
            == (reply.json["jobId"])
        )


def refused(api, job_id):
    reply = api.post(f"/jobs/{job_id}/replay")
    return reply.status_code, reply.json["detail"]


@pytest.mark.parametrize("job_id", [new_id(), "none", "%20", "1" * 500])
def test_an_unknown_job_cannot_be_replayed(api, job_id):
    assert refused(api, job_id) == (404, "Job not found.")


@pytest.mark.parametrize(
    "state", ["queued", "running", "waiting", "succeeded", "cancelled"]
)
def test_only_a_failed_job_can_be_replayed(api, db, state):
    found = factories.job(db, state=state, payload={})
    assert refused(api, found.id) == (409, "Only failed jobs can be replayed.")


def test_a_job_without_a_lecture_cannot_be_replayed(api, db):
    for payload in ({}, {"lecture_id": None}):
        job_id = failed(db, kind="generation", payload=payload)
        assert refused(api, job_id) == (400, "Job is missing lecture context.")


def test_a_piece_of_a_job_cannot_be_replayed(api, db):
    piece = renamed(db, failed(db, payload={"number": 1}), "transcription_chunk")
    assert refused(api, piece) == (400, "Job is missing lecture context.")


def test_a_job_of_another_kind_cannot_be_replayed(api, db):
    text_ = "Replay is unsupported for this job type."
    assert refused(api, weird(db)) == (400, text_)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_whose_lecture_is_gone_cannot_be_replayed(api, db, kind):
    found = factories.job(db, "gone", kind=kind, state="failed")
    assert refused(api, found.id) == (404, "Lecture not found.")


def test_a_job_about_a_replaced_recording_cannot_be_replayed(
    api, db, worker, queue, ingest, speech
):
    speech.errors = [ProviderError("No.")]
    ingest()
    worker.run_all(queue)
    [old_id] = listed(api)
    ingest()
    before = count_jobs(db)
    assert refused(api, old_id) == (409, "The lecture has got another recording since.")
    assert count_jobs(db) == before


def test_a_job_with_parameters_of_another_time_cannot_be_replayed(api, db):
    job_id = failed(db, payload={"lecture_id": "l1", "colour": "red"})
    assert refused(api, job_id) == (
        400,
        "The job's parameters cannot be read any more.",
    )


# Many replays


def replay_all(api, query=""):
    reply = api.post(f"/jobs/dead-letter/replay{query}")
    assert reply.status_code == 200, reply.text
    return reply.json


def replayed(answer):
    return [one["replayedFromJobId"] for one in answer["replayedJobs"]]


def test_where_nothing_failed_nothing_is_replayed(api):
    assert replay_all(api) == {
        "status": "accepted",
        "requested": 0,
        "replayedCount": 0,
        "skippedCount": 0,
        "replayedJobs": [],
        "skippedJobs": [],
        "filters": {
            "status": "failed",
            "lectureId": None,
            "jobType": None,
            "limit": None,
        },
    }


def test_all_failures_are_replayed_and_others_skipped_with_a_reason(api, db, queue):
    export = failed(db, "l1", "export", 1)
    other = weird(db, "l2", 2)
    answer = replay_all(api)
    assert (answer["requested"], answer["replayedCount"], answer["skippedCount"]) == (
        2,
        1,
        1,
    )
    [new] = answer["replayedJobs"]
    assert new == {
        "jobId": new["jobId"],
        "status": "queued",
        "jobType": "export",
        "lectureId": "l1",
        "replayedFromJobId": export,
    }
    assert answer["skippedJobs"] == [
        {
            "jobId": other,
            "jobType": "weird",
            "lectureId": "l2",
            "reason": "Replay is unsupported for this job type.",
        }
    ]
    assert [str(task.job_id) for task in queue.take()] == [new["jobId"]]


def test_each_reason_is_told(api, db):
    factories.lecture(db)
    gone = factories.job(db, "gone", kind="export", state="failed")
    lost = failed(db, payload={})
    reasons = {s["jobId"]: s["reason"] for s in replay_all(api)["skippedJobs"]}
    assert reasons == {
        str(gone.id): "Lecture not found.",
        lost: "Job is missing lecture context.",
    }


def test_the_newest_failure_is_replayed_first(api, db):
    ids = [failed(db, f"l{number}", at=number) for number in (1, 3, 2)]
    assert replayed(replay_all(api)) == [ids[1], ids[2], ids[0]]


def test_no_failure_is_replayed_twice(api, db):
    for number in range(3):
        failed(db, f"l{number}")
    for rounds in (1, 2):  # in the second one the replays have failed themselves
        answer = replay_all(api)
        assert answer["replayedCount"] == 3
        assert replay_all(api)["requested"] == 0
        assert count_jobs(db) == 3 + 3 * rounds
        for one in answer["replayedJobs"]:
            fail(db, one["jobId"])


def test_failures_at_the_same_work_share_a_replay(api, db):
    failed(db, at=1)
    failed(db, at=2)
    answer = replay_all(api)
    [new_id] = {one["jobId"] for one in answer["replayedJobs"]}
    assert answer["replayedCount"] == 2
    end(db, new_id, "succeeded")
    assert replay_all(api)["requested"] == 0


def test_what_was_replayed_by_hand_is_not_replayed_again(api, db):
    api.post(f"/jobs/{failed(db)}/replay")
    assert replay_all(api)["requested"] == 0


def test_the_limit_holds_before_anything_is_replayed(api, db):
    failed(db, "l1", at=1)
    failed(db, "l2", at=2)
    other = weird(db, "l3", at=3)
    answer = replay_all(api, "?limit=2")
    assert (answer["requested"], answer["filters"]["limit"]) == (2, 2)
    assert [one["jobId"] for one in answer["skippedJobs"]] == [other]
    assert [one["lectureId"] for one in answer["replayedJobs"]] == ["l2"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?lecture_id=l1", {"a", "b"}),
        ("?job_type=export", {"a", "c"}),
        ("?lecture_id=l1&job_type=export", {"a"}),
        ("?lecture_id=none", set()),
        (f"?limit={2**31}", {"a", "b", "c"}),
    ],
)
def test_only_what_was_asked_for_is_replayed(api, db, query, expected):
    names = {
        failed(db, "l1", "export"): "a",
        failed(db, "l1", "generation"): "b",
        failed(db, "l2", "export"): "c",
    }
    assert {names[id_] for id_ in replayed(replay_all(api, query))} == expected


@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "1.5", str(2**64)])
def test_a_limit_that_cannot_be_is_refused(api, db, limit):
    failed(db)
    reply = api.post(f"/jobs/dead-letter/replay?limit={limit}")
    assert reply.status_code == 422
    assert reply.json["detail"][0]["loc"] == ["query", "limit"]
    assert count_jobs(db) == 1


def test_one_call_replays_five_hundred_and_the_next_one_the_rest(api, db, queue):
    factories.lecture(db)
    with db.begin() as session:
        session.add_all(
            Job(
                id=new_id(),
                kind="export",
                subject="lecture:l1",
                queue="media",
                payload={"lecture_id": "l1"},
                state="failed",
                finished_at=minute(0),
            )
            for _ in range(503)
        )
    counts = [replay_all(api)["replayedCount"] for _ in range(3)]
    assert counts == [500, 3, 0]


# At once


@pytest.fixture
def app(committed_deps):
    deps = with_settings(committed_deps, write_rate_limit_max_requests=1000)
    return make_api(deps).application


def test_parallel_replays_of_one_failure_make_one_job(app, committed_db, queue):
    old_id = failed(committed_db)
    replies = together(*[lambda: app.test_client().post(f"/jobs/{old_id}/replay")] * 8)
    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.json["jobId"] for reply in replies}) == 1
    assert count_jobs(committed_db) == 2
    assert len(queue.take()) == 1


def test_parallel_calls_for_all_replay_each_failure_once(app, committed_db):
    olds = {failed(committed_db, f"l{number}") for number in range(10)}
    answers = together(*[lambda: replay_all(app.test_client())] * 4)
    found = [id_ for answer in answers for id_ in replayed(answer)]
    assert sorted(found) == sorted(olds)
    for answer in answers:
        assert answer["requested"] == answer["replayedCount"]
    assert count_jobs(committed_db) == 20


@pytest.mark.parametrize("path", ["/jobs/{}/replay", "/jobs/dead-letter/replay"])
def test_a_lecture_that_is_being_deleted_gets_no_new_job(app, committed_db, path):
    old_id = failed(committed_db)
    asked: list[Future[Any]] = []
    with ThreadPoolExecutor(1) as pool:
        with committed_db.begin() as session:
            session.get(Lecture, "l1", with_for_update=True)
            asked.append(pool.submit(app.test_client().post, path.format(old_id)))
            until(lambda: is_blocked(committed_db))
            session.execute(text("delete from jobs"))
            session.execute(text("delete from lectures"))
        reply = asked[0].result(10)
    assert reply.status_code == (404 if old_id in path.format(old_id) else 200)
    assert count_jobs(committed_db) == 0


def test_deletes_and_replays_at_once_leave_no_job_behind(app, committed_db):
    olds = [
        failed(committed_db, f"l{number}", kind)
        for number in range(4)
        for kind in KINDS
    ]
    client = app.test_client
    replies = together(
        *[lambda id_=id_: client().post(f"/jobs/{id_}/replay") for id_ in olds],
        lambda: client().post("/jobs/dead-letter/replay"),
        *[lambda n=n: client().delete(f"/lectures/l{n}") for n in range(3)],
        lambda: client().delete("/courses/c1"),
    )
    assert {reply.status_code for reply in replies} <= {200, 404}
    assert count_jobs(committed_db) == 0


# Many


@pytest.fixture(scope="module")
def crowded(new_database):
    """100,000 jobs, of which 4,000 failed, of ten lectures."""
    url = new_database()
    migrations.upgrade(url)
    factory = database.connect(url)
    with factory.begin() as session:
        session.execute(text("alter table jobs disable trigger user"))
        session.execute(
            text("""
insert into jobs (id, kind, subject, queue, payload, state, created_at, finished_at,
                  replay_count)
select gen_random_uuid(), (array['transcription', 'generation', 'export'])[1 + n % 3],
       'lecture:l' || (n % 250), 'media',
       jsonb_build_object('lecture_id', 'l' || (n % 250)),
       case when n % 25 = 7 then 'failed' else 'succeeded' end,
       now() - n * interval '1 second', now(), 0
  from generate_series(1, 100000) n""")
        )
        session.execute(text("alter table jobs enable trigger user"))
        session.execute(text("analyze jobs"))
    yield factory
    factory.kw["bind"].dispose()


@pytest.fixture
def plans(crowded):
    """Explain every statement that reads jobs, with the values that it was given."""
    engine = crowded.kw["bind"]
    seen = []

    def note(_connection, _cursor, statement, values, *_rest):
        if "FROM jobs" in statement and not statement.startswith("explain"):
            seen.append((statement, values))

    def explained():
        with engine.connect() as connection:
            return [
                "\n".join(
                    connection.exec_driver_sql(f"explain {statement}", values).scalars()
                )
                for statement, values in seen
            ]

    event.listen(engine, "before_cursor_execute", note)
    yield explained
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("path", "total", "index"),
    [
        ("/jobs/dead-letter?limit=50", 4000, "ix_jobs_dead"),
        ("/jobs/dead-letter?limit=50&offset=2000", 4000, "ix_jobs_dead"),
        ("/jobs/dead-letter?limit=50&job_type=export", 1333, "ix_jobs_dead"),
        ("/jobs/dead-letter?limit=50&lecture_id=l7", 400, "ix_jobs_subject"),
        ("/jobs/dead-letter?limit=50&lecture_id=l8", 0, "ix_jobs_subject"),
    ],
)
def test_the_listing_finds_its_rows_by_index(deps, crowded, plans, path, total, index):
    client = make_api(replace(deps, db=crowded))
    reply: Any = client.get(path)
    assert abs(reply.json["pagination"]["total"] - total) <= 1
    found = plans()
    assert len(found) == 2
    for plan in found:
        assert "Seq Scan" not in plan, plan
        assert index in plan, plan


@pytest.mark.parametrize(
    "query", ["limit=5", "limit=5&job_type=export", "limit=5&lecture_id=l8"]
)
def test_a_batch_finds_its_rows_by_index(deps, crowded, plans, query):
    client = make_api(replace(deps, db=crowded))
    assert client.post(f"/jobs/dead-letter/replay?{query}").status_code == 200
    found = plans()
    assert "ix_jobs_dead" in found[0]
    for plan in found:
        assert "Seq Scan" not in plan, plan


# What history tells


def test_a_replay_is_counted_in_history(api, db):
    api.post(f"/jobs/{failed(db)}/replay")
    with db.begin() as session:
        births = session.scalars(
            select(JobEvent.reason).where(JobEvent.to_state == "queued")
        ).all()
    assert births == ["replayed"]


def test_an_ingest_after_a_failure_starts_anew(committed_deps, committed_db):
    """The old failure is listed on, and its replay refused."""
    client: Any = make_api(committed_deps)
    upload: Any = make_ingest(client)
    assert upload().status_code == 200
    [one] = client.get("/lectures/l1/jobs").json["jobs"]
    fail(committed_db, one["id"])
    assert upload().status_code == 200
    assert listed(client) == [one["id"]]
    answer = replay_all(client)
    assert [s["reason"] for s in answer["skippedJobs"]] == [
        "The lecture has got another recording since."
    ]
