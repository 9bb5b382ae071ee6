"""The API and a worker that is just ending a job lock the same rows; neither loses."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from common import jobs
from common.errors import ProviderError
from common.models import Job
from tests import invariants
from tests.common.job_steps import is_blocked, until
from tests.conftest import make_api, make_ingest


@pytest.fixture
def api(committed_deps):
    return make_api(committed_deps)


@pytest.fixture
def during(committed_db, monkeypatch):
    """Have something begin while a job ends: when its own row is already locked."""
    asked: list[Future[Any]] = []

    def arrange(function, request):
        pool = ThreadPoolExecutor(1)
        original = getattr(jobs, function)

        def ending(*args):
            row = original(*args)
            if not asked:
                asked.append(pool.submit(request))
                until(lambda: is_blocked(committed_db))
            return row

        monkeypatch.setattr(jobs, function, ending)
        return asked

    return arrange


def states(db):
    with db.begin() as session:
        found = session.execute(select(Job.kind, Job.state).order_by(Job.id))
        return [tuple(row) for row in found]


def done(api, worker, queue, *paths):
    make_ingest(api)()
    worker.run_all(queue)
    for path in paths:
        assert api.post(path, json={}).status_code == 200
        worker.run_all(queue)


@pytest.mark.parametrize(
    ("before", "path"),
    [
        ((), "/lectures/l1/generate"),
        (("/lectures/l1/generate",), "/lectures/l1/export"),
    ],
    ids=["generate", "export"],
)
def test_asking_again_while_the_job_ends(
    api, committed_worker, committed_db, queue, during, before, path
):
    done(api, committed_worker, queue, *before)
    asked = during("succeed", lambda: api.post(path, json={}))
    first = api.post(path, json={}).json["jobId"]

    committed_worker.run_all(queue)

    reply = asked[0].result(10)
    assert reply.status_code == 200
    assert reply.json["jobId"] != first, "the first one had ended"
    committed_worker.run_all(queue)
    assert {state for _, state in states(committed_db)} == {"succeeded"}
    invariants.check(committed_db, at_rest=True)


def test_a_new_recording_while_the_old_one_s_transcription_ends(
    api, committed_worker, committed_db, queue, during
):
    asked = during("succeed", make_ingest(api))
    make_ingest(api)()

    committed_worker.run_all(queue)

    assert asked[0].result(10).status_code == 200
    committed_worker.run_all(queue)
    assert states(committed_db) == [("transcription", "succeeded")] * 2
    invariants.check(committed_db, at_rest=True)


def test_a_new_recording_while_the_old_one_s_transcription_fails(
    api, committed_worker, committed_db, queue, during, speech
):
    speech.errors = [ProviderError()]
    asked = during("give_back", make_ingest(api))
    make_ingest(api)()

    committed_worker.run_all(queue)

    assert asked[0].result(10).status_code == 200
    committed_worker.run_all(queue)
    assert [state for _, state in states(committed_db)] == ["failed", "succeeded"]
    assert api.get("/lectures/l1").json["status"] == "transcribed"
    invariants.check(committed_db, at_rest=True)
