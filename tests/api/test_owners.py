"""What people add is theirs: others neither see it nor get into its way."""

import io

import pytest
from sqlalchemy import select

from common import threads
from common.models import Course, Lecture, Thread, Upload
from common.study import Concept
from tests import factories
from tests.api.guards import READ_TOKEN, WRITE_TOKEN, bearer, guarded
from tests.api.people import person, signed_in
from tests.conftest import spoken_wav

NOBODY: dict[str, str] = {}


@pytest.fixture
def ann(db):
    return person(db)


@pytest.fixture
def as_ann(deps, ann):
    return signed_in(deps, ann)


@pytest.fixture
def as_bob(deps, db):
    return signed_in(deps, person(db, "bob@example.com"))


def send(api, headers, lecture_id="l1", course_id="c1", **fields):
    form = {
        "course_id": course_id,
        "lecture_id": lecture_id,
        "preset_id": "exam-mode",
        "title": "First lecture",
        "audio": (io.BytesIO(spoken_wav()), "talk.wav"),
        **fields,
    }
    return api.post("/lectures/ingest", data=form, headers=headers)


def announce(api, headers, lecture_id="l1", course_id="c1"):
    lecture = {
        "course_id": course_id,
        "lecture_id": lecture_id,
        "preset_id": "exam-mode",
        "title": "First lecture",
    }
    sent = {
        "filename": "talk.wav",
        "contentType": "audio/wav",
        "sizeBytes": len(spoken_wav()),
        "lecture": lecture,
    }
    return api.post("/uploads", json=sent, headers=headers)


def owners(db, model):
    with db.begin() as session:
        return {row.id: row.owner_id for row in session.scalars(select(model))}


def stored(storage_dir):
    return [path for path in storage_dir.rglob("*.wav") if path.is_file()]


def test_a_session_counts_where_the_deployment_s_tokens_do(api, deps, as_ann):
    api.application.extensions["deps"] = guarded(deps, read=READ_TOKEN)
    assert send(api, as_ann).status_code == 200
    assert api.get("/lectures/l1", headers=as_ann).status_code == 200
    assert api.get("/lectures/l1").status_code == 401
    assert api.get("/lectures/l1", headers=bearer(READ_TOKEN)).status_code == 404
    assert api.get("/lectures/l1", headers=bearer(WRITE_TOKEN)).status_code == 404


def test_what_a_person_adds_is_the_person_s(api, db, ann, as_ann, as_bob):
    assert send(api, as_ann).status_code == 200
    course_id = api.post("/courses", json={"title": "T"}, headers=as_ann).json["id"]
    upload = announce(api, as_ann, "l2")
    assert upload.status_code == 201
    assert owners(db, Lecture) == {"l1": ann.id}
    assert owners(db, Course) == {"c1": ann.id, course_id: ann.id}
    assert set(owners(db, Upload).values()) == {ann.id}
    for headers in (as_bob, NOBODY):
        assert api.get("/lectures/l1", headers=headers).status_code == 404
        assert api.get(f"/courses/{course_id}", headers=headers).status_code == 404


def test_what_nobody_in_particular_adds_is_everybody_s(api, db, as_ann):
    assert send(api, NOBODY).status_code == 200
    assert owners(db, Lecture) == {"l1": None}
    assert owners(db, Course) == {"c1": None}
    assert api.get("/lectures/l1", headers=as_ann).status_code == 200


@pytest.mark.parametrize("who", ["bob", "nobody"])
@pytest.mark.parametrize(
    ("lecture_id", "course_id", "text"),
    [("l1", "c2", "Lecture not found."), ("l2", "c1", "Course not found.")],
)
def test_nobody_sends_over_or_into_what_is_another_s(
    api, db, storage_dir, as_ann, as_bob, who, lecture_id, course_id, text
):
    send(api, as_ann)
    before = owners(db, Lecture), owners(db, Course), stored(storage_dir)
    headers = as_bob if who == "bob" else NOBODY
    for reply in (
        send(api, headers, lecture_id, course_id, course_title="Mine now"),
        announce(api, headers, lecture_id, course_id),
    ):
        assert (reply.status_code, reply.json["detail"]) == (404, text)
    assert (owners(db, Lecture), owners(db, Course), stored(storage_dir)) == before
    assert api.get("/courses/c1", headers=as_ann).json["title"] == "c1"
    assert owners(db, Upload) == {}


def test_the_transaction_itself_refuses_what_became_another_s_meanwhile(
    api, db, as_ann, as_bob
):
    """Bob announces his lecture first, Ann's is there first."""
    upload = announce(api, as_bob).json
    assert send(api, as_ann).status_code == 200
    content = upload["uploadUrl"].partition("/uploads/")[2]
    put = api.put(f"/uploads/{content}", data=spoken_wav())
    assert put.status_code == 200, put.text
    path = f"/uploads/{upload['uploadId']}"
    done = api.post(f"{path}/complete", headers=as_bob)
    assert done.status_code == 404
    assert api.get("/lectures/l1", headers=as_bob).status_code == 404
    assert api.get("/lectures/l1", headers=as_ann).status_code == 200


def test_an_upload_is_its_sender_s(api, db, as_ann, as_bob):
    sent = {"filename": "talk.wav", "content_type": "audio/wav"}
    opened = api.post("/upload/signed-url", json=sent, headers=as_ann).json
    content = opened["url"].partition("/uploads/")[2]
    kind = {"Content-Type": "audio/wav"}
    api.put(f"/uploads/{content}", data=spoken_wav(), headers=kind)
    form = {
        "course_id": "c1",
        "lecture_id": "l1",
        "preset_id": "exam",
        "title": "T",
        "storage_path": opened["storagePath"],
    }
    stolen = api.post("/lectures/ingest", data=form, headers=as_bob)
    assert stolen.status_code == 400
    assert stolen.json["error"]["code"] == "storage_path_unknown"
    assert api.post("/lectures/ingest", data=form, headers=as_ann).status_code == 200
    [(_, owner)] = owners(db, Lecture).items()
    assert owner == next(iter(owners(db, Upload).values()))


def test_in_a_course_that_has_an_owner_all_lectures_are_the_owner_s(
    api, db, ann, as_ann
):
    send(api, NOBODY, "l1", "everybodys")
    send(api, as_ann, "l2", "anns")
    assert send(api, as_ann, "l1", "anns").status_code == 200  # it moves
    assert owners(db, Lecture) == {"l1": ann.id, "l2": ann.id}
    assert api.get("/lectures/l1").status_code == 404


def test_in_everybody_s_course_people_see_their_own_and_everybody_s(
    api, db, ann, as_ann, as_bob
):
    send(api, NOBODY, "l1")
    assert send(api, as_ann, "l2").status_code == 200
    assert owners(db, Lecture) == {"l1": None, "l2": ann.id}
    for headers, expected in (
        (as_ann, {"l1", "l2"}),
        (as_bob, {"l1"}),
        (NOBODY, {"l1"}),
    ):
        lectures = api.get("/courses/c1/lectures", headers=headers).json
        assert {one["id"] for one in lectures["lectures"]} == expected
        assert lectures["pagination"]["total"] == len(expected)
        progress = api.get("/courses/c1/progress", headers=headers).json
        assert {one["lectureId"] for one in progress["lectures"]} == expected


def test_everybody_s_course_stays_while_people_have_lectures_in_it(api, as_ann, as_bob):
    send(api, NOBODY, "l1")
    send(api, as_ann, "l2")
    for headers in (as_bob, NOBODY):
        reply = api.delete("/courses/c1", headers=headers)
        assert reply.status_code == 409
        assert "l2" not in reply.text
    assert api.get("/lectures/l2", headers=as_ann).status_code == 200
    assert api.delete("/courses/c1", headers=as_ann).status_code == 200


def concept(db, lecture_id, evidence):
    with db.begin() as session:
        threads.lock(session, lecture_id)
        told = [
            (one.title, one.summary) for one in threads.known(session, "c1", lecture_id)
        ]
        found = Concept(
            title="Entropy", summary=evidence, evidence=evidence, face="BLUE"
        )
        threads.replace(session, "c1", lecture_id, [found], [])
    return told


def test_threads_run_through_the_lectures_of_one_owner(api, db, as_ann, as_bob):
    for number, headers in enumerate((NOBODY, as_ann, as_bob, as_ann)):
        send(api, headers, f"l{number}")
    with db.begin() as session:
        for number in range(4):
            session.get(Lecture, f"l{number}").created_at = factories.minute(number)
    told = [concept(db, f"l{n}", f"said in l{n}") for n in range(4)]
    assert told == [[], [], [], [("Entropy", "said in l1")]]
    assert len(owners(db, Thread)) == 3
    for headers, mine in ((NOBODY, {"l0"}), (as_ann, {"l1", "l3"}), (as_bob, {"l2"})):
        page = api.get("/courses/c1/threads", headers=headers).json
        refs = {ref for thread in page["threads"] for ref in thread["lecture_refs"]}
        expected = mine | {"l0"}
        assert refs == expected
        assert set(page["lectureTitles"]) == expected
        assert page["pagination"]["total"] == len(page["threads"])


def test_one_person_s_key_is_not_another_s(api, as_ann, as_bob):
    """Else the second would be answered with what the first one's request did."""
    key = {"Idempotency-Key": "k1"}
    first = send(api, as_ann | key, "l1", "c1")
    assert send(api, as_ann | key, "l1", "c1").json == first.json
    assert send(api, as_bob | key, "l1", "c1").status_code == 404
    assert send(api, as_bob | key, "l2", "c2").status_code == 200


def test_writes_of_people_behind_one_address_are_counted_apart(
    api, deps, as_ann, as_bob
):
    api.application.extensions["deps"] = guarded(
        deps, write=None, write_rate_limit_max_requests=2
    )
    codes = [
        api.delete("/lectures/none", headers=headers).status_code
        for headers in (as_ann, as_ann, as_ann, as_bob, NOBODY)
    ]
    assert codes == [404, 404, 429, 404, 404]


def test_the_evidence_of_a_deletion_is_seen_by_who_saw_what_is_gone(
    api, ann, as_ann, as_bob
):
    send(api, as_ann, "l1", "c1")
    send(api, NOBODY, "l2", "c2")
    claimed = {"x-actor-id": "somebody else"}
    assert api.delete("/courses/c1", headers=as_ann | claimed).status_code == 200
    assert api.delete("/lectures/l2", headers=as_bob).status_code == 200

    def seen(headers):
        audit = api.get("/ops/deletion-audit", headers=headers).json
        assert audit["pagination"]["total"] == len(audit["events"])
        return {(one["entity_id"], one["actor"]) for one in audit["events"]}

    everybodys = {("l2", f"user:{ann.id + 1}")}
    assert seen(as_bob) == seen(NOBODY) == everybodys
    assert seen(as_ann) == everybodys | {
        ("l1", f"user:{ann.id}"),
        ("c1", f"user:{ann.id}"),
    }


def test_a_piece_of_another_s_job_is_not_there(api, db, ann, as_ann, as_bob):
    factories.course(db, owner_id=ann.id)
    factories.lecture(db, owner_id=ann.id)
    parent = factories.job(db, state="waiting")
    child = factories.job(
        db,
        kind="transcription",
        subject=None,
        payload={"number": 0},
        parent_id=parent.id,
    )
    path = f"/jobs/{child.id}"
    assert api.get(path, headers=as_ann).status_code == 200
    for headers in (as_bob, NOBODY):
        assert api.get(path, headers=headers).status_code == 404


def test_a_batch_replays_nothing_of_another(api, db, ann, as_ann, as_bob):
    factories.course(db, owner_id=ann.id)
    factories.lecture(db, owner_id=ann.id)
    factories.job(db, kind="export", state="failed")
    for headers in (as_bob, NOBODY):
        reply = api.post("/jobs/dead-letter/replay", headers=headers)
        assert (reply.json["requested"], reply.json["skippedJobs"]) == (0, [])
    mine = api.post("/jobs/dead-letter/replay", headers=as_ann)
    assert mine.json["replayedCount"] == 1
