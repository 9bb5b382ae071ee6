"""One request once wiped the whole storage: here it is, in every spelling.

Over a real server and a plain connection: clients that people use tidy paths up before
they send them.
"""

import http.client
import io
import json
from contextlib import closing
from uuid import uuid4

import pytest

from tests.films import film

SPELLINGS = [
    *("..", "%2e%2e", "%2E%2E", ".%2e", "%2e."),
    *("%252e%252e", "%25252e%25252e", "..%2f", "%2e%2e%2f%2e%2e", "..%5c"),
    *("%c0%ae%c0%ae", "%ef%bc%8e%ef%bc%8e", "%e2%80%a4%e2%80%a4", "..;", "..%00"),
    *("%2e%2e/%2e%2e", "./..", "x/../..", "//..", "..%20"),
]


@pytest.fixture
def ask(pegasus):
    def send(method, path, body=None, headers=None):
        port = pegasus.stack.place.port
        with closing(
            http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        ) as connection:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
            reply = connection.getresponse()
            return reply.status, reply.read()

    return send


def upload(ask, project):
    body = io.BytesIO()
    body.write(b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"')
    body.write(b"\r\n\r\n" + film() + b"\r\n--b--\r\n")
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    status, told = ask("POST", f"/projects/{project}/videos", body.getvalue(), form)
    assert status == 201, told
    return json.loads(told)["asset_id"]


def everything(pegasus):
    """Return all stored files, and how many rows there are."""
    home = pegasus.stack.place.home
    files = {
        str(path.relative_to(home)): path.stat().st_size
        for path in home.rglob("projects/*/**/*")
        if path.is_file()
    }
    assert files
    return files


def test_no_spelling_of_the_attack_removes_anything(ask, pegasus):
    victim = f"victim-{uuid4().hex[:8]}"
    id_ = upload(ask, victim)
    before = everything(pegasus)
    statuses = {}
    for spelling in SPELLINGS:
        for prefix in ("", "/api"):
            path = f"{prefix}/projects/{spelling}/storage"
            statuses[path], said = ask("DELETE", path)
            assert pegasus.stack.place.home.name not in said.decode()
    assert set(statuses.values()) <= {204, 307, 308, 400, 404, 405}
    taken = {path for path, status in statuses.items() if status == 204}
    assert all("..;" in path for path in taken)  # a name, of a project without files
    assert everything(pegasus) == before
    _, told = ask("GET", f"/projects/{victim}/videos")
    assert [row["id"] for row in json.loads(told)] == [id_]
    assert ask("GET", f"/projects/{victim}/videos/{id_}/media")[1] == film()


def test_a_project_called_alike_loses_nothing(ask, pegasus):
    name = f"victim-{uuid4().hex[:8]}"
    upload(ask, name)
    before = everything(pegasus)
    for alike in (name.upper(), name.title(), f"{name}.", f".{name}", name[:-1]):
        assert ask("DELETE", f"/projects/{alike}/storage")[0] == 204
    assert everything(pegasus) == before


def test_no_spelling_reads_beyond_the_files_of_projects(ask, pegasus):
    (pegasus.stack.place.home / "secret.txt").write_text("the secret")
    for spelling in SPELLINGS:
        for path in (
            f"/storage/{spelling}/secret.txt",
            f"/storage/uploads/{spelling}/{spelling}/secret.txt",
            f"/projects/{spelling}/storage/stats",
            f"/projects/{spelling}/videos",
        ):
            status, said = ask("GET", path)
            assert b"the secret" not in said
            assert status in (200, 307, 308, 400, 404)
            if status == 200:
                assert spelling == "..;" or b"file_count" in said
