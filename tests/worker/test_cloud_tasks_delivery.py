"""Work that Cloud Tasks brings to the worker's real port, with Google's signature."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from common.models import Job
from common.providers import identity, queue
from tests.common.job_steps import until
from tests.conftest import make_api, make_heart, make_ingest
from tests.contract.queues import cloud_tasks
from tests.loopback.google_project import known_to, queued_in
from tests.loopback.served_worker import served
from worker_service.app import create_app


@pytest.fixture(scope="module")
def google():
    with cloud_tasks() as (signer, tasks):
        yield signer, tasks


@pytest.fixture
def tasks(google):
    _signer, tasks = google
    yield tasks
    tasks.break_things({"duplicate": 0, "drop_ack": 0, "wipe": True})


@contextmanager
def on_google(deps, google, **changes):
    """Serve the worker; yield its port, and what API and worker are built around."""
    signer, tasks = google
    with served(Flask("not yet"), deps) as worker:
        url = {"worker_url": worker.url}
        settings = queued_in(tasks, known_to(signer, deps.settings, **url), **url)
        known = settings.model_copy(update=changes)
        ours = replace(
            deps,
            settings=settings,
            queue=queue.from_settings(settings),
            identity=identity.from_settings(known),
        )
        worker.app = create_app(ours, make_heart(ours))
        yield worker, ours


def states(deps):
    with deps.db.begin() as session:
        return set(session.scalars(select(Job.state)))


@pytest.mark.parametrize("faults", [{}, {"duplicate": 0.5, "drop_ack": 0.3}], ids=str)
def test_a_lecture_is_transcribed(committed_deps, google, tasks, faults):
    tasks.break_things(faults)
    with on_google(committed_deps, google) as (worker, deps):
        make_ingest(make_api(deps))()

        until(lambda: states(deps) == {"succeeded"}, 20)
        until(lambda: worker.statuses)

    assert set(worker.statuses) == {200}


def test_a_queue_with_another_s_identity_moves_nothing(committed_deps, google, tasks):
    stranger = {"tasks_service_account": "another@loopback.iam.gserviceaccount.com"}
    with on_google(committed_deps, google, **stranger) as (worker, deps):
        make_ingest(make_api(deps))()

        until(lambda: len(worker.statuses) >= 2)

        assert states(deps) == {"queued"}
    assert set(worker.statuses) == {403}
