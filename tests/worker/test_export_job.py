"""Files from study material, through both front doors."""

import pytest
from sqlalchemy import delete, select, update

from common.exports import FORMATS
from common.models import Artifact, Job, Lecture
from common.models import Export as ExportRecord
from tests import invariants


@pytest.fixture
def generated(ingest, api, worker, queue):
    """A lecture with its study material."""
    ingest()
    worker.run_all(queue)
    api.post("/lectures/l1/generate", json={})
    worker.run_all(queue)


@pytest.fixture
def export(api, worker, queue, db):
    """Ask for the files, have them written, return the job."""

    def ask():
        reply = api.post("/lectures/l1/export")
        assert reply.status_code == 200, reply.text
        worker.run_all(queue)
        with db.begin() as session:
            return session.get_one(Job, reply.json["jobId"])

    return ask


def exports(db):
    with db.begin() as session:
        return list(session.scalars(select(ExportRecord)))


def test_one_file_per_format_is_written(generated, export, db, deps):
    found = export()

    rows = {row.export_type: row for row in exports(db)}
    assert found.state == "succeeded"
    assert set(rows) == set(FORMATS) == set(found.result["exportPaths"])
    for row in rows.values():
        assert deps.storage.size_bytes(row.object_key) == row.size_bytes > 0
    invariants.check(db, at_rest=True)


def test_nothing_is_exported_before_all_is_generated(ingest, worker, queue, export, db):
    ingest()
    worker.run_all(queue)

    found = export()

    assert (found.state, found.attempt) == ("failed", 1)
    assert found.error_code == "export_quality"
    assert found.error_detail == (
        "Cannot export lecture before all required artifacts are generated:"
        " exam-questions, flashcards, key-terms, outline, summary"
    )
    assert exports(db) == []


def test_one_missing_artifact_is_named(generated, export, db):
    with db.begin() as session:
        session.execute(delete(Artifact).where(Artifact.artifact_type == "flashcards"))

    assert export().error_detail == (
        "Cannot export lecture before all required artifacts are generated: flashcards"
    )


def test_a_summary_that_says_nothing_is_not_exported(generated, export, db):
    with db.begin() as session:
        summary = Artifact.artifact_type == "summary"
        document = session.scalars(select(Artifact.document).where(summary)).one()
        empty = (
            update(Artifact)
            .where(summary)
            .values(document=document | {"overview": " "})
        )
        session.execute(empty)

    assert export().error_detail == (
        "Summary quality threshold not met: overview is empty."
    )


def test_exporting_again_replaces_what_was_there(generated, export, db, deps, worker):
    export()
    before = {row.object_key for row in exports(db)}
    again = export()

    after = exports(db)
    assert len(after) == len(FORMATS)
    assert {row.job_id for row in after} == {again.id}
    assert before.isdisjoint(row.object_key for row in after)

    worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")
    assert not any(deps.storage.size_bytes(key) for key in before)
    assert all(deps.storage.size_bytes(row.object_key) for row in after)


def test_a_failed_export_leaves_the_earlier_files(generated, export, db, deps):
    export()
    with db.begin() as session:
        session.execute(delete(Artifact).where(Artifact.artifact_type == "outline"))

    assert export().state == "failed"

    assert len(exports(db)) == len(FORMATS)
    assert all(deps.storage.size_bytes(row.object_key) for row in exports(db))


def test_a_lecture_that_is_gone_cannot_be_exported(generated, api, worker, queue, db):
    job_id = api.post("/lectures/l1/export").json["jobId"]
    with db.begin() as session:
        session.execute(delete(Lecture))

    worker.run_all(queue)

    with db.begin() as session:
        found = session.get_one(Job, job_id)
    assert (found.state, found.error_detail) == ("failed", "Lecture not found.")
