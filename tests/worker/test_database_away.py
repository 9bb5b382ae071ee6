"""The worker while its database is away, full, or just as it should be."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import sessionmaker

import worker_service.app
from common import db as database
from common.models import Job
from common.providers import internal_calls
from tests.conftest import Worker, make_heart


def worker_around(deps):
    app = worker_service.app.create_app(deps, make_heart(deps))
    return Worker(deps, app.test_client())


@pytest.fixture
def cut_off(deps):
    """The worker while nothing listens where its database was."""
    nowhere = database.connect("postgresql://nobody@127.0.0.1:1/none")
    return worker_around(replace(deps, db=nowhere))


def test_it_is_ready_when_the_database_answers(worker):
    assert worker.client.get("/health/ready").status_code == 200


def test_it_is_alive_but_not_ready_without_the_database(cut_off):
    assert cut_off.client.get("/health").status_code == 200
    reply = cut_off.client.get("/health/ready")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize("path", ["/schedules/sweep", "/schedules/retention"])
def test_the_scheduler_is_asked_to_come_again(cut_off, path):
    reply = cut_off.post(path, {}, caller=internal_calls.SCHEDULER)
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "2")


def test_it_is_not_ready_when_no_connection_is_free(committed_deps, database_url):
    engine = database.engine(
        database_url, pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    worker = worker_around(replace(committed_deps, db=sessionmaker(engine)))
    with engine.connect():
        assert worker.client.get("/health/ready").status_code == 503
    assert worker.client.get("/health/ready").status_code == 200
    engine.dispose()


def test_a_bug_of_ours_is_not_called_an_outage(worker, db):
    with db.begin() as session:  # undone with all else when the test ends
        session.execute(text("alter table jobs rename column state to renamed"))
    reply = worker.post("/schedules/sweep", {}, caller=internal_calls.SCHEDULER)
    assert reply.status_code == 500


def test_a_job_that_found_no_free_connection_is_tried_again_uncounted(
    worker, ingest, queue, db, speech
):
    ingest()
    [task] = queue.take()
    speech.errors = [PoolTimeout("no connection is free")]
    worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})
    with db.begin() as session:
        found = session.get_one(Job, task.job_id)
    assert (found.state, found.error_code) == ("queued", "database_unavailable")
    assert found.attempt == 0
