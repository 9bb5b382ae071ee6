"""The helper for videos, against the real API: patient, and never twice at once."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update

from common import videos
from common.models import Job, SegmentRecord, Video
from scripts.youtube_helper import youtube
from scripts.youtube_helper.server import Away, BadToken, Refused, Server, Task
from scripts.youtube_helper.work import Helper
from tests.conftest import ADMIN_TOKEN
from tests.e2e.machine import wait_for
from tests.served_api import served
from tests.video_steps import ID

ROOT = Path(__file__).parents[2]
# What the two libraries answer, in their shape.
CAPTIONS = [
    {"text": "We're no strangers\nto love", "start": 18.64, "duration": 3.24},
    {"text": "You know the rules", "start": 22.64, "duration": 2.0},
]
FOUND = {
    "id": ID,
    "title": "A song",
    "uploader": "Somebody",
    "upload_date": "20091025",
    "duration": 213,
    "view_count": 1,
    "like_count": 2,
    "channel_url": "https://www.youtube.com/channel/x",
    "channel": "Somebody",
    "description": "x" * 6000,
    "thumbnail": "https://i.ytimg.com/vi/x.jpg",
    "formats": [{"url": "https://secret.example"}] * 50,
}


def transcript(_video_id):
    return {"transcript": youtube.renamed(CAPTIONS), "language": "en"}


def metadata(_video_id):
    return {"metadata": youtube.reduced(FOUND)}


@contextmanager
def helping(server, kind, fetch, **fields):
    """Run a helper in the background, with pauses that a test can wait for."""
    helper = Helper(server, kind, fetch, 1, most_pause_seconds=0.05, **fields)
    thread = threading.Thread(target=helper.run)
    thread.start()
    try:
        yield helper
    finally:
        helper.stop.set()
        thread.join()


@pytest.fixture
def server(committed_deps):
    with served(committed_deps) as url:
        yield Server(f"{url}/v2", ADMIN_TOKEN)


def want(db):
    with db.begin() as session:
        videos.fetch(session, videos.ensure(session, ID))


def state(db, kind):
    with db.begin() as session:
        return session.scalar(select(Job.state).where(Job.kind == kind))


def test_what_is_wanted_is_fetched_and_brought_back(committed_db, server):
    want(committed_db)
    with (
        helping(server, "transcript", transcript),
        helping(server, "metadata", metadata),
    ):
        for kind in ("transcript", "metadata"):
            wait_for(lambda kind=kind: state(committed_db, kind) == "succeeded")
    with committed_db.begin() as session:
        found = session.scalars(select(Video)).one()
        said = session.execute(select(SegmentRecord.start_ms, SegmentRecord.text))
        assert [tuple(row) for row in said] == [
            (18640, "We're no strangers to love"),
            (22640, "You know the rules"),
        ]
    assert found.title == "A song"
    assert "formats" not in found.about
    assert len(found.about["description"]) == 5000


def test_what_youtube_does_not_give_is_told(committed_db, server):
    want(committed_db)
    with committed_db.begin() as session:
        session.execute(update(Job).values(max_attempts=1))

    def private(_video_id):
        raise youtube.NotThere("This video is private.")

    with helping(server, "transcript", private):
        wait_for(lambda: state(committed_db, "transcript") == "failed")
    with committed_db.begin() as session:
        assert session.scalar(select(Video.transcript_error)) == (
            "This video is private."
        )


class Scripted:
    """A server that answers as it is told, and counts."""

    def __init__(self, *answers, submits=("completed",)):
        self.answers = list(answers)
        self.submits = list(submits)
        self.claims, self.results = 0, []

    def claim(self, _kind, _seconds):
        self.claims += 1
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def submit(self, task, result):
        self.results.append((task, result))
        answer = self.submits.pop(0) if len(self.submits) > 1 else self.submits[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock(threading.Event):
    """Says when a helper would pause, and for how long; ends it after some."""

    def __init__(self, most):
        super().__init__()
        self.pauses, self.most = [], most

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        if len(self.pauses) == self.most:
            self.set()
        return self.is_set()


def pauses(server, most=6):
    """Return how a helper pauses when this is what it meets."""
    clock = Clock(most)
    Helper(server, "metadata", metadata, stop=clock).run()
    return clock.pauses


@pytest.mark.parametrize("failure", [None, Away("down")])
def test_a_server_that_answers_at_once_is_left_in_peace(failure):
    """W33: 5,385 polls in five seconds, against a port where nobody was."""
    found = pauses(Scripted(*[failure] * 20), most=9)
    for number, seconds in enumerate(found):
        usual = min(60, 2**number)
        assert usual / 2 <= seconds <= usual


def test_no_two_helpers_pause_alike():
    found = {round(pauses(Scripted(Away("down")), most=1)[0], 6) for _ in range(10)}
    assert len(found) > 5


def test_a_server_that_asks_for_patience_gets_it():
    assert pauses(Scripted(Away("busy", 17.0)), most=1) == [17.0]


@pytest.mark.parametrize("failure", [BadToken("403"), Refused("404")])
def test_a_server_that_takes_no_helpers_is_asked_once_a_minute(failure):
    found = pauses(Scripted(*[failure] * 9), most=3)
    assert all(seconds >= 60 for seconds in found)


def test_a_success_ends_the_long_pauses():
    task = Task(1, ID, None)
    found = pauses(Scripted(*[Away("down")] * 5, task, *[Away("down")] * 5), most=6)
    assert found[4] >= 8
    assert found[5] <= 1


def test_a_result_is_sent_again_until_it_arrives():
    server = Scripted(Task(1, ID, "c"), submits=[Away("down"), Away("down"), "ok"])
    pauses(server, most=3)
    assert len(server.results) == 3
    assert {str(result) for _, result in server.results} == {
        str({"success": True, **metadata(ID)})
    }


def test_one_that_is_not_taken_is_dropped():
    server = Scripted(Task(1, ID, "c"), submits=[Refused("400")])
    pauses(server, most=2)
    assert len(server.results) == 1


class _Answering(http.server.BaseHTTPRequestHandler):
    status = 200
    body = b""
    headers_: Mapping[str, str] = {}

    def do_GET(self):
        self.send_response(self.status)
        for name, value in self.headers_.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args):
        """Say nothing."""


@contextmanager
def answering(status, body=b"", **headers):
    fields = {"status": status, "body": body, "headers_": headers}
    handler = type("Answering", (_Answering,), fields)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Server(f"http://127.0.0.1:{server.server_port}/v2", "t")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"", BadToken),
        (403, b"", BadToken),
        (404, b"", Refused),
        (429, b"", Away),
        (500, b"", Away),
        (503, b"", Away),
        (200, b"<html>", Away),
        (200, b"[]", Away),
        (200, b'{"task_id": 1}', Away),
    ],
)
def test_each_answer_has_its_meaning(status, body, error):
    with answering(status, body) as server, pytest.raises(error):
        server.claim("metadata", 1)


def test_how_long_to_wait_is_read():
    with answering(503, b"", **{"Retry-After": "7"}) as server:
        with pytest.raises(Away) as caught:
            server.claim("metadata", 1)
        assert caught.value.retry_after_seconds == 7


def test_a_server_that_is_not_there_is_away():
    with answering(200) as server:
        pass
    with pytest.raises(Away):
        server.claim("metadata", 1)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x", "x"])
def test_a_token_is_sent_to_servers_only(url):
    with pytest.raises(ValueError, match="must begin with https"):
        Server(url, "t")


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ((), {}, "ADMIN_TOKEN must be set"),
        (("--type", "metadata"), {"ADMIN_TOKEN": "t"}, "yt-dlp is not installed"),
        (
            ("--type", "transcript"),
            {"VIDWIZ_INTERNAL_API_ADMIN_TOKEN": "t"},
            "youtube-transcript-api is not installed",
        ),
    ],
)
def test_what_is_missing_is_named(arguments, environment, said):
    """Without the packages of this environment (-S), as on a machine of its own."""
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-S", "-m", "scripts.youtube_helper", *arguments],
        cwd=ROOT,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert said in done.stderr
