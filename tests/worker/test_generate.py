"""Study material from a transcript, by a language model we control."""

import json

import numpy as np
import pytest
from sqlalchemy import delete, func, select

from common.errors import ProviderBusy, ProviderUnavailable, Unavailable
from common.models import Artifact, DoomedObject, Job, Lecture, UsageEntry
from common.providers.llm import Reply
from common.providers.llm.extractive import ExtractiveModel
from common.study import ARTIFACT_TYPES
from common.usage import Estimate, Usage
from tests import invariants
from tests.media_samples import wav_bytes


@pytest.fixture
def transcribed(ingest, worker, queue):
    """A lecture with a transcript."""
    ingest()
    worker.run_all(queue)


@pytest.fixture
def generate(api, worker, queue):
    """Ask for the study material and let the worker do all that follows."""

    def ask(**fields):
        reply = api.post("/lectures/l1/generate", json=fields)
        assert reply.status_code == 200, reply.text
        worker.run_all(queue)
        return reply.json["jobId"]

    return ask


def job(db, job_id):
    with db.begin() as session:
        return session.get_one(Job, job_id)


def artifacts(db):
    with db.begin() as session:
        found = select(Artifact).order_by(Artifact.artifact_type)
        return list(session.scalars(found))


def sweep(worker):
    path = "/schedules/sweep"
    return worker.post(path, {}, caller="scheduler@pegasus.internal").json


def test_five_documents_are_written_and_kept(transcribed, generate, db, deps, api):
    found = job(db, generate())

    rows = artifacts(db)
    assert found.state == "succeeded"
    assert {row.artifact_type for row in rows} == set(ARTIFACT_TYPES)
    for row in rows:
        with deps.storage.read(row.object_key) as stored:
            assert json.load(stored) == row.document
        assert found.result["artifactPaths"][row.artifact_type].endswith(row.object_key)
    assert api.get("/lectures/l1").json["status"] == "generated"
    invariants.check(db, at_rest=True)


def test_each_document_names_its_lecture_and_its_engine(transcribed, generate, db):
    generate()

    for row in artifacts(db):
        assert row.document["engine"] == {"provider": "fake", "model": "fake-llm"}
        assert row.document["lectureId"] == row.lecture_id == "l1"
        assert row.document["id"] == str(row.id)
        assert None not in row.document.values()


def test_nothing_can_be_written_before_there_is_a_transcript(ingest, generate, db, llm):
    ingest(auto_transcribe="false")

    found = job(db, generate())

    assert (found.state, found.attempt) == ("failed", 1)
    assert found.error_code == "transcript_missing"
    assert found.error_detail == "Transcript not found."
    assert llm.calls == 0


def test_nor_from_a_transcript_without_words(ingest, worker, queue, generate, db, llm):
    ingest(wav_bytes(np.zeros(16_000)))
    worker.run_all(queue)

    found = job(db, generate())

    assert (found.state, found.error_code) == ("failed", "transcript_empty")
    assert found.error_detail == "Transcript text is empty."
    assert llm.calls == 0


def test_a_failed_generation_leaves_the_lecture_as_it_was(ingest, generate, api):
    ingest(auto_transcribe="false")

    generate()

    assert api.get("/lectures/l1").json["status"] == "uploaded"


@pytest.mark.parametrize("error", [ProviderUnavailable(), ProviderBusy()])
def test_a_model_that_is_away_is_asked_again(transcribed, generate, db, llm, error):
    llm.errors = [error]

    found = job(db, generate())

    assert found.state == "succeeded"
    assert llm.calls == 2
    assert len(artifacts(db)) == 5


FREE = Estimate("fake", "fake-llm", 0)


class PayingModel:
    """A model that asks in two steps, and whose connection breaks between them."""

    def __init__(self):
        self.paid = []
        self.breaks = [ProviderUnavailable()]

    def study(self, material, remember):
        for step in ("outline", "cards"):
            remember(step, lambda step=step: self._answer(step), FREE)
            if self.breaks:
                raise self.breaks.pop()
        return ExtractiveModel().study(material, remember)

    def _answer(self, step):
        self.paid.append(step)
        return Reply({"step": step}, Usage("fake", "fake-llm", input_tokens=10))


def test_a_step_that_was_paid_for_is_not_paid_for_again(transcribed, generate, db, llm):
    model = PayingModel()
    llm.study = model.study

    found = job(db, generate())

    assert found.state == "succeeded"
    assert found.attempt == 2
    assert model.paid == ["outline", "cards"]
    with db.begin() as session:
        used = select(func.sum(UsageEntry.input_tokens)).where(
            UsageEntry.job_id == found.id
        )
        assert session.scalar(used) == 20


def test_generating_again_replaces_what_was_there(
    transcribed, generate, db, deps, worker
):
    generate()
    before = {row.object_key for row in artifacts(db)}
    again = generate()

    after = artifacts(db)
    assert len(after) == 5
    assert {str(row.job_id) for row in after} == {again}
    assert before.isdisjoint(row.object_key for row in after)

    sweep(worker)
    assert not any(deps.storage.size_bytes(key) for key in before)
    assert all(deps.storage.size_bytes(row.object_key) for row in after)


def test_a_draft_that_was_made_is_not_made_again(
    transcribed, generate, db, llm, deps, monkeypatch
):
    """The storage is full just when the documents are to be written."""
    written = type(deps.storage).write
    failures = [Unavailable()]

    def write(storage, key, source):
        if "artifacts/" in key and failures:
            raise failures.pop()
        return written(storage, key, source)

    monkeypatch.setattr(type(deps.storage), "write", write)

    found = job(db, generate())

    assert (found.state, found.attempt) == ("succeeded", 2)
    assert llm.calls == 1
    assert found.progress == 100


def test_what_a_failed_try_left_in_storage_is_removed_a_day_later(
    transcribed, generate, db, deps, llm
):
    def vanish(*_):
        with db.begin() as session:
            session.execute(delete(Lecture))
        return ExtractiveModel().study(*_)

    llm.study = vanish
    found = job(db, generate())

    assert (found.state, found.error_detail) == ("failed", "Lecture not found.")
    assert artifacts(db) == []
    with db.begin() as session:
        doomed = {row.object_key: row for row in session.query(DoomedObject)}
    left = [key for key in doomed if key.startswith("artifacts/")]
    assert len(left) == 5
    assert all(deps.storage.size_bytes(key) for key in left)


def test_what_was_written_can_be_searched(transcribed, generate, db):
    generate()
    query = select(func.count()).where(
        Artifact.artifact_type == "summary",
        Artifact.search.bool_op("@@")(func.websearch_to_tsquery("english", "physics")),
    )
    with db.begin() as session:
        assert session.scalar(query) == 1
