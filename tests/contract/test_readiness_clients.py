"""The readiness stream, as both generations of the web frontend read it."""

import threading

import pytest

from common import videos
from tests import video_steps
from tests.api.people import person, signed_in
from tests.clients.running import run
from tests.served_api import served
from tests.video_steps import ABOUT, ID

EVENTS = ["snapshot", "update", "update", "update", "done"]


@pytest.fixture
def heard(committed_db, committed_deps):
    """What each client heard while a video became ready, step by step."""
    found = video_steps.video(committed_db)
    user = person(committed_db)
    video_steps.note(committed_db, user)

    def change(**fields):
        with committed_db.begin() as session:
            one = videos.locked(session, ID)
            for name, value in fields.items():
                setattr(one, name, value)

    steps = [
        lambda: change(about=ABOUT, title="Cells — “in brief”"),
        lambda: video_steps.heard(committed_db, found),
        lambda: change(summary="S", suggested_questions=["A?", "B?", "C?"]),
    ]
    timers = [threading.Timer(0.8 * n, step) for n, step in enumerate(steps, start=1)]
    with served(committed_deps) as url:
        for timer in timers:
            timer.start()
        yield run(
            "readiness.js",
            url=f"{url}/v2/videos/{ID}/stream",
            headers=signed_in(committed_deps, user),
        )
        for timer in timers:
            timer.join()


def test_both_generations_hear_the_same(heard):
    for generation in ("unbuffered", "buffered"):
        told = heard[generation]
        assert [name for name, _ in told] == EVENTS, generation
        last = told[-1][1]
        assert last["title"] == "Cells — “in brief”"
        assert last["metadata"] == ABOUT
        assert last["suggested_questions"] == ["A?", "B?", "C?"]
        assert last["transcript_available"] is True
