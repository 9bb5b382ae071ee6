"""After a deletion no table tells of the lecture, but for the evidence of it."""

import pytest
from sqlalchemy import String, cast, func, literal_column, select

from common.models import Base, Conversation, DeletionEvent, Message, Upload
from tests.sending import sender, sent
from tests.worker.talks import recorded
from worker_service.schedules import sweep

LECTURE = "lecture-qxzv"
NAMES = (LECTURE, "Wyvern title", "ocelot-file")
WISHES = {
    "course_id": "c1",
    "lecture_id": LECTURE,
    "preset_id": "exam-mode",
    "title": "Wyvern title",
}


def tables_that_tell(db):
    """Return the tables of which any row, as text, holds one of the names."""
    told = set()
    with db.begin() as session:
        for table in Base.metadata.sorted_tables:
            row = cast(literal_column(f"{table.name}.*::text"), String)
            query = select(func.count()).select_from(table)
            found = [session.scalar(query.where(row.contains(n))) for n in NAMES]
            told |= {table.name} if any(found) else set()
    return told


@pytest.fixture
def lecture(api, worker, queue, db, deps):
    """A lecture sent directly, with everything that can be made of one."""
    wishes = {"lecture": WISHES, "filename": "ocelot-file.wav"}
    assert sent(api, recorded(), **wishes).complete().status_code == 200
    assert sent(api, b"no sound" * 100, **wishes).complete().status_code == 422
    assert sender(api, recorded(), **wishes).abort().status_code == 200
    worker.run_all(queue)
    for step in ("generate", "export"):
        reply = api.post(f"/lectures/{LECTURE}/{step}", json={})
        assert reply.status_code == 200, reply.text
        worker.run_all(queue)
    with db.begin() as session:
        talk = Conversation(lecture_id=LECTURE, guest="g")
        session.add(talk)
        session.flush()
        said = {"role": "user", "content": "What is the Wyvern title?"}
        session.add(Message(conversation_id=talk.id, **said))
    return LECTURE


@pytest.mark.parametrize("what", ["lectures/" + LECTURE, "courses/c1"])
def test_only_the_evidence_tells_of_what_was_deleted(lecture, api, db, deps, what):
    before = {"uploads", "lectures", "recordings", "jobs", "artifacts", "messages"}
    assert before <= tables_that_tell(db)

    assert api.delete(f"/{what}").status_code == 200
    sweep.run(deps)  # which removes the objects and sends what is told of it

    assert tables_that_tell(db) == {DeletionEvent.__tablename__}


def test_an_upload_for_it_that_has_not_ended_goes_on(lecture, api, db):
    upload = sender(api, recorded(), lecture=WISHES)
    api.delete(f"/lectures/{LECTURE}")
    with db.begin() as session:
        assert session.scalars(select(Upload.state)).all() == ["open"]
    assert upload.put(upload.content).status_code == 200
