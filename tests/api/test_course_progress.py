"""How far a course has come: what its lectures amount to."""

import pytest

from tests import factories
from tests.factories import minute

# The state of the newest job of each stage: transcription, generation, export.
NOTHING = ()
DONE = ("succeeded",) * 3
TWO = ("succeeded", "succeeded")
ONE = ("succeeded",)
QUEUED = ("queued",)
FAILED = ("failed",)


def lecture(db, number, states=(), **fields):
    factories.lecture(db, f"l{number}", created_at=minute(number), **fields)
    for kind, state in zip(factories.QUEUES, states, strict=False):
        factories.job(
            db, f"l{number}", kind=kind, state=state, created_at=minute(number)
        )


def progress(api, query=""):
    reply = api.get(f"/courses/c1/progress{query}")
    assert reply.status_code == 200
    return reply.json


@pytest.mark.parametrize(
    ("lectures", "status", "percent", "counts"),
    [
        # completed, failed, in progress, not started
        ([], "not_started", 0, (0, 0, 0, 0)),
        ([NOTHING], "not_started", 0, (0, 0, 0, 1)),
        ([QUEUED], "not_started", 0, (0, 0, 1, 0)),
        ([("running",)], "not_started", 0, (0, 0, 1, 0)),
        ([ONE], "in_progress", 33, (0, 0, 1, 0)),
        ([TWO], "in_progress", 66, (0, 0, 1, 0)),
        ([DONE], "completed", 100, (1, 0, 0, 0)),
        ([DONE, DONE], "completed", 100, (2, 0, 0, 0)),
        ([DONE, TWO], "in_progress", 83, (1, 0, 1, 0)),
        ([DONE, NOTHING], "in_progress", 50, (1, 0, 0, 1)),
        ([ONE, NOTHING, NOTHING], "in_progress", 11, (0, 0, 1, 2)),
        ([TWO, ONE, ONE], "in_progress", 44, (0, 0, 3, 0)),
        ([TWO, TWO, ONE], "in_progress", 55, (0, 0, 3, 0)),
        ([DONE, DONE, ONE], "in_progress", 78, (2, 0, 1, 0)),
        ([FAILED], "failed", 0, (0, 1, 0, 0)),
        ([DONE, FAILED], "failed", 50, (1, 1, 0, 0)),
        ([("succeeded", "failed"), DONE], "failed", 66, (1, 1, 0, 0)),
        ([("cancelled",)], "failed", 0, (0, 1, 0, 0)),
        ([("waiting",), DONE], "in_progress", 50, (1, 0, 1, 0)),
    ],
)
def test_lectures_amount_to_a_course(api, db, lectures, status, percent, counts):
    factories.course(db)
    for number, states in enumerate(lectures):
        lecture(db, number, states)
    found = progress(api)
    assert (found["overallStatus"], found["progressPercent"]) == (status, percent)
    assert found["lectureCount"] == len(lectures)
    kinds = ("completed", "failed", "inProgress", "notStarted")
    assert tuple(found[f"{kind}LectureCount"] for kind in kinds) == counts


def test_the_answer_has_these_keys(api, db):
    lecture(db, 1)
    keys = [
        *("courseId", "overallStatus", "lectureCount", "completedLectureCount"),
        *("failedLectureCount", "inProgressLectureCount", "notStartedLectureCount"),
        *("progressPercent", "latestActivityAt", "lectures"),
    ]
    assert list(progress(api)) == keys
    assert list(progress(api, "?include_lectures=false")) == keys[:-1]


@pytest.mark.parametrize(
    ("sent", "included"),
    [("true", True), ("0", False), ("OFF", False), ("yes", True), ("n", False)],
)
def test_lectures_can_be_left_out(api, db, sent, included):
    lecture(db, 1)
    found = progress(api, f"?include_lectures={sent}")
    assert ("lectures" in found) == included


def test_a_switch_that_is_none_is_refused(api, db):
    factories.course(db)
    reply = api.get("/courses/c1/progress?include_lectures=maybe")
    assert reply.status_code == 422
    [problem] = reply.json["detail"]
    assert (problem["type"], problem["loc"]) == (
        "bool_parsing",
        ["query", "include_lectures"],
    )


def test_each_lecture_is_told_as_by_itself_and_with_its_statuses(api, db):
    lecture(db, 1, TWO)
    lecture(db, 2, ("succeeded", "failed"))
    found = progress(api)["lectures"]
    assert [one["lectureId"] for one in found] == ["l2", "l1"]
    for one in found:
        statuses = one.pop("stageStatuses")
        assert one == api.get(f"/lectures/{one['lectureId']}/progress").json
        assert statuses == {n: stage["status"] for n, stage in one["stages"].items()}


def test_the_stages_are_in_their_order(api, db):
    lecture(db, 1, DONE)
    [one] = progress(api)["lectures"]
    order = ["transcription", "generation", "export"]
    assert list(one["stages"]) == order
    assert list(one["stageStatuses"]) == order


def test_the_newest_job_of_each_stage_counts(api, db):
    lecture(db, 1)
    for number, state in enumerate(("succeeded", "failed", "queued")):
        factories.job(db, "l1", state=state, created_at=minute(number))
    newest = factories.job(db, "l1", state="failed", created_at=minute(9))
    factories.job(db, "l2", state="queued", created_at=minute(10))
    [one] = progress(api)["lectures"]
    assert one["stages"]["transcription"]["jobId"] == str(newest.id)
    assert one["overallStatus"] == "failed"


def test_other_courses_do_not_count(api, db):
    lecture(db, 1, DONE)
    lecture(db, 2, FAILED, course_id="c2")
    assert progress(api)["overallStatus"] == "completed"


@pytest.mark.parametrize(
    ("lecture_at", "job_at", "latest"), [(5, 3, "20:05"), (3, 7, "20:07")]
)
def test_the_latest_activity_is_a_lecture_s_or_a_job_s(
    api, db, lecture_at, job_at, latest
):
    lecture(db, 1, updated_at=minute(1))
    lecture(db, 2, updated_at=minute(lecture_at))
    factories.job(db, "l1", state="failed", updated_at=minute(job_at))
    assert progress(api)["latestActivityAt"] == f"2026-11-20T{latest}:00.000000Z"


def test_an_empty_course_was_never_active(api, db):
    factories.course(db)
    assert progress(api)["latestActivityAt"] is None


def test_pieces_that_are_done_show_in_a_stage(api, db):
    lecture(db, 1)
    factories.job(
        db,
        "l1",
        state="waiting",
        progress=10,
        pending_children=3,
        checkpoint={"fanned_out": 12},
    )
    [one] = progress(api)["lectures"]
    assert one["stages"]["transcription"]["progressPercent"] == 10 + 90 * 9 // 12


@pytest.mark.parametrize("size", [1, 200])
def test_two_hundred_lectures_cost_what_one_costs(api, db, statements, size):
    for number in range(size):
        lecture(db, number, ("succeeded", "failed"))
    statements.clear()
    found = progress(api)
    assert len(found["lectures"]) == size
    assert len(statements) == 3, statements


def test_the_drafts_that_jobs_keep_are_not_read(api, db, statements):
    lecture(db, 1, TWO)
    statements.clear()
    progress(api)
    [asked] = [s for s in statements if "FROM jobs" in s]
    for column in ("payload", "result"):
        assert f"jobs.{column}" not in asked
    assert "jobs.checkpoint," not in asked
