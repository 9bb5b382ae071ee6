"""GET /health, /health/live and /health/ready."""

import socket
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import pytest

from common import db as database
from common.errors import Unavailable
from common.providers.storage.local import LocalStorage
from common.settings import Settings
from tests.conftest import SECRET, make_api, spoken_wav


@pytest.fixture
def nowhere():
    """An address where no database listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    factory = database.connect(f"postgresql://nobody:secret-word@127.0.0.1:{port}/x")
    yield factory
    factory.kw["bind"].dispose()


@pytest.fixture
def cut_off(deps, nowhere):
    """The API while its database is away."""
    return make_api(replace(deps, db=nowhere))


class BrokenStorage(LocalStorage):
    def size_bytes(self, key):
        raise Unavailable("The bucket does not answer.")


def test_health_tells_the_time_in_utc(api):
    reply = api.get("/health")
    assert reply.status_code == 200
    assert set(reply.json) == {"status", "time", "timestamp"}
    assert reply.json["status"] == "ok"
    assert reply.json["time"].endswith("+00:00")
    assert datetime.fromisoformat(reply.json["time"]).utcoffset() == timedelta(0)
    assert reply.json["timestamp"] == reply.json["time"]


def test_health_does_not_need_the_database(cut_off):
    assert cut_off.get("/health").json["status"] == "ok"
    assert cut_off.get("/health/live").json == {"status": "ok"}


def test_ready_names_every_part(api):
    reply = api.get("/health/ready")
    assert reply.status_code == 200
    assert set(reply.json) == {"status", "time", "checks"}
    assert reply.json["status"] == "ok"
    assert reply.json["checks"] == {
        "database": {"status": "ok"},
        "queue": {"status": "ok"},
        "storage": {"status": "ok"},
    }


def test_ready_leaves_no_probe_behind(api, storage_dir):
    api.get("/health/ready")
    assert not storage_dir.exists()


def test_ready_is_503_without_a_queue(api, queue):
    queue.down = True
    reply = api.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json["status"] == "degraded"
    assert reply.json["checks"]["queue"] == {
        "status": "error",
        "reason": "The task queue cannot be reached.",
    }
    assert reply.json["checks"]["database"] == {"status": "ok"}


def test_ready_is_503_without_storage(deps, settings):
    api: Any = make_api(replace(deps, storage=BrokenStorage(settings.storage_dir)))
    reply = api.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json["checks"]["storage"] == {
        "status": "error",
        "reason": "The bucket does not answer.",
    }


def test_ready_is_503_without_a_database_and_says_no_address(cut_off):
    reply = cut_off.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json["status"] == "degraded"
    assert reply.json["checks"]["database"]["status"] == "error"
    assert "secret-word" not in reply.text
    assert "127.0.0.1" not in reply.text


def test_ready_skips_the_queue_when_jobs_are_inline(deps, queue, database_url):
    queue.down = True
    settings = Settings(
        DATABASE_URL=database_url, PEGASUS_INTERNAL_SECRET=SECRET, PLC_INLINE_JOBS="yes"
    )
    reply: Any = make_api(replace(deps, settings=settings)).get("/health/ready")
    assert reply.status_code == 200
    assert reply.json["checks"]["queue"] == {
        "status": "skipped",
        "reason": "PLC_INLINE_JOBS is enabled.",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/lectures"),
        ("GET", "/lectures/l1"),
        ("GET", "/lectures/l1/summary"),
        ("GET", "/lectures/l1/artifacts"),
        ("GET", "/lectures/l1/transcript"),
        ("GET", "/lectures/l1/media"),
        ("GET", "/jobs/00000000-0000-0000-0000-000000000000"),
        ("GET", "/exports/l1/pdf"),
        ("POST", "/lectures/l1/transcribe"),
        ("POST", "/lectures/l1/export"),
    ],
)
def test_without_a_database_clients_are_told_to_come_back(cut_off, method, path):
    reply = cut_off.open(path, method=method)
    assert reply.status_code == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.json["error"]["code"] == "unavailable"
    assert "secret-word" not in reply.text
    assert reply.headers["x-request-id"] == reply.json["request_id"]


def test_an_upload_without_a_database_stores_nothing(cut_off, storage_dir):
    form = {"course_id": "c1", "lecture_id": "l1", "preset_id": "exam", "title": "T"}
    wave = (BytesIO(spoken_wav(1.0)), "talk.wav")
    assert (
        cut_off.post("/lectures/ingest", data=form | {"audio": wave}).status_code == 503
    )
    assert not [path for path in storage_dir.rglob("*") if path.is_file()]
