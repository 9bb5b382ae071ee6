"""How a page learns that a video is ready: byte for byte, and without a connection."""

import json
import threading

import pytest

from api_service.routes.v2 import videos as routes
from common import videos
from common.models import Note, Video
from tests import video_steps
from tests.api.people import guest, person, signed_in
from tests.conftest import make_api
from tests.factories import minute
from tests.video_steps import ABOUT, ID

PATH = f"/v2/videos/{ID}/stream"
VIDEO = (
    '{"id": %d, "video_id": "dQw4w9WgXcQ", "title": null, "metadata": {"title": "B"},'
    ' "transcript_available": true, "summary": "S", "suggested_questions": null,'
    ' "created_at": "2026-11-20T20:01:00+0000",'
    ' "updated_at": "2026-11-20T20:02:00+0000",'
    ' "transcript_error": null, "metadata_error": null}'
)
TIMES = {"created_at": minute(1), "updated_at": minute(2)}


@pytest.fixture
def api(committed_deps):
    """An app whose streams are seen by none of the other tests."""
    client = make_api(committed_deps)
    yield client
    client.application.extensions["streams"].close()


@pytest.fixture
def ann(committed_db):
    return person(committed_db)


@pytest.fixture
def as_ann(committed_deps, ann):
    return signed_in(committed_deps, ann)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Three seconds are long for a test."""
    monkeypatch.setattr(routes, "PATIENCE_SECONDS", 0.3)


@pytest.fixture
def noted(committed_db, ann):
    """A video that Ann noted something about; these are its columns."""

    def make(**fields):
        found = video_steps.video(committed_db, **TIMES, **fields)
        video_steps.note(committed_db, ann)
        return found

    return make


@pytest.fixture
def opened(api, as_ann):
    """Open the stream; return its frames as they come."""

    def open_stream(headers=as_ann):
        reply = api.get(f"/v2/videos/{ID}/stream", headers=headers, buffered=False)
        assert reply.status_code == 200, reply.text
        return reply, iter(reply.response)

    return open_stream


def event(frame):
    """Return the name of an event and its video."""
    name, data, *rest = frame.decode().split("\n")
    assert rest == ["", ""]
    body = json.loads(data.removeprefix("data: "))
    assert name == f"event: {body['event']}"
    return body["event"], body["video"]


def change(db, **fields):
    with db.begin() as session:
        found = videos.locked(session, ID)
        for name, value in fields.items():
            setattr(found, name, value)


def test_a_video_that_is_ready_is_told_byte_for_byte(committed_db, noted, opened):
    found = noted(about={"title": "B"}, summary="S")
    video_steps.heard(committed_db, found)
    reply, frames = opened()
    shown = VIDEO % found.id
    assert b"".join(frames).decode() == (
        f'event: snapshot\ndata: {{"event": "snapshot", "video": {shown}}}\n\n'
        f'event: done\ndata: {{"event": "done", "video": {shown}}}\n\n'
    )
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.headers["X-Accel-Buffering"] == "no"


def test_letters_beyond_ascii_are_escaped(committed_db, noted, opened):
    video_steps.heard(committed_db, noted(about={"title": "é"}, summary="S"))
    _, frames = opened()
    assert rb"\u00e9" in b"".join(frames)


def test_each_thing_that_comes_is_told_and_then_the_stream_is_done(
    committed_db, noted, opened
):
    found = noted()
    _, frames = opened()
    told = [event(next(frames))]
    change(committed_db, about=ABOUT)
    told.append(event(next(frames)))
    video_steps.heard(committed_db, found)
    told.append(event(next(frames)))
    change(committed_db, summary="S")
    told += [event(frame) for frame in frames]
    assert [name for name, _ in told] == [
        *("snapshot", "update", "update", "update", "done")
    ]
    ready = ("metadata", "transcript_available", "summary")
    assert [[bool(video[key]) for key in ready] for _, video in told] == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
        [True, True, True],
        [True, True, True],
    ]


def test_what_will_not_come_is_told_with_its_reason(committed_db, noted, opened):
    """W29: a page need not wait for captions that there are not."""
    noted(about=ABOUT)
    reply, frames = opened()
    next(frames)
    with committed_db.begin() as session:
        videos.give_up(session, "transcript", ID, "Subtitles are disabled.")
    name, video = event(next(frames))
    assert (name, video["transcript_error"]) == ("update", "Subtitles are disabled.")
    reply.close()


def test_an_update_has_the_newest_title(committed_db, noted, opened):
    noted(about=ABOUT)
    _, frames = opened()
    next(frames)
    change(committed_db, summary="S", title="Another")
    name, video = event(next(frames))
    assert (name, video["title"]) == ("update", "Another")


def test_after_its_time_the_stream_ends_without_a_word(noted, opened, monkeypatch):
    monkeypatch.setattr(routes, "STREAM_SECONDS", 0.2)
    noted()
    _, frames = opened()
    assert [event(frame)[0] for frame in frames] == ["snapshot"]


def test_it_ends_when_the_video_is_gone(committed_db, noted, opened):
    noted()
    _, frames = opened()
    next(frames)
    with committed_db.begin() as session:
        session.query(Note).delete()
        session.query(Video).delete()
    assert list(frames) == []


def test_what_a_person_calls_the_video_is_in_that_person_s_stream_only(
    committed_db, committed_deps, noted, opened, as_ann
):
    noted()
    bob = person(committed_db, "bob@example.com")
    video_steps.note(committed_db, bob, video_title="Mine")
    for headers, title in ((signed_in(committed_deps, bob), "Mine"), (as_ann, None)):
        reply, frames = opened(headers)
        assert event(next(frames))[1]["title"] == title
        reply.close()


@pytest.mark.parametrize("name", ["ann", "guest"])
def test_a_conversation_is_enough(committed_db, api, ann, as_ann, opened, name):
    headers = as_ann if name == "ann" else guest()
    made = api.post("/v2/conversations", json={"video_id": ID}, headers=headers)
    assert made.status_code == 201
    reply, frames = opened(headers)
    assert event(next(frames))[0] == "snapshot"
    reply.close()


def test_another_s_conversation_or_note_is_not(committed_db, api, noted, as_ann):
    noted()
    api.post("/v2/conversations", json={"video_id": ID}, headers=guest("g2"))
    reply = api.get(PATH, headers=guest("g1"))
    assert reply.status_code == 404
    assert reply.json["error"]["message"] == "Video not found"


def test_nobody_may_not(api):
    reply = api.get(PATH)
    assert reply.status_code == 401
    assert reply.json["error"]["message"] == "Missing Auth or Guest ID"


def test_a_page_that_asks_for_stream_and_conversation_at_once_gets_both(
    committed_db, api, opened, monkeypatch
):
    """The stream may come first; then it waits for the video to be there."""
    monkeypatch.setattr(routes, "PATIENCE_SECONDS", 3.0)
    body = {"video_id": ID}
    later = threading.Timer(
        0.3, lambda: api.post("/v2/conversations", json=body, headers=guest())
    )
    later.start()
    reply, frames = opened(guest())
    assert event(next(frames))[0] == "snapshot"
    later.join()
    reply.close()


def test_streams_hold_no_connection(committed_db, engine, noted, opened):
    """W16: fifteen of them used to be the end of the pool."""
    noted()
    open_ones = [opened() for _ in range(40)]
    names = [event(next(frames))[0] for _, frames in open_ones]
    assert names == ["snapshot"] * 40
    assert engine.pool.checkedout() <= 1  # the one look for all of them
    change(committed_db, about=ABOUT)
    assert {event(next(frames))[0] for _, frames in open_ones} == {"update"}
    for reply, _ in open_ones:
        reply.close()


def test_a_comment_keeps_an_idle_line_open_and_a_title_alone_is_no_news():
    shown = {
        **dict.fromkeys(("title", "metadata", "summary")),
        **dict.fromkeys(("transcript_error", "metadata_error")),
        "transcript_available": False,
    }
    renamed = {**shown, "title": "Another"}
    frames = routes._frames(iter([shown, None, renamed]), None)  # noqa: SLF001 - 15 s
    assert [frame.partition("\n")[0] for frame in frames] == ["event: snapshot", ":"]
