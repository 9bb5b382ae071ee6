"""What DELETE removes, what it leaves, and the evidence of it."""

import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, text

from common import threads
from common.errors import ProviderError
from common.exports import FORMATS
from common.models import (
    Artifact,
    Course,
    DeletionEvent,
    DoomedObject,
    Export,
    Job,
    JobEvent,
    JobOutbox,
    Lecture,
    Recording,
    SegmentRecord,
    Thread,
    ThreadContribution,
    TranscriptRecord,
)
from common.providers import internal_calls
from common.study import Concept
from tests import factories
from tests.api.guards import WRITE_TOKEN, bearer, guarded
from tests.conftest import Worker, make_api, make_ingest
from tests.factories import minute
from tests.fakes import FakeQueue, FakeSpeech

OF_A_LECTURE = [
    Lecture,
    Recording,
    TranscriptRecord,
    SegmentRecord,
    Artifact,
    Export,
    Job,
    JobOutbox,
    ThreadContribution,
]
NOTHING = {
    "artifacts": 0,
    "exports": 0,
    "jobs": 0,
    "lectures": 1,
    "threadsUpdated": 0,
    "storagePaths": 0,
    "metadataRemoved": True,
}


def count(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def left(db):
    """Return how many rows there are of each kind that hangs on a lecture."""
    return {model.__name__: n for model in OF_A_LECTURE if (n := count(db, model))}


def files(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    }


def doomed(db):
    """Return the objects that a sweep removes sooner or later."""
    with db.begin() as session:
        return set(session.scalars(select(DoomedObject.object_key)))


def concept(title):
    return Concept(title=title, summary="What.", evidence="said so", face="RED")


def contribute(db, lecture_id, *titles, course_id="c1"):
    with db.begin() as session:
        threads.lock(session, lecture_id)
        threads.replace(session, course_id, lecture_id, [*map(concept, titles)], [])


def refs(db):
    """Return the lectures of each thread."""
    with db.begin() as session:
        return {t.title: t.lecture_refs for t in session.scalars(select(Thread))}


def stored(db, storage, lecture_id="l1", **fields):
    """Make a lecture with a recording, a transcript, an artifact and an export."""
    lecture = factories.lecture(db, lecture_id, **fields)
    factories.media(storage, lecture)
    storage.write(lecture.recording.metadata_key, io.BytesIO(b"{}"))
    factories.transcript(db, storage, lecture, "One.")
    for row in (factories.artifact(db, lecture_id), factories.export(db, lecture_id)):
        storage.write(row.object_key, io.BytesIO(b"made"))
    return lecture


@pytest.fixture
def sweep(worker):
    def call():
        reply = worker.post("/schedules/sweep", {}, caller=internal_calls.SCHEDULER)
        return reply.json["objects_removed"]

    return call


@pytest.fixture
def complete(api, db, ingest, worker, queue):
    """Make a lecture with all that a client can have made of it."""
    ingest(course_title="Biology")
    worker.run_all(queue)
    for verb in ("generate", "export"):
        api.post(f"/lectures/l1/{verb}", json={})
        worker.run_all(queue)
    contribute(db, "l1", "Antibody", "Antigen")


# A lecture


def test_a_whole_lecture_goes_with_all_that_was_made_of_it(
    api, db, storage_dir, sweep, complete
):
    sweep()  # pieces of audio that are no longer needed
    on_disk = files(storage_dir)
    reply = api.delete("/lectures/l1")
    assert reply.status_code == 200
    assert reply.json == {
        "lectureId": "l1",
        "deleted": {
            "artifacts": 5,
            "exports": len(FORMATS),
            "jobs": 3,
            "lectures": 1,
            "threadsUpdated": 2,
            "storagePaths": len(on_disk),
            "metadataRemoved": True,
        },
        "auditEventId": reply.json["auditEventId"],
    }
    assert left(db) == {}
    assert refs(db) == {}
    assert doomed(db) == on_disk


def test_the_sweep_removes_its_objects_and_not_the_request(
    api, db, storage_dir, sweep, complete
):
    sweep()
    on_disk = files(storage_dir)
    api.delete("/lectures/l1")
    assert files(storage_dir) == on_disk
    assert sweep() == len(on_disk)
    assert files(storage_dir) == set()
    assert [path for path in storage_dir.iterdir() if path.name != ".incoming"] == []
    assert doomed(db) == set()


def test_its_course_stays(api, complete):
    api.delete("/lectures/l1")
    assert api.get("/courses/c1").json["title"] == "Biology"


@pytest.mark.parametrize(
    "path",
    ["", "/progress", "/summary", "/jobs", "/transcript", "/media", "/integrity"],
)
def test_nothing_tells_of_it_any_more(api, complete, path):
    job_ids = [one["id"] for one in api.get("/lectures/l1/jobs").json["jobs"]]
    assert api.get(f"/lectures/l1{path}").status_code == 200
    api.delete("/lectures/l1")
    assert api.get(f"/lectures/l1{path}").status_code == 404
    assert api.get(f"/jobs/{job_ids[0]}").status_code == 404
    assert api.get("/exports/l1/pdf").status_code == 404
    assert api.get("/lectures").json["lectures"] == []


def test_a_lecture_with_nothing_but_its_recording(api, db):
    factories.lecture(db)
    assert api.delete("/lectures/l1").json["deleted"] == NOTHING | {"storagePaths": 2}


def test_a_recording_that_is_kept_no_longer_is_not_counted(api, db):
    lecture = factories.lecture(db)
    with db.begin() as session:
        session.get_one(Recording, lecture.recording_id).object_key = None
    deleted = api.delete("/lectures/l1").json["deleted"]
    assert deleted == NOTHING | {"storagePaths": 1}


def test_files_that_are_gone_already_are_no_trouble(api, db, sweep):
    factories.lecture(db)
    factories.artifact(db)
    api.delete("/lectures/l1")
    sweep()
    assert doomed(db) == set()


def test_two_rows_may_name_one_file(api, db):
    factories.lecture(db)
    factories.artifact(db, object_key="same")
    factories.export(db, object_key="same")
    assert api.delete("/lectures/l1").status_code == 200
    assert "same" in doomed(db)


@pytest.mark.parametrize("word", ["false", "0", "no", "OFF"])
def test_files_are_kept_if_that_is_wished(api, db, deps, storage_dir, sweep, word):
    stored(db, deps.storage)
    on_disk = files(storage_dir)
    deleted = api.delete(f"/lectures/l1?purge_storage={word}").json["deleted"]
    assert (deleted["artifacts"], deleted["exports"]) == (1, 1)
    assert (deleted["storagePaths"], deleted["metadataRemoved"]) == (0, False)
    sweep()
    assert files(storage_dir) == on_disk
    assert left(db) == {}


def test_a_wish_that_is_not_clear_deletes_nothing(api, db):
    factories.lecture(db)
    for path in ("/lectures/l1", "/courses/c1"):
        reply = api.delete(f"{path}?purge_storage=maybe")
        assert reply.status_code == 422
        assert reply.json["detail"][0]["loc"] == ["query", "purge_storage"]
    assert (count(db, Lecture), count(db, DeletionEvent)) == (1, 0)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/lectures/l1", "Lecture not found."),
        ("/lectures/%2e%2e%2fx", "Not Found"),
        ("/lectures/*", "Lecture not found."),
        ("/courses/c1", "Course not found."),
        ("/courses/%25", "Course not found."),
    ],
)
def test_what_is_not_there_cannot_be_deleted(api, db, path, detail):
    reply = api.delete(path)
    assert (reply.status_code, reply.json["detail"]) == (404, detail)
    assert count(db, DeletionEvent) == 0


def test_deleting_twice_is_told_once(api, db):
    factories.lecture(db)
    assert api.delete("/lectures/l1").status_code == 200
    assert api.delete("/lectures/l1").status_code == 404
    assert count(db, DeletionEvent) == 1


def test_other_lectures_keep_everything(api, db, deps, storage_dir, sweep):
    stored(db, deps.storage, "l1")
    stored(db, deps.storage, "l1.b")
    factories.job(db, "l1.b", state="failed")
    before = {name for name in files(storage_dir) if "/l1.b/" in name}
    api.delete("/lectures/l1")
    sweep()
    assert files(storage_dir) == before
    assert set(left(db).values()) == {1}


def test_threads_keep_what_other_lectures_say(api, db):
    for number in (1, 2):
        factories.lecture(db, f"l{number}", created_at=minute(number))
    contribute(db, "l1", "Antibody", "Antigen")
    contribute(db, "l2", "Antibody")
    assert api.delete("/lectures/l1").json["deleted"]["threadsUpdated"] == 2
    assert refs(db) == {"Antibody": ["l2"]}
    assert api.delete("/lectures/l2").json["deleted"]["threadsUpdated"] == 1
    assert refs(db) == {}


def test_it_may_be_made_anew_under_the_same_id(api, ingest, worker, queue, complete):
    api.delete("/lectures/l1")
    assert ingest().status_code == 200
    worker.run_all(queue)
    summary = api.get("/lectures/l1/summary").json
    assert summary["lecture"]["status"] == "transcribed"
    assert summary["artifactCount"] == summary["exportCount"] == 0


# Its jobs


def test_a_queued_job_is_cancelled_and_its_task_does_nothing(
    api, db, worker, queue, ingest, speech
):
    ingest()
    [task] = queue.take()
    assert api.delete("/lectures/l1").json["deleted"]["jobs"] == 1
    with db.begin() as session:
        assert session.scalars(
            select(JobEvent.to_state).order_by(JobEvent.id)
        ).all() == ["queued", "cancelled"]
    reply = worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
    assert reply.status_code == 200
    assert speech.calls == 0
    assert left(db) == {}


def test_a_job_that_waits_for_its_pieces_goes_with_them(api, db, worker, queue, speech):
    speech.max_chunk_ms = 2000
    make_ingest(api)()
    [task] = queue.take()
    worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
    pieces = queue.take()
    assert count(db, Job) == 1 + len(pieces) > 2
    assert api.delete("/lectures/l1").json["deleted"]["jobs"] == 1
    assert left(db) == {}
    for piece in pieces:
        worker.post(f"/tasks/{piece.job_id}", {"seq": piece.dispatch_seq})
    assert speech.calls == 0


@dataclass
class Late:
    """A worker in the middle of a job when something happens to its lecture."""

    api: FlaskClient
    worker: Worker
    queue: FakeQueue
    speech: FakeSpeech
    llm: Any
    monkeypatch: pytest.MonkeyPatch

    def during(self, kind, happens):
        """Run a lecture's jobs up to one of this kind, and this during it."""
        make_ingest(self.api)()
        if kind == "transcription":
            self.speech.answer = self._once(happens, lambda _flac: ())
            self.worker.run_all(self.queue)
            return
        self.worker.run_all(self.queue)
        if kind == "generation":
            study = self.llm.study
            self.llm.study = self._once(happens, study)
            self._ask("generate")
            return
        self._ask("generate")
        storage = self.worker.deps.storage
        write = self._once(happens, type(storage).write)
        self.monkeypatch.setattr(type(storage), "write", write)
        self._ask("export")

    def _ask(self, verb):
        assert self.api.post(f"/lectures/l1/{verb}", json={}).status_code == 200
        self.worker.run_all(self.queue)

    @staticmethod
    def _once(happens, function):
        left = [happens]

        def wrapped(*args):
            if left:
                assert left.pop()().status_code == 200
            return function(*args)

        return wrapped


@pytest.fixture
def late(committed_deps, committed_worker, queue, speech, llm, monkeypatch):
    api = make_api(committed_deps)
    return Late(api, committed_worker, queue, speech, llm, monkeypatch)


@pytest.mark.parametrize("path", ["/lectures/l1", "/courses/c1"])
@pytest.mark.parametrize("kind", ["transcription", "generation", "export"])
def test_a_late_worker_writes_nothing_and_brings_nothing_back(
    late, committed_db, storage_dir, kind, path
):
    late.during(kind, lambda: late.api.delete(path))
    assert left(committed_db) == {}
    assert refs(committed_db) == {}
    assert files(storage_dir) <= doomed(committed_db)
    assert late.queue.take() == []
    assert late.api.get("/lectures").json["lectures"] == []


def test_a_late_worker_that_fails_writes_nothing_either(late, committed_db):
    late.speech.errors = []

    def delete_and_fail():
        late.speech.errors = [ProviderError("No.")]
        return late.api.delete("/lectures/l1")

    late.during("transcription", delete_and_fail)
    assert left(committed_db) == {}
    assert count(committed_db, Course) == 1


@pytest.mark.parametrize("kind", ["transcription", "generation", "export"])
def test_a_late_worker_leaves_a_new_lecture_of_that_id_alone(late, committed_db, kind):
    def replace():
        assert late.api.delete("/lectures/l1").status_code == 200
        return make_ingest(late.api)(title="The new one", auto_transcribe="false")

    late.during(kind, replace)
    assert left(committed_db) == {"Lecture": 1, "Recording": 1}
    found = late.api.get("/lectures/l1").json
    assert (found["title"], found["status"]) == ("The new one", "uploaded")


# All or nothing


@pytest.mark.parametrize("path", ["/lectures/l1", "/courses/c1"])
def test_a_failure_at_the_end_leaves_everything(
    committed_deps, committed_db, path, storage_dir
):
    stored(committed_db, committed_deps.storage)
    factories.job(committed_db)
    contribute(committed_db, "l1", "Antibody")
    before, on_disk = left(committed_db), files(storage_dir)

    @event.listens_for(committed_db, "before_commit")
    def break_down(session):
        if session.scalar(select(func.count(Lecture.id))) == 0:
            session.flush()
            event.remove(committed_db, "before_commit", break_down)
            raise ZeroDivisionError

    client = make_api(committed_deps)
    assert client.delete(path).status_code == 500
    assert left(committed_db) == before
    assert refs(committed_db) == {"Antibody": ["l1"]}
    assert doomed(committed_db) == set()
    assert count(committed_db, DeletionEvent) == 0
    assert files(storage_dir) == on_disk
    assert client.delete(path).status_code == 200


# A course


def test_a_course_goes_with_its_lectures(api, db, deps, storage_dir, sweep):
    for number in (2, 1, 3):
        stored(db, deps.storage, f"l{number}", created_at=minute(number))
    factories.job(db, "l2", kind="export", state="failed")
    contribute(db, "l1", "Antibody", "Antigen")
    contribute(db, "l3", "Antibody")

    reply = api.delete("/courses/c1")

    assert reply.status_code == 200
    assert set(reply.json) == {
        "courseId",
        "courseDeleted",
        "lecturesDeleted",
        "lectureDeletions",
        "auditEventId",
    }
    assert (reply.json["courseId"], reply.json["courseDeleted"]) == ("c1", True)
    assert reply.json["lecturesDeleted"] == 3
    own = NOTHING | {"artifacts": 1, "exports": 1, "storagePaths": 5}
    found = [(d["lectureId"], d["deleted"]) for d in reply.json["lectureDeletions"]]
    assert found == [
        ("l1", own | {"threadsUpdated": 2}),
        ("l2", own | {"jobs": 1}),
        ("l3", own | {"threadsUpdated": 1}),
    ]
    assert left(db) == {}
    assert refs(db) == {}
    assert api.get("/courses/c1").status_code == 404
    sweep()
    assert files(storage_dir) == set()


def test_other_courses_stay_as_they_are(api, db):
    factories.lecture(db, "l1")
    factories.lecture(db, "l2", course_id="c2")
    contribute(db, "l2", "Antibody", course_id="c2")
    assert api.delete("/courses/c1").json["lecturesDeleted"] == 1
    assert refs(db) == {"Antibody": ["l2"]}
    assert [c["id"] for c in api.get("/courses").json["courses"]] == ["c2"]


def test_an_empty_course_can_be_deleted(api, db):
    factories.course(db)
    reply = api.delete("/courses/c1")
    assert reply.json == {
        "courseId": "c1",
        "courseDeleted": True,
        "lecturesDeleted": 0,
        "lectureDeletions": [],
        "auditEventId": reply.json["auditEventId"],
    }


def test_a_course_s_files_are_kept_if_that_is_wished(api, db, deps, storage_dir, sweep):
    stored(db, deps.storage)
    on_disk = files(storage_dir)
    reply = api.delete("/courses/c1?purge_storage=false").json
    deleted = reply["lectureDeletions"][0]["deleted"]
    assert (deleted["storagePaths"], deleted["metadataRemoved"]) == (0, False)
    sweep()
    assert files(storage_dir) == on_disk


def fill(db, lectures):
    """Make a course with so many lectures, each with artifacts, jobs and a thread."""
    with db.begin() as session:
        for statement in FILL:
            session.execute(text(statement), {"lectures": lectures})


FILL = (
    "insert into courses (id, title) values ('c1', 'A course')",
    """
insert into recordings (id, kind, object_key, metadata_key, original_filename,
                        size_bytes, sha256)
select md5('r' || n)::uuid, 'audio', 'audio/l' || n, 'metadata/l' || n, 'a.wav', 1, ''
  from generate_series(1, :lectures) n""",
    """
insert into lectures (id, course_id, preset_id, title, status, recording_id)
select 'l' || n, 'c1', 'exam-mode', 'A lecture', 'generated', md5('r' || n)::uuid
  from generate_series(1, :lectures) n""",
    """
insert into artifacts (id, lecture_id, course_id, preset_id, artifact_type, object_key,
                       document, job_id)
select gen_random_uuid(), l.id, 'c1', 'exam-mode', 'type' || n,
       'artifacts/' || l.id || '/' || n, '{}', gen_random_uuid()
  from lectures l, generate_series(1, 40) n""",
    """
insert into jobs (id, kind, subject, queue, payload, state, finished_at)
select gen_random_uuid(), 'export', 'lecture:' || l.id, 'media', '{}', 'failed', now()
  from lectures l, generate_series(1, 3)""",
    """
insert into threads (id, course_id, key, aliases, title, summary, status,
                     complexity_level, lecture_refs)
values (md5('t')::uuid, 'c1', 'a', '{}', 'A', 'A', 'foundational', 1, '{}')""",
    """
insert into thread_contributions (id, thread_id, lecture_id, title, aliases, summary,
                                  complexity_level, status, evidence, confidence)
select gen_random_uuid(), md5('t')::uuid, l.id, 'A', '{}', 'A', 1, 'foundational', '',
       1 from lectures l""",
)


@pytest.mark.parametrize("lectures", [1, 10, 60])
def test_deleting_a_course_costs_the_same_statements_whatever_its_size(
    api, db, statements, lectures
):
    fill(db, lectures)
    statements.clear()
    assert api.delete("/courses/c1").json["lecturesDeleted"] == lectures
    assert len(statements) == 16, statements


def test_a_course_may_be_large(api, db):
    fill(db, 1001)  # 42,042 objects: more than one statement can name
    reply = api.delete("/courses/c1").json
    assert reply["lecturesDeleted"] == 1001
    assert {d["deleted"]["artifacts"] for d in reply["lectureDeletions"]} == {40}
    assert {d["deleted"]["jobs"] for d in reply["lectureDeletions"]} == {3}
    assert left(db) == {}
    assert len(doomed(db)) == 1001 * 42
    assert count(db, DeletionEvent) == 1002


# The evidence


def events(api, query=""):
    reply = api.get(f"/ops/deletion-audit{query}")
    assert reply.status_code == 200, reply.text
    return reply.json


def test_a_deletion_is_written_down(api, db):
    factories.lecture(db)
    headers = {"x-actor-id": "anna@example.org", "x-request-id": "request-7"}
    reply = api.delete("/lectures/l1?purge_storage=false", headers=headers).json
    [found] = events(api)["events"]
    assert found == {
        "id": reply["auditEventId"],
        "entity_type": "lecture",
        "entity_id": "l1",
        "actor": "anna@example.org",
        "request_id": "request-7",
        "purge_storage": False,
        "result": reply["deleted"],
        "created_at": found["created_at"],
    }
    assert found["created_at"].endswith("Z")
    assert UUID(found["id"]).version == 7


def test_a_course_s_deletion_is_written_down_with_each_lecture_s(api, db):
    for number in range(3):
        factories.lecture(db, f"l{number}")
    reply = api.delete("/courses/c1").json
    found = {one["id"]: one for one in events(api)["events"]}
    assert set(found) == {
        reply["auditEventId"],
        *(one["auditEventId"] for one in reply["lectureDeletions"]),
    }
    assert found[reply["auditEventId"]]["entity_type"] == "course"
    assert found[reply["auditEventId"]]["result"] == {"lecturesDeleted": 3}
    for one in reply["lectureDeletions"]:
        assert found[one["auditEventId"]]["result"] == one["deleted"]
    assert len({one["request_id"] for one in found.values()}) == 1


@pytest.mark.parametrize(
    ("headers", "actor"),
    [
        ({}, "anonymous"),
        ({"x-actor-id": " "}, "anonymous"),
        ({"Authorization": "Basic abc"}, "anonymous"),
        ({"Authorization": "Bearer "}, "anonymous"),
        (bearer("t"), "bearer-token"),
        ({"x-actor-id": " anna "}, "anna"),
        ({"x-actor-id": "anna", **bearer("t")}, "anna"),
        ({"x-actor-id": "a" * 1000}, "a" * 200),
    ],
)
def test_who_deleted_it(api, db, headers, actor):
    factories.lecture(db)
    assert api.delete("/lectures/l1", headers=headers).status_code == 200
    assert [one["actor"] for one in events(api)["events"]] == [actor]


def test_the_token_itself_is_not_written_down(api, deps, db):
    api.application.extensions["deps"] = guarded(deps)
    factories.lecture(db)
    api.delete("/lectures/l1", headers=bearer(WRITE_TOKEN))
    reply = api.get("/ops/deletion-audit", headers=bearer(WRITE_TOKEN))
    assert reply.json["events"][0]["actor"] == "bearer-token"
    assert WRITE_TOKEN not in reply.text


def evidence(db, *rows):
    """Save events; each is named by its kind, the thing and a minute."""
    for kind, thing, at in rows:
        event_ = DeletionEvent(
            id=UUID(int=at),
            entity_type=kind,
            entity_id=thing,
            actor="anna",
            request_id=None,
            purge_storage=True,
            result={},
            created_at=minute(at),
        )
        factories.save(db, event_)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [4, 3, 2, 1]),
        ("?entity_type=lecture", [3, 2, 1]),
        ("?entity_type=course", [4]),
        ("?entity_id=same", [4, 3]),
        ("?entity_id=same&entity_type=lecture", [3]),
        ("?entity_id=none", []),
        ("?limit=2", [4, 3]),
        ("?limit=2&offset=1", [3, 2]),
        ("?limit=500&offset=3", [1]),
        ("?offset=9", []),
    ],
)
def test_the_newest_evidence_comes_first(api, db, query, expected):
    evidence(
        db,
        ("lecture", "l1", 1),
        ("lecture", "l2", 2),
        ("lecture", "same", 3),
        ("course", "same", 4),
    )
    found = [UUID(one["id"]).int for one in events(api, query)["events"]]
    assert found == expected


def test_filters_and_page_are_told(api, db):
    evidence(db, *(("lecture", "l1", number) for number in range(1, 4)))
    found = events(api, "?entity_type=lecture&entity_id=l1&limit=2")
    assert found["filters"] == {"entityType": "lecture", "entityId": "l1"}
    assert found["pagination"] == {
        "limit": 2,
        "offset": 0,
        "count": 2,
        "total": 3,
        "hasMore": True,
        "nextOffset": 2,
        "prevOffset": None,
    }
    assert events(api)["filters"] == {"entityType": None, "entityId": None}
    assert events(api)["pagination"]["limit"] == 100


@pytest.mark.parametrize("kind", ["job", "Lecture", "", "lecture,course"])
def test_an_unknown_kind_of_thing_is_refused(api, kind):
    reply = api.get("/ops/deletion-audit", query_string={"entity_type": kind})
    assert reply.status_code == 400
    assert reply.json["detail"] == "entity_type must be one of: lecture, course."


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "offset=-1", f"offset={2**63}"]
)
def test_a_page_of_evidence_that_cannot_be_is_refused(api, query):
    reply = api.get(f"/ops/deletion-audit?{query}")
    assert reply.status_code == 422
    assert reply.json["detail"][0]["loc"] == ["query", query.partition("=")[0]]


def test_the_evidence_outlives_what_is_made_anew(api, db):
    for _ in range(2):
        factories.lecture(db, course_id="c1")
        api.delete("/courses/c1")
    assert events(api, "?entity_id=l1")["pagination"]["total"] == 2
