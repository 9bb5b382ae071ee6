"""Two API processes behind one port: what one of them lets pass, both have."""

import http.client
import json
from contextlib import closing
from itertools import count

import psutil
import pytest

from common.local.stack import Stack
from tests.common.job_steps import together
from tests.e2e.machine import OFFLINE, clean_environment, free_place, new_home
from tests.e2e.pegasus import Pegasus, Reply, write_talk

TOKEN = "write-token-of-this-test"
LIMIT = 16
SECONDS = 30


class Clients:
    """Callers of the API; each one has an address, and so a budget, of its own."""

    def __init__(self, pegasus: Pegasus) -> None:
        self.pegasus = pegasus
        self._addresses = (f"198.51.100.{number}" for number in count(1))
        self.address = next(self._addresses)

    def next(self) -> None:
        self.address = next(self._addresses)

    def send(self, method, path, *, token: str | None = TOKEN, body=None, **headers):
        sent = {"X-Forwarded-For": f"203.0.113.1, {self.address}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        with closing(self.connect()) as connection:
            connection.request(method, path, body, sent)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.headers), json.load(reply))

    def connect(self) -> http.client.HTTPConnection:
        port = self.pegasus.stack.place.port
        return http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    settings = {
        "PEGASUS_API_PROCESSES": "2",
        "PEGASUS_TRUSTED_PROXY_HOPS": "1",
        "PLC_WRITE_API_TOKEN": TOKEN,
        "PLC_WRITE_RATE_LIMIT_MAX_REQUESTS": str(LIMIT),
        "PEGASUS_QUEUE_FAULTS": "1",
    }
    with (
        new_home() as folder,
        Stack(
            free_place(folder),
            environment=clean_environment() | OFFLINE | settings,
            log_folder=tmp_path_factory.mktemp("logs"),
            durable=False,
        ) as stack,
    ):
        yield Clients(Pegasus(stack))


@pytest.fixture
def clients(two_processes):
    two_processes.next()
    return two_processes


@pytest.fixture(scope="module")
def lecture(two_processes, tmp_path_factory):
    """A lecture that came in before, with no job of its own."""
    two_processes.next()
    file = tmp_path_factory.mktemp("talk") / "talk.wav"
    write_talk(file, 1)
    fields = {
        "course_id": "c1",
        "lecture_id": "l1",
        "preset_id": "exam-mode",
        "title": "A lecture",
        "auto_transcribe": "false",
    }
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = 'form-data; name="audio"; filename="talk.wav"\r\n\r\n'
    body = "".join([*parts, f"--b\r\nContent-Disposition: {head}"]).encode()
    reply = two_processes.send(
        "POST",
        "/lectures/ingest",
        body=body + file.read_bytes() + b"\r\n--b--\r\n",
        Content_Type="multipart/form-data; boundary=b",
    )
    assert reply.status == 200, reply.document
    return "l1"


def jobs(clients, kind):
    [[found]] = clients.pegasus.rows(
        "select count(*) from jobs where kind = :kind", kind=kind
    )
    return found


def test_two_processes_answer(clients):
    master = clients.pegasus.stack.service("api").pid
    assert len(psutil.Process(master).children()) == 2


def test_the_limit_is_one_for_both(clients):
    calls = [lambda: clients.send("DELETE", "/lectures/none")] * 40
    statuses = sorted(reply.status for reply in together(*calls))
    assert statuses == [404] * LIMIT + [429] * (40 - LIMIT)


@pytest.fixture
def paused(clients):
    """No job ends while the test asks for it."""
    clients.pegasus.break_queue(pause=True)
    yield
    clients.pegasus.mend_queue()


def test_equal_requests_to_both_make_one_job(clients, lecture, paused):
    calls = [lambda: clients.send("POST", "/lectures/l1/transcribe")] * LIMIT
    replies = together(*calls)
    assert {reply.status for reply in replies} == {200}
    assert len({reply.document["jobId"] for reply in replies}) == 1
    assert sum("deduplicated" not in reply.document for reply in replies) == 1
    assert jobs(clients, "transcription") == 1


def test_a_key_means_the_same_to_both(clients, lecture):
    calls = [
        lambda: clients.send("POST", "/lectures/l1/export", Idempotency_Key="k1")
    ] * LIMIT
    replies = together(*calls)
    assert {reply.status for reply in replies} == {200}
    [answer] = {json.dumps(reply.document) for reply in replies}
    assert "deduplicated" not in answer
    assert jobs(clients, "export") == 1


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 403)])
def test_a_stranger_is_refused_before_the_upload_is_sent(clients, token, status):
    with closing(clients.connect()) as connection:
        connection.putrequest("POST", "/lectures/ingest")
        connection.putheader("Content-Type", "multipart/form-data; boundary=b")
        connection.putheader("Content-Length", str(10_000_000))
        if token is not None:
            connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders(b"--b\r\n")
        assert connection.getresponse().status == status


def test_the_token_is_in_no_log(clients):
    clients.send("DELETE", "/courses/none")
    clients.send("DELETE", "/courses/none", token="a-wrong-token")
    logged = "".join(
        clients.pegasus.logged(name) for name in ("api", "worker", "queue")
    )
    assert '"path": "/courses/none"' in logged
    assert TOKEN not in logged
    assert "a-wrong-token" not in logged
