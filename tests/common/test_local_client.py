"""The demo's client, against a server that does what ours seldom does."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from common.local.client import ApiBroken, Client, RequestFailed
from common.local.postgres import free_port


class Refusing(HTTPServer):
    """Has what is said to a POST: a status and a body."""

    refusal: tuple[int, bytes]


class Answering(BaseHTTPRequestHandler):
    """Reads nothing of what is sent; shows the token, or refuses."""

    server: Refusing

    def do_GET(self):
        self._answer(200, b'{"token": "%s"}' % self.headers["Authorization"].encode())

    def do_POST(self):
        self._answer(*self.server.refusal)

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_args):
        """Say nothing."""


@pytest.fixture
def server():
    with Refusing(("127.0.0.1", 0), Answering) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        yield http
        http.shutdown()
        thread.join()


def client(server, **options):
    return Client(f"http://127.0.0.1:{server.server_port}", **options)


def test_the_write_token_goes_with_every_request(server):
    assert client(server, token="t0").get("/x") == {"token": "Bearer t0"}


def test_a_refusal_says_why(server):
    server.refusal = 422, b'{"message": "No such preset."}'
    with pytest.raises(RequestFailed, match=r"^No such preset\.$"):
        client(server).post("/x", {})


def test_a_refusal_without_a_reason_gives_its_status(server):
    server.refusal = 502, b"<html>"
    with pytest.raises(ApiBroken, match=r"^The API answered 502\.$"):
        client(server).post("/x", {})


def test_an_upload_that_is_cut_off_fails_in_words(server, tmp_path):
    server.refusal = 413, b'{"message": "Too large."}'
    file = tmp_path / "long.wav"
    with file.open("wb") as target:
        target.truncate(64 * 2**20)  # more than any socket takes unread
    with pytest.raises(RequestFailed):
        client(server).ingest(file, {"title": 'quo"ted'})


def test_nobody_there_is_said_in_words():
    nowhere = Client(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RequestFailed, match=r"^The API does not answer: .*refused"):
        nowhere.get("/x")
