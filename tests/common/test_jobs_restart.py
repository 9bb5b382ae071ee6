"""What a restart of the database means for the jobs that were running."""

import os
import shutil
import signal
from contextlib import contextmanager

import pytest
from sqlalchemy import NullPool
from sqlalchemy.orm import sessionmaker

from common import db as database
from common import jobs, migrations
from common.local.postgres import EmbeddedPostgres
from tests.common.job_steps import add, job, lapse, outbox, owned_again, until
from tests.folders import open_folder


@pytest.fixture
def home():
    folder = open_folder()
    yield folder
    shutil.rmtree(folder)


@contextmanager
def served(home):
    """A database that runs on ``home`` until it is killed."""
    with EmbeddedPostgres().start(home) as server:
        engine = database.engine(server.url, poolclass=NullPool)
        yield server, sessionmaker(engine, expire_on_commit=False)


def rescued(db):
    with db.begin() as session:
        return jobs.rescue(session)


def test_a_lease_that_lapses_over_a_restart_is_no_crash_of_the_job(home):
    with served(home) as (server, db):
        migrations.upgrade(server.url)
        job_id = add(db)
        owned_again(db, job_id)
        lapse(db, job_id)
        os.kill(server.pid, signal.SIGQUIT)
        until(lambda: server.ended)

    with served(home) as (server, db):
        assert rescued(db)
        found = job(db, job_id)
        assert (found.state, found.crash_count, found.lane) == ("queued", 0, "main")
        assert [promise.lane for promise in outbox(db)][-1] == "main"

        owned_again(db, job_id)
        lapse(db, job_id)
        assert rescued(db)
        found = job(db, job_id)
        assert (found.state, found.crash_count, found.lane) == ("queued", 1, "solo")
