"""Through real HTTP: lines that are cut, and bodies that are never whole in memory."""

import io
import threading
import tracemalloc
from contextlib import contextmanager

import pytest
from werkzeug.serving import make_server

from tests.api.guards import with_settings
from tests.bench.recordings import wav
from tests.conftest import make_api
from tests.cutting import CutSender
from tests.sending import LECTURE, sender

MIB = 1024 * 1024
CUTS = 25


@contextmanager
def served(deps):
    """Serve the API on loopback; yield a client, and with it where it says to send."""
    app = make_api(deps).application
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    app.extensions["deps"] = with_settings(deps, public_url=url)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield app.test_client()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def recording(tmp_path):
    return wav(tmp_path / "talk.wav", size_bytes=24 * MIB)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_line_that_is_cut_again_and_again_loses_nothing(
    committed_deps, recording, seed
):
    content = recording.read_bytes()
    with served(committed_deps) as api:
        upload = sender(api, content)
        line = CutSender(upload.url, recording, CUTS, seed)
        line.run()
        assert line.happened == CUTS
        assert (line.sent_bytes - line.size) / line.size < 0.02  # 40 times more cuts
        assert upload.complete().json["lectureId"] == LECTURE["lecture_id"]
        assert api.get("/lectures/l1/media").data == content


class Zeros(io.RawIOBase):
    """So many, made as they are read."""

    def __init__(self, size):
        self.size, self.place = size, 0

    def readable(self):
        return True

    def tell(self):
        return self.place

    def seek(self, offset, whence=io.SEEK_SET):
        self.place = offset + (self.size if whence == io.SEEK_END else 0)
        return self.place

    def readinto(self, buffer):
        count = min(len(buffer), self.size - self.place)
        buffer[:count] = bytes(count)
        self.place += count
        return count


@pytest.mark.parametrize("sized", [True, False])
def test_a_body_is_never_whole_in_memory(api, sized):
    size = 64 * MIB
    told = {"filename": "a.wav", "contentType": "audio/wav", "sizeBytes": size}
    signed = {"filename": "a.wav", "content_type": "audio/wav"}
    if sized:
        url = api.post("/uploads", json=told).json["uploadUrl"]
    else:
        url = api.post("/upload/signed-url", json=signed).json["url"]
    headers = {"Content-Length": str(size), "Content-Type": "audio/wav"}
    tracemalloc.start()
    path = url.partition("8080")[2]
    reply = api.put(path, input_stream=Zeros(size), headers=headers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (reply.status_code, reply.json["offset"]) == (200, size)
    assert peak < 8 * MIB  # pieces of 1 MiB, and some libraries
