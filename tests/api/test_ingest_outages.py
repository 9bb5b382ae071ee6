"""An upload while something is down, full or crashes: later, or nothing at all."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from common.errors import Unavailable
from common.models import Course, DoomedObject, Job, JobOutbox, Lecture, Recording
from common.providers.storage.local import LocalStorage
from tests import factories
from tests.conftest import make_api, make_ingest
from worker_service.schedules import sweep


def stored(folder):
    """Return the keys of all objects, and whatever else lies there."""
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    }


def rows(db, model):
    with db.begin() as session:
        return session.scalar(select(func.count()).select_from(model))


def doomed(db):
    with db.begin() as session:
        return set(session.scalars(select(DoomedObject.object_key)))


def sweep_tomorrow(deps):
    """Remove what is doomed, as the sweep would a day later."""
    with deps.db.begin() as session:
        early = DoomedObject.due_at - timedelta(days=1)
        session.execute(update(DoomedObject).values(due_at=early))
    return sweep.run(deps)


def test_with_the_queue_down_an_upload_is_taken_and_transcribed_later(
    api, ingest, worker, queue, deps, db
):
    queue.down = True
    assert ingest().status_code == 200
    assert queue.take() == []
    assert api.get("/lectures/l1").json["status"] == "uploaded"

    queue.down = False
    with db.begin() as session:
        session.execute(update(JobOutbox).values(locked_until=factories.minute(0)))
    assert sweep.run(deps).sent == 1
    worker.run_all(queue)
    assert api.get("/lectures/l1").json["status"] == "transcribed"


class FullStorage(LocalStorage):
    """Takes only so many objects."""

    room = 0

    def write(self, key, source):
        if self.room == 0:
            raise Unavailable("Storage cannot be written: no space left.")
        self.room -= 1
        return super().write(key, source)


@pytest.mark.parametrize("room", [0, 1])
def test_a_full_storage_is_an_outage_and_leaves_no_rows(
    deps, db, settings, storage_dir, queue, room
):
    storage = FullStorage(settings.storage_dir)
    storage.room = room
    reply: Any = make_ingest(make_api(replace(deps, storage=storage)))()
    assert reply.status_code == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert [rows(db, table) for table in (Lecture, Recording, Course, Job)] == [0] * 4
    assert queue.take() == []
    assert stored(storage_dir) <= doomed(db)
    assert sweep_tomorrow(deps).objects_removed == 2
    assert stored(storage_dir) == set()


class Crash(BaseException):
    """The process ends here."""


class CrashingStorage(LocalStorage):
    def write(self, key, source):
        found = super().write(key, source)
        if key.startswith("metadata/"):
            raise Crash
        return found


def test_what_a_crash_leaves_behind_is_doomed_and_swept(
    deps, db, settings, storage_dir, queue
):
    api = make_api(replace(deps, storage=CrashingStorage(settings.storage_dir)))
    with pytest.raises(Crash):
        make_ingest(api)()
    assert len(stored(storage_dir)) == 2
    assert stored(storage_dir) == doomed(db)
    assert [rows(db, table) for table in (Lecture, Recording, Course, Job)] == [0] * 4

    sweep.run(deps)  # an upload may still be under way: nothing yet
    assert len(stored(storage_dir)) == 2
    sweep_tomorrow(deps)
    assert stored(storage_dir) == set()
    assert doomed(db) == set()
