"""Exports of timelines through the queue: what comes out, and what is left behind."""

import io
from contextlib import contextmanager
from itertools import count
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text

from common import jobs, object_keys, sandbox, subtitles
from common.assets import names
from common.errors import Unavailable
from common.ids import new_id
from common.jobs import Terms, TimelineExport
from common.models import (
    Asset,
    DoomedObject,
    Job,
    JobLog,
    Recording,
    SegmentRecord,
    Thumbnail,
    TranscriptRecord,
)
from common.providers.storage.local import LocalStorage
from common.timeline import labour
from common.timeline.orders import Order
from common.timeline.plan import Plan
from tests import film_samples, invariants
from tests.factories import save
from tests.film_samples import BLACK, BLUE, RED, Result, near, picture, tone
from worker_service import reels

pytestmark = pytest.mark.usefixtures("at_once")

SMALL = {"resolution": "540p", "proxy_resolution": "540p"}
TEMPLATE = {"name": "Small one", "width": 90, "height": 160, "format": "mp4"}


@pytest.fixture
def asset(db, deps):
    """Make a file of a project."""

    def make(file, project="demo", name="clip.mp4", category="source"):
        recording_id, content = new_id(), file.getvalue()
        key = object_keys.project_file(project, recording_id, name)
        deps.storage.write(key, io.BytesIO(content))
        stored = f"{recording_id.hex[-8:]}-{name}"
        about = {"kind": "video", "original_filename": name, "size_bytes": len(content)}
        recording = Recording(id=recording_id, object_key=key, sha256="0" * 64, **about)
        row = Asset(
            id=new_id(),
            project_id=project,
            recording_id=recording_id,
            filename=stored,
            original_filename=name,
            relative_path=names.relative_path(category, project, stored),
            mime_type="video/mp4",
            size_bytes=len(content),
            category=category,
            status="ready",
            about={},
        )
        return save(db, recording, row)

    return make


@pytest.fixture
def at_once(monkeypatch, request):
    """Have the child's work done by this process: no interpreter has to start.

    Tests with a child in their names have it done as in production.
    """
    if "child" in request.node.name:
        return

    def talk(_module, *, order, inputs, outputs, timeout_seconds):
        for said in labour.done(
            Order.model_validate_json(order).order, inputs, outputs
        ):
            yield said.model_dump_json(exclude_defaults=True).encode()

    monkeypatch.setattr(sandbox, "talk", talk)


@pytest.fixture
def ask(deps, queue):
    """Ask for an export; return the job's id."""

    def send(clips, project="demo", **fields):
        timeline = {"clips": clips, **SMALL, **fields}
        terms = Terms(project_id=project, max_attempts=3, retry_delay_seconds=0)
        payload = TimelineExport(project_id=project, timeline=timeline)
        with deps.db.begin() as session:
            job_id, _ = jobs.enqueue(session, payload, terms=terms)
        jobs.drain(deps.db, queue.send)
        return job_id

    return send


@pytest.fixture
def export(ask, worker, queue, db):
    """Ask for an export and have it done; return the job."""

    def done(*args, **fields):
        job_id = ask(*args, **fields)
        worker.run_all(queue)
        with db.begin() as session:
            return session.get_one(Job, job_id)

    return done


@contextmanager
def _parts_of(frames):
    """Have parts of so few frames that a short film has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Plan, "part_frames", property(lambda _plan: frames))
        yield


@contextmanager
def _at_write(number, happens, *, and_later=False):
    """Have something happen when an object is written for the n-th time."""
    written = count(1)
    original = LocalStorage.write

    def write(storage, key, source):
        stored = original(storage, key, source)
        now = next(written)
        if now == number or (and_later and now > number):
            happens()
        return stored

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalStorage, "write", write)
        yield


def _saved(job):
    """Return the keys of the parts and pictures that a job had finished."""
    parts = [
        object_keys.film_part(run, part, film)
        for part, run in enumerate(job.checkpoint["parts"])
        for film in range(2)
    ]
    return [*parts, *(p["object_key"] for p in job.checkpoint["pictures"].values())]


def _die():
    raise KeyboardInterrupt


def _fail():
    raise Unavailable


def _cancel(deps, heart, job_id):
    with deps.db.begin() as session:
        jobs.cancel(session, job_id)
    heart.beat()


def clip(asset, **fields):
    return {"asset_id": str(asset.id), **fields}


def stored(deps):
    """Return the keys of all objects there are."""
    folder = deps.settings.storage_dir
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).parts[0].startswith(".")
    }


def known(db):
    """Return the keys of all objects that have rows."""
    with db.begin() as session:
        return set(
            session.scalars(
                select(Recording.object_key).union(select(Thumbnail.object_key))
            )
        )


def doomed(db):
    with db.begin() as session:
        return set(session.scalars(select(DoomedObject.object_key)))


def content_of(deps, db, path):
    with db.begin() as session:
        key = session.scalar(
            select(Recording.object_key)
            .join(Asset, Asset.recording_id == Recording.id)
            .where(Asset.relative_path == path)
        )
    with deps.storage.read(key) as file:
        return file.read()


def test_a_child_makes_a_timeline_a_proxy_and_templates(asset, export, db, deps):
    red = asset(film_samples.film(RED, 1.0))
    blue = asset(film_samples.film(BLUE, 1.0, hertz=880))
    clips = [clip(red, out_point=0.5), clip(blue, in_point=0.4)]

    found = export(clips, export_templates=[TEMPLATE])

    assert (found.state, found.error_detail) == ("succeeded", None)
    result = found.result
    made = [result["timeline"], result["proxy"], *result["exports"]]
    assert [film["category"] for film in made] == ["processed", "proxy", "export"]
    assert [film["name"] for film in made] == [
        "Timeline",
        "Timeline Proxy",
        "Small one",
    ]
    assert [film["relative_path"].split("/")[0] for film in made] == [
        "processed",
        "processed",
        "exports",
    ]
    for film in made:
        shown = Result(content_of(deps, db, film["relative_path"]))
        assert len(shown.frames) == 11
        assert near(shown.colour(0.2), RED)
        assert near(shown.colour(0.8), BLUE)
        assert (
            film["metadata"] | {"width": shown.size[0], "height": shown.size[1]}
            == (film["metadata"])
        )
        assert film["metadata"]["duration"] == pytest.approx(1.1)
        assert film["metadata"]["has_audio"] is True
    assert made[0]["metadata"]["aspect_ratio"] == "16:9"
    invariants.check(db, at_rest=True)


def test_what_was_made_are_files_of_the_project(asset, export, db):
    red = asset(film_samples.film(RED, 0.4))

    found = export([clip(red), clip(red)])

    with db.begin() as session:
        rows = {str(a.id): a for a in session.scalars(select(Asset))}
    for film in (found.result["timeline"], found.result["proxy"]):
        row = rows[film["asset_id"]]
        assert (row.project_id, row.status) == ("demo", "ready")
        assert row.source_asset_ids == [red.id]
        assert row.relative_path == film["relative_path"]
        assert row.about == film["metadata"]


def test_pictures_are_kept_of_the_timeline_and_of_each_clip(asset, export, db, deps):
    red, blue = (asset(film_samples.film(colour, 0.6)) for colour in (RED, BLUE))

    found = export([clip(red), clip(blue)])

    shown = found.result["thumbnails"]
    assert [(one["context"], one["clip_index"], one["timestamp"]) for one in shown] == [
        ("timeline", None, 0.0),
        ("clip", 0, 0.3),
        ("clip", 1, 0.3),
    ]
    with db.begin() as session:
        rows = session.scalars(select(Thumbnail).order_by(Thumbnail.clip_index)).all()
    assert [row.relative_path for row in rows] == [one["path"] for one in shown]
    for row, colour in zip(rows, (RED, RED, BLUE), strict=True):
        with deps.storage.read(row.object_key) as file:
            content = file.read()
        assert len(content) == row.size_bytes
        assert near(film_samples.still(content), colour)


def test_nothing_is_left_but_what_has_rows(asset, export, db, deps, worker):
    red = asset(film_samples.film(RED, 0.4))

    export([clip(red)], export_templates=[TEMPLATE])

    worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")
    assert stored(deps) == known(db)
    assert not doomed(db)


def test_its_log_tells_what_was_done(asset, export, db):
    found = export([clip(asset(film_samples.film(RED, 0.3)))])

    with db.begin() as session:
        said = session.scalars(
            select(JobLog.message).where(JobLog.job_id == found.id).order_by(JobLog.id)
        ).all()
    assert said == [
        "Job queued",
        "Job started",
        "Starting timeline composition",
        "Rendering clips",
        "Timeline composition complete",
        "Job completed successfully",
    ]


def test_files_are_found_by_id_and_by_address(asset, export):
    red = asset(film_samples.film(RED, 0.4))
    music = asset(tone(0.5), category="music", name="song.m4a")
    mark = asset(picture(), name="logo.png")
    words = asset(
        io.BytesIO(b"1\n00:00:00,000 --> 00:00:00,300\nHello\n"), name="words.srt"
    )

    found = export(
        [clip(red, subtitles={"path": str(words.id).upper()})],
        background_music={"track": music.relative_path, "ducking": {}},
        default_watermark={"path": mark.relative_path},
        global_subtitles={"path": words.relative_path, "mode": "track"},
    )

    assert (found.state, found.error_detail) == ("succeeded", None)


def test_subtitles_may_be_what_was_said_as_people_corrected_it(asset, export, deps, db):
    black = asset(film_samples.film(BLACK, 2.0))
    _transcript(
        db, black, (0, 400, "before"), (500, 700, "machine"), (700, 900, "wrong")
    )
    for words in ("older", "right"):
        with db.begin() as session:
            present = subtitles.read(session, black.recording_id)
            subtitles.write(
                session, black.recording_id, present, {2: words}, actor="ann"
            )

    found = export(
        [clip(black, in_point=0.5)],
        global_subtitles={"source": "transcript", "mode": "track"},
    )

    content = content_of(deps, db, found.result["timeline"]["relative_path"])
    assert b"machine" in content
    assert b"right" in content
    assert not any(word in content for word in (b"before", b"wrong", b"older"))


def test_subtitles_of_what_nobody_transcribed_are_refused(asset, export):
    red = asset(film_samples.film(RED, 0.3))

    found = export([clip(red)], global_subtitles={"source": "transcript"})

    assert (found.state, found.attempt) == ("failed", 1)
    assert found.error_code == "transcript_missing"


@pytest.mark.parametrize(
    "how",
    [
        {"default_watermark": {"path": "{}"}},
        {"background_music": {"track": "{}"}},
        {"global_subtitles": {"path": "{}"}},
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "uploads/demo/../../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "file:///etc/passwd",
        "http://127.0.0.1/x.srt",
    ],
)
def test_no_path_leads_to_a_file(asset, export, how, path):
    red = asset(film_samples.film(RED, 0.2))
    [(field, named)] = how.items()

    found = export([clip(red)], **{field: dict.fromkeys(named, path)})

    assert (found.state, found.attempt, found.error_code) == ("failed", 1, "not_found")
    assert path in found.error_detail


def test_another_projects_file_is_not_found(asset, export, db, deps):
    theirs = asset(film_samples.film(RED, 0.2), project="other")
    before = stored(deps)

    found = export([clip(theirs)])

    assert (found.state, found.attempt) == ("failed", 1)
    assert found.error_detail == f"Video asset '{theirs.id}' not found in repository"
    assert stored(deps) == before


def test_another_projects_watermark_is_not_found(asset, export):
    red = asset(film_samples.film(RED, 0.2))
    theirs = asset(picture(), project="other", name="logo.png")

    for path in (theirs.relative_path, str(theirs.id)):
        found = export([clip(red)], default_watermark={"path": path})
        assert (found.state, found.error_code) == ("failed", "not_found")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"in_point": 5}, "clip_outside_video"),
        ({"in_point": 1, "out_point": 0.5}, "invalid_timeline"),
        ({"subtitles": {"path": "{}"}}, "not_found"),
    ],
)
def test_a_mistake_is_final_at_once(asset, export, fields, code, db, deps):
    red = asset(film_samples.film(RED, 0.3))
    before = stored(deps)

    found = export([clip(red, **fields)])

    assert (found.state, found.attempt, found.error_code) == ("failed", 1, code)
    assert stored(deps) == before


def test_a_file_that_is_no_film_fails_its_job_and_leaves_nothing(
    asset, export, db, deps
):
    red, junk = asset(film_samples.film(RED, 0.3)), asset(io.BytesIO(b"junk" * 99))
    before = stored(deps)

    found = export([clip(red), clip(junk)])

    assert (found.state, found.attempt) == ("failed", 1)
    assert found.error_code == "media_unreadable"
    assert stored(deps) == before
    assert not doomed(db)


def test_a_cancelled_export_leaves_nothing(asset, ask, db, deps, worker, queue, heart):
    """It is cancelled while its second part is rendered."""
    red = asset(film_samples.film(RED, 1.0))
    job_id = ask([clip(red)])
    before = stored(deps)

    with _parts_of(4), _at_write(3, lambda: _cancel(deps, heart, job_id)):
        worker.run_all(queue)

    with db.begin() as session:
        assert session.get_one(Job, job_id).state == "cancelled"
    worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")
    assert stored(deps) == before
    assert not doomed(db)


@pytest.mark.parametrize("write", range(1, 7))
def test_a_death_at_any_write_leaves_only_what_will_be_removed(
    asset, ask, db, deps, worker, queue, write
):
    red = asset(film_samples.film(RED, 0.4))
    ask([clip(red)])

    with _at_write(write, _die), pytest.raises(KeyboardInterrupt):
        worker.run_all(queue)

    assert stored(deps) - known(db) <= doomed(db)
    with db.begin() as session:
        assert session.scalar(select(func.count()).select_from(Asset)) == 1


def test_a_failed_write_is_tried_again_from_where_it_was(
    asset, export, db, deps, worker
):
    red = asset(film_samples.film(RED, 0.8))

    with _parts_of(3), _at_write(7, _fail):
        found = export([clip(red)])

    assert (found.state, found.attempt) == ("succeeded", 2)
    first, second = (f"{found.id}.{epoch}" for epoch in (1, 2))
    assert found.checkpoint["parts"] == [first, first, second]
    shown = Result(content_of(deps, db, found.result["timeline"]["relative_path"]))
    assert len(shown.frames) == 8
    worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")
    assert stored(deps) - known(db) <= doomed(db)


def test_a_last_failure_leaves_nothing(asset, export, db, deps, worker):
    red = asset(film_samples.film(RED, 0.8))
    before = stored(deps)

    with _parts_of(3), _at_write(7, _fail, and_later=True):
        found = export([clip(red)])

    assert (found.state, found.attempt, found.error_code) == (
        *("failed", 3),
        "unavailable",
    )
    worker.post("/schedules/sweep", {}, caller="scheduler@pegasus.internal")
    left = stored(deps) - before
    assert left <= doomed(db)
    assert not left & set(_saved(found))


def test_long_work_is_spread_over_several_requests(asset, export, monkeypatch, db):
    monkeypatch.setattr(reels, "ENOUGH_SECONDS", 0.0)
    red = asset(film_samples.film(RED, 0.4))

    found = export([clip(red)])

    assert (found.state, found.attempt) == ("succeeded", 1)
    assert found.lease_epoch == 3  # its one part, and each of its films


def test_the_project_may_be_wiped_meanwhile(asset, ask, db, deps, worker, queue):
    red = asset(film_samples.film(RED, 0.4))
    ask([clip(red)])

    def wipe():
        with deps.db.begin() as session:
            session.execute(text("delete from jobs"))
            session.execute(text("delete from assets"))

    with _at_write(5, wipe):
        worker.run_all(queue)

    with db.begin() as session:
        assert session.scalar(select(func.count()).select_from(Asset)) == 0


def test_a_client_may_send_null_for_whatever_it_leaves_open(asset, export):
    red = asset(film_samples.film(RED, 0.3))
    nothing = dict.fromkeys(
        ("out_point", "transition", "subtitles", "watermark", "includeAudio")
    )
    fields = dict.fromkeys(
        ("aspect_ratio", "background_music", "export_templates", "default_watermark")
    )

    found = export([clip(red, **nothing)], **fields)

    assert (found.state, found.error_detail) == ("succeeded", None)
    assert found.result["exports"] == []


def _transcript(db, asset, *said):
    save(
        db,
        TranscriptRecord(
            recording_id=asset.recording_id,
            job_id=uuid4(),
            object_key=f"transcripts/{asset.id}.json",
            language="en-US",
            provider="fake",
            model="fake-1",
            total_ms=1000,
            heard_ms=1000,
            gaps=[],
        ),
        *(
            SegmentRecord(
                recording_id=asset.recording_id,
                number=number,
                start_ms=start_ms,
                end_ms=end_ms,
                text=words,
                flags=[],
            )
            for number, (start_ms, end_ms, words) in enumerate(said)
        ),
    )
