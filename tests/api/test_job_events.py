"""How jobs go, told while they go: by event streams and WebSockets of a real server."""

import json
import threading
from contextlib import ExitStack
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import text
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

from common import jobs
from common.jobs import GiveBack, Ingest, Terms
from tests.browser import Pages, browse
from tests.common.job_steps import until
from tests.live_api import events, live_api

PROJECT = "demo"
NO_RETRY = GiveBack("broken", "It is broken.", permanent=True)


@pytest.fixture(scope="module")
def pages():
    """Where the browser's pages come from: not from the API."""
    with Pages() as found:
        yield found


@pytest.fixture(scope="module")
def live(database_url, pages, tmp_path_factory):
    settings = {
        "CORS_ORIGINS": f"https://app.example,{pages.url}",
        "PLC_CORS_ORIGINS": "https://p.example",
    }
    folder = tmp_path_factory.mktemp("storage")
    with live_api(database_url, folder, **settings) as found:
        yield found


class Step:
    """A job of a project, and what a worker does with it."""

    def __init__(self, db, project=PROJECT):
        self.db = db
        terms = Terms(project_id=project, max_attempts=3, retry_delay_seconds=1)
        payload = Ingest(project_id=project, asset_id=uuid4())
        with db.begin() as session:
            self.id, _ = jobs.enqueue(session, payload, terms=terms)
        self.path = f"/projects/{project}/jobs/{self.id}"

    def start(self):
        with self.db.begin() as session:
            lease = jobs.claim(session, self.id, 1, owner="w", seconds=60)
        assert lease is not None
        self.lease = lease

    def progress(self, percent):
        with self.db.begin() as session:
            jobs.checkpoint(session, self.lease, {}, progress=percent)

    def say(self, message):
        with self.db.begin() as session:
            jobs.note(session, self.id, message)

    def succeed(self):
        with self.db.begin() as session:
            jobs.succeed(session, self.lease, {"asset_id": "a"})

    def fail(self):
        with self.db.begin() as session:
            jobs.give_back(session, self.lease, NO_RETRY)


@pytest.fixture
def job(committed_db):
    return Step(committed_db)


def states(frames):
    return [(one["status"], one["progress"]) for one in frames]


def test_an_event_stream_tells_each_state_and_ends_with_the_last(live, job):
    with live.opened(f"{job.path}/events") as reply:
        told = events(reply)
        frames = [next(told)]
        job.start()
        frames.append(next(told))
        job.progress(35)
        frames.append(next(told))
        job.say("Validating source media")
        frames.append(next(told))
        job.succeed()
        frames += told

    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.headers["X-Accel-Buffering"] == "no"
    shown = [data for _, data in frames]
    assert states(shown) == [
        ("queued", 0.0),
        ("running", 0.0),
        ("running", 35.0),
        ("running", 35.0),
        ("completed", 100.0),
    ]
    assert "Validating source media" in [line["message"] for line in shown[3]["logs"]]
    assert len({id_ for id_, _ in frames}) == len(frames)


def test_the_data_is_the_job_as_it_is_shown_elsewhere(live, job):
    job.start()
    job.succeed()
    with live.opened(f"{job.path}/events") as reply:
        [(_, told)] = events(reply)
    assert told == json.loads(live.get(job.path)[1])


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_job_that_has_ended_is_one_event_and_the_end(live, job, prefix):
    job.start()
    job.fail()
    with live.opened(f"{prefix}{job.path}/events") as reply:
        [(_, told)] = events(reply)
    assert (told["status"], told["error_message"]) == ("failed", "It is broken.")


def test_who_has_seen_the_end_is_told_not_to_ask_again(live, job):
    job.start()
    job.succeed()
    with live.opened(f"{job.path}/events") as reply:
        [(seen, _)] = events(reply)
    path = f"{job.path}/events"
    assert live.get(path, **{"Last-Event-ID": seen}) == (204, b"")
    assert live.get(path, **{"Last-Event-ID": "other"})[0] == 200


def test_who_comes_back_gets_only_what_is_new(live, job):
    path = f"{job.path}/events"
    with live.opened(path) as reply:
        seen, _ = next(events(reply))
    with live.opened(path, **{"Last-Event-ID": seen}) as reply:
        told = events(reply)
        assert next(told) is None  # there, and nothing new
        job.start()
        _, now = next(told)
        assert now["status"] == "running"


@pytest.mark.parametrize("id_", [uuid4(), "not-an-id"])
def test_a_job_that_is_not_there_is_not_found(live, id_):
    status, body = live.get(f"/projects/{PROJECT}/jobs/{id_}/events")
    assert (status, json.loads(body)["detail"]) == (404, "Job not found")


def test_another_project_s_job_is_not_found(live, committed_db):
    theirs = Step(committed_db, project="theirs")
    assert live.get(f"/projects/{PROJECT}/jobs/{theirs.id}/events")[0] == 404
    with pytest.raises(InvalidStatus) as caught:
        connect(ws(live, f"/projects/{PROJECT}/jobs/{theirs.id}/ws"))
    assert caught.value.response.status_code == 403


def ws(live, path):
    return f"ws://127.0.0.1:{live.port}{path}"


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_a_websocket_tells_the_same_and_closes(live, job, prefix):
    with connect(ws(live, f"{prefix}{job.path}/ws")) as line:
        frames = [json.loads(line.recv(10))]
        job.start()
        frames.append(json.loads(line.recv(10)))
        job.succeed()
        frames.append(json.loads(line.recv(10)))
        with pytest.raises(ConnectionClosedOK) as closed:
            line.recv(10)
    assert states(frames) == [("queued", 0), ("running", 0), ("completed", 100)]
    assert frames[-1] == json.loads(live.get(job.path)[1])
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


def test_the_other_websocket_has_envelopes(live, job):
    with connect(ws(live, f"{job.path}/events")) as line:
        told = json.loads(line.recv(10))
    assert told["type"] == "job_update"
    assert told["data"]["id"] == str(job.id)


def test_an_unknown_job_opens_no_websocket(live):
    for end in ("ws", "events"):
        with pytest.raises(InvalidStatus) as caught:
            connect(ws(live, f"/projects/{PROJECT}/jobs/{uuid4()}/{end}"))
        assert caught.value.response.status_code == 403


def test_what_the_client_says_is_heard_and_does_nothing(live, job):
    with connect(ws(live, f"{job.path}/ws")) as line:
        line.recv(10)
        line.send("subscribe!")
        assert line.ping().wait(10)
        job.start()
        assert json.loads(line.recv(10))["status"] == "running"


def test_too_much_of_it_ends_the_line(live, job):
    with connect(ws(live, f"{job.path}/ws")) as line:
        line.recv(10)
        line.send("x" * 70_000)
        with pytest.raises(Exception, match="1009"):
            line.recv(10)


@pytest.mark.parametrize("origin", ["https://app.example", "https://p.example", None])
def test_known_pages_and_programs_open_websockets(live, job, origin):
    with connect(ws(live, f"{job.path}/ws"), origin=origin) as line:
        assert json.loads(line.recv(10))["status"] == "queued"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://p.example"])
def test_other_pages_do_not(live, job, origin):
    with pytest.raises(InvalidStatus) as caught:
        connect(ws(live, f"{job.path}/ws"), origin=origin)
    assert caught.value.response.status_code == 403


def test_what_is_no_handshake_is_refused(live, job):
    half = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert live.get(f"{job.path}/ws", **half)[0] == 400
    assert live.get(f"{job.path}/ws")[0] == 400


def test_a_client_that_leaves_frees_its_thread(live, job):
    with ExitStack() as stack:
        for _ in range(5):
            reply = stack.enter_context(live.opened(f"{job.path}/events"))
            next(events(reply))
        watching = connections_watching(live)
    assert watching == 5
    until(lambda: connections_watching(live) == 0)


def connections_watching(live):
    [worker] = psutil.Process(live.process.pid).children()
    found = [c for c in worker.net_connections("tcp") if c.laddr.port == live.port]
    return sum(c.status in ("ESTABLISHED", "CLOSE_WAIT") for c in found)


def test_watchers_hold_no_connection_to_the_database(live, committed_db):
    watched = [Step(committed_db) for _ in range(10)]
    with ExitStack() as stack:
        for one in watched:
            reply = stack.enter_context(live.opened(f"{one.path}/events"))
            next(events(reply))
        busy = "select count(*) from pg_stat_activity where state <> 'idle'"
        mine = " and datname = current_database() and pid <> pg_backend_pid()"
        counts = []

        def none_is_busy():
            with committed_db.begin() as session:  # a transaction sees one moment
                counts.append(session.scalar(text(busy + mine)))
            return counts[-1] == 0

        for _ in range(5):
            until(none_is_busy)
    assert max(counts) <= 1  # the one look for all of them


def test_a_signal_to_stop_ends_all_streams_in_time(database_url, tmp_path, job):
    closed = []
    with live_api(database_url, tmp_path) as own, ExitStack() as stack:
        for _ in range(3):
            reply = stack.enter_context(own.opened(f"{job.path}/events"))
            told = events(reply)
            next(told)
            threading.Thread(target=lambda t=told: closed.append(list(t))).start()
        line = stack.enter_context(connect(ws(own, f"{job.path}/ws")))
        line.recv(10)
        seconds = own.stop()
        with pytest.raises(Exception, match="1001"):
            line.recv(10)
    assert seconds < 6
    until(lambda: len(closed) == 3)
    assert own.process.returncode == 0


PAGE = """
<script>
  const told = [], source = new EventSource("%s");
  let errors = 0;
  const end = why => { source.close(); document.title = why; show(); };
  const show = () => { document.body.textContent = JSON.stringify({told, errors}); };
  source.onmessage = event => {
    const job = JSON.parse(event.data);
    told.push([job.status, job.progress]);
    fetch("/told?" + job.status);
    if (%s && (job.status === "completed" || job.status === "failed")) end("done");
  };
  source.onerror = () => {
    errors += 1;
    if (source.readyState === EventSource.CLOSED) end("closed");
  };
  setTimeout(() => end("late"), 15000);
</script>
"""


def watched_by_browser(live, pages, job, *, closes):
    """Return what a page in a browser was told of a job that goes to its end."""
    url = f"{live.url}{job.path}/events"
    pages.page = PAGE % (url, str(closes).lower())
    with browse(pages.url) as page:
        pages.wait_for("/told?queued")
        job.start()
        pages.wait_for("/told?running")
        job.succeed()
        return page.shown()


def test_a_browser_s_event_source_hears_all_and_closes(live, pages, job):
    """The page closes as soon as it has seen the end, as the preview player does."""
    shown = watched_by_browser(live, pages, job, closes=True)
    assert [status for status, _ in shown["told"]] == ["queued", "running", "completed"]
    assert shown["errors"] == 0


def test_a_browser_that_never_closes_is_stopped(live, pages, job):
    """It asks again when the stream has ended; the answer 204 makes it stop."""
    shown = watched_by_browser(live, pages, job, closes=False)
    assert [status for status, _ in shown["told"]] == ["queued", "running", "completed"]
    assert shown["errors"] == 2  # it reconnects, and then it does not any more
