"""A process dies between any two of its effects: nothing is half there or left over.

Before each statement, and before and after each call of the storage, is where dying
makes a difference. Who is dead does not clean up either.
"""

import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from itertools import count

import pytest
from sqlalchemy import event, func, select, update

from common import uploads
from common.errors import UnreadableMedia
from common.ingest import Wishes
from common.models import (
    DoomedObject,
    Job,
    JobOutbox,
    Lecture,
    Recording,
    Upload,
)
from common.providers.storage.local import LocalStorage
from common.uploads import Announced
from tests.conftest import spoken_wav
from worker_service.schedules import sweep

SOUND = spoken_wav(0.5)
DAYS = timedelta(days=3)
WISHES = Wishes(
    course_id="c1",
    lecture_id="l1",
    preset_id="exam-mode",
    title="T",
    course_title=None,
    duration_sec=0,
    source_type="upload",
    lecture_mode=None,
    auto_transcribe=True,
    provider="pocketsphinx",
    model=None,
    language="en-US",
)
FILE = Announced("a.wav", "audio/wav", len(SOUND), WISHES)


class Death(BaseException):
    """The process ends here."""


class Life:
    """Ends at the given moment, and then at each."""

    def __init__(self, moments):
        self.left = moments

    def tick(self, *_args):
        self.left -= 1
        if self.left < 0:
            raise Death


class MortalStorage(LocalStorage):
    """Its user may die before and after each call."""

    life = Life(10**9)


def _mortal(name):
    def call(self, *args, **kwargs):
        self.life.tick()
        answer = getattr(LocalStorage, name)(self, *args, **kwargs)
        self.life.tick()
        return answer

    return call


for _name in ("write", "size_bytes", "start_upload", "uploaded_bytes", "abort_upload"):
    setattr(MortalStorage, _name, _mortal(_name))


@pytest.fixture
def deps(committed_deps, settings):
    return replace(committed_deps, storage=MortalStorage(settings.storage_dir))


@contextmanager
def life_of(deps, engine, moments):
    """Let whoever works inside die after so many moments; yield whether it did."""
    life = Life(moments)
    died: list[bool] = []
    event.listen(engine, "before_cursor_execute", life.tick)
    deps.storage.life = life
    try:
        yield died
    except Death:
        died.append(True)
    finally:
        deps.storage.life = Life(10**9)
        event.remove(engine, "before_cursor_execute", life.tick)


def deaths(deps, engine, prepare, act):
    """Let ``act`` die at each of its moments, on a new subject each time."""
    for moments in count():
        subject = prepare()
        with life_of(deps, engine, moments) as died:
            act(subject)
        yield subject
        if not died:
            assert moments > 3
            return


def sent(deps, announced=FILE, content=SOUND):
    """Return the id of an upload whose bytes are all there."""
    upload = uploads.open_upload(deps, announced).upload
    deps.storage.append(upload.session, upload.object_key, 0, BytesIO(content))
    return upload.id


def pass_days(deps, storage_dir):
    """Let time pass for rows and files, and have the sweep run."""
    with deps.db.begin() as session:
        early = {c: c - DAYS for c in (Upload.expires_at, Upload.claimed_until)}
        session.execute(update(Upload).values(early))
        session.execute(update(DoomedObject).values(due_at=DoomedObject.due_at - DAYS))
    for path in storage_dir.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    sweep.run(deps)


def free(deps):
    """Let the claims of the dead run out."""
    with deps.db.begin() as session:
        session.execute(update(Upload).values(claimed_until=None))


def rows(deps, *models):
    with deps.db.begin() as session:
        counted = [select(func.count()).select_from(m) for m in models]
        return [session.scalar(query) for query in counted]


def stored(deps, storage_dir):
    files = {str(p.relative_to(storage_dir)) for p in storage_dir.rglob("*.*")}
    return {name for name in files if (storage_dir / name).is_file()}


def wanted(deps):
    """Return the keys of all objects that have rows."""
    with deps.db.begin() as session:
        found = session.execute(select(Recording.object_key, Recording.metadata_key))
        return {key for row in found for key in row}


def forget_lecture(deps):
    with deps.db.begin() as session:
        for model in (JobOutbox, Job, Lecture, Recording):
            session.query(model).delete()


def looked_into(deps):
    """Return the id of an upload that needs no decoding any more, which is slow."""
    id_ = sent(deps, replace(FILE, wishes=None))
    known = {"state": "complete", "sha256": "0" * 64, "stored_bytes": len(SOUND)}
    with deps.db.begin() as session:
        session.execute(update(Upload).where(Upload.id == id_).values(known))
    return id_


def use(deps):
    return lambda id_: uploads.complete(deps, id_, wishes=WISHES)


def test_a_death_while_looking_into_it_is_made_good(deps, engine):
    def prepare():
        return sent(deps, replace(FILE, wishes=None))

    for id_ in deaths(deps, engine, prepare, lambda id_: uploads.complete(deps, id_)):
        assert uploads.get(deps, id_).state in ("open", "complete")
        free(deps)
        assert uploads.complete(deps, id_).state == "complete"


def test_a_death_while_taking_it_in_makes_no_half_lecture_and_is_made_good(
    deps, engine, storage_dir
):
    for id_ in deaths(deps, engine, lambda: looked_into(deps), use(deps)):
        before = rows(deps, Lecture, Recording, Job)
        assert before in ([0] * 3, [1] * 3)
        free(deps)
        use(deps)(id_)
        assert rows(deps, Lecture, Recording, Job) == [1] * 3
        assert wanted(deps) <= stored(deps, storage_dir)
        forget_lecture(deps)


def test_a_death_while_taking_it_in_leaves_nothing_that_is_not_swept(
    deps, engine, storage_dir
):
    for _id in deaths(deps, engine, lambda: looked_into(deps), use(deps)):
        pass_days(deps, storage_dir)
        assert stored(deps, storage_dir) == wanted(deps)
        assert rows(deps, DoomedObject) == [0]
        forget_lecture(deps)
        for key in stored(deps, storage_dir):
            deps.storage.delete(key)


def test_a_death_while_refusing_it_leaves_nothing(deps, engine, storage_dir):
    def refuse(id_):
        with suppress(UnreadableMedia):
            uploads.complete(deps, id_)

    def prepare():
        return sent(deps, replace(FILE, wishes=None), b"?" * len(SOUND))

    for _id in deaths(deps, engine, prepare, refuse):
        pass_days(deps, storage_dir)
        assert stored(deps, storage_dir) == set()
        assert rows(deps, DoomedObject) == [0]


def test_a_death_while_opening_leaves_nothing(deps, engine, storage_dir):
    def open_it(_subject):
        uploads.open_upload(deps, FILE)

    for _ in deaths(deps, engine, lambda: None, open_it):
        pass_days(deps, storage_dir)
        assert [p for p in storage_dir.rglob("*") if p.is_file()] == []
        assert rows(deps, DoomedObject) == [0]


def test_a_death_while_aborting_leaves_nothing(deps, engine, storage_dir):
    def prepare():
        return uploads.open_upload(deps, FILE).upload.id

    for _ in deaths(deps, engine, prepare, lambda id_: uploads.abort(deps, id_)):
        pass_days(deps, storage_dir)
        assert [p for p in storage_dir.rglob("*") if p.is_file()] == []
        assert rows(deps, DoomedObject) == [0]


def test_a_death_while_sweeping_is_made_good_by_the_next_sweep(
    deps, engine, storage_dir
):
    def prepare():
        ids = [uploads.open_upload(deps, FILE).upload.id for _ in range(2)]
        with deps.db.begin() as session:
            session.execute(update(Upload).values(expires_at=Upload.expires_at - DAYS))
        return ids

    for _ in deaths(deps, engine, prepare, lambda _ids: uploads.sweep(deps)):
        pass_days(deps, storage_dir)
        assert [p for p in storage_dir.rglob("*") if p.is_file()] == []
        assert rows(deps, DoomedObject) == [0]
