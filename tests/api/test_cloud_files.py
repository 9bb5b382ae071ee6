"""Exports, recordings and checks of a deployment whose files lie in a bucket."""

import tracemalloc
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
import requests

from common.exports import FORMATS
from tests import factories
from tests.api.guards import with_settings
from tests.buckets import gcs_storage, s3_server, s3_storage
from tests.conftest import make_api
from tests.loopback.gcs_faults import Fault
from tests.loopback.gcs_server import BUCKET, GcsServer

MIB = 1024 * 1024
CONTENT = bytes(range(256)) * 2048  # 512 KiB: two ranges of the bucket
SIZE = len(CONTENT)


@pytest.fixture(scope="module")
def gcs_server():
    with GcsServer() as server:
        yield server


@pytest.fixture(scope="module")
def s3_bucket():
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        yield server, s3_storage(server, patch)


@pytest.fixture
def gcs_deps(deps, gcs_server, monkeypatch, tmp_path):
    storage = gcs_storage(gcs_server, monkeypatch, tmp_path)
    fields = {"storage_mode": "gcs", "gcs_bucket": BUCKET}
    return replace(with_settings(deps, **fields), storage=storage)


@pytest.fixture
def s3_deps(deps, s3_bucket):
    server, storage = s3_bucket
    server.reset()
    fields = {"storage_mode": "s3", "s3_bucket": server.bucket}
    return replace(with_settings(deps, **fields), storage=storage)


@pytest.fixture(params=["gcs", "s3"])
def cloud_deps(request):
    return request.getfixturevalue(f"{request.param}_deps")


@pytest.fixture
def cloud(cloud_deps, db):
    """The API in front of a bucket that holds a recording and a PDF."""
    return filled(cloud_deps, db)


@pytest.fixture
def gcs(gcs_deps, db):
    return filled(gcs_deps, db)


@pytest.fixture
def s3(s3_deps, db):
    return filled(s3_deps, db)


def filled(deps, db) -> Any:
    made = factories.recording(db, size_bytes=SIZE)
    found = factories.lecture(db, recording_id=made.id)
    factories.media(deps.storage, found, CONTENT)
    exported = factories.export(db, export_type="pdf", size_bytes=SIZE)
    deps.storage.write(exported.object_key, BytesIO(CONTENT))
    return make_api(deps)


def test_an_export_in_gcs_comes_through_the_api(gcs):
    reply = gcs.get("/exports/l1/pdf")
    assert (reply.status_code, reply.data) == (200, CONTENT)
    assert reply.headers["Content-Type"] == FORMATS["pdf"].media_type
    assert reply.headers["Content-Disposition"] == "attachment; filename=l1.pdf"


@pytest.mark.parametrize(
    ("asked", "part", "place"),
    [
        ("bytes=0-9", CONTENT[:10], f"bytes 0-9/{SIZE}"),
        ("bytes=300000-300099", CONTENT[300000:300100], f"bytes 300000-300099/{SIZE}"),
        ("bytes=100-", CONTENT[100:], f"bytes 100-{SIZE - 1}/{SIZE}"),
        ("bytes=-4", CONTENT[-4:], f"bytes {SIZE - 4}-{SIZE - 1}/{SIZE}"),
    ],
)
def test_a_part_of_an_object_in_gcs_is_served(gcs, asked, part, place):
    reply = gcs.get("/exports/l1/pdf", headers={"Range": asked})
    assert (reply.status_code, reply.data) == (206, part)
    assert reply.headers["Content-Range"] == place


def test_a_range_behind_the_end_of_an_object_in_gcs_is_refused(gcs):
    reply = gcs.get("/exports/l1/pdf", headers={"Range": f"bytes={SIZE}-"})
    assert reply.status_code == 416


def test_an_export_in_s3_is_named_by_a_link(s3):
    reply = s3.get("/exports/l1/pdf")
    assert list(reply.json) == ["downloadUrl"]
    assert "X-Amz-Expires=900&" in reply.json["downloadUrl"]
    fetched = requests.get(reply.json["downloadUrl"], timeout=10)
    assert (fetched.status_code, fetched.content) == (200, CONTENT)
    assert fetched.headers["content-disposition"] == 'attachment; filename="l1.pdf"'
    assert fetched.headers["content-type"] == "application/pdf"


def test_a_recording_is_fetched_from_the_bucket_itself(cloud):
    reply = cloud.get("/lectures/l1/media")
    assert reply.status_code == 302
    assert reply.headers["Cache-Control"] == "no-store"
    fetched = requests.get(
        reply.headers["Location"], headers={"Range": "bytes=256-259"}, timeout=10
    )
    assert (fetched.status_code, fetched.content) == (206, CONTENT[256:260])
    assert fetched.headers["content-type"] == "audio/x-wav"


def test_how_long_a_recording_is_can_be_asked(cloud):
    reply = cloud.head("/lectures/l1/media")
    assert (reply.status_code, reply.content_length) == (200, SIZE)


def test_without_anybody_to_sign_a_recording_comes_through_the_api(gcs, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    reply = gcs.get("/lectures/l1/media", headers={"Range": "bytes=256-259"})
    assert (reply.status_code, reply.data) == (206, CONTENT[256:260])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/exports/l1/pdf", "Export file missing."),
        ("/lectures/l1/media", "Recording file missing."),
    ],
)
def test_an_object_that_is_gone_is_missed(cloud, cloud_deps, path, text):
    for check in cloud.get("/lectures/l1/integrity").json["checks"]:
        if check["exists"]:
            cloud_deps.storage.delete(check["path"].partition("/pegasus/")[2])
    reply = cloud.get(path)
    assert (reply.status_code, reply.json["detail"]) == (404, text)


def test_integrity_looks_into_the_bucket(cloud, cloud_deps):
    path = cloud_deps.storage.uri("exports/l1/run.1/pdf")
    checks = {
        check["kind"]: check
        for check in cloud.get("/lectures/l1/integrity").json["checks"]
    }
    assert checks["audio"]["state"] == checks["export:pdf"]["state"] == "ok"
    assert checks["export:pdf"]["path"] == path
    assert checks["transcript"]["state"] == "missing_reference"


@pytest.mark.parametrize("mode", ["gcs", "s3"])
def test_artifacts_have_links_in_s3_only(request, db, mode):
    deps = request.getfixturevalue(f"{mode}_deps")
    factories.lecture(db)
    row = factories.artifact(db)
    deps.storage.write(row.object_key, BytesIO(b'{"overview": 1}'))
    api: Any = make_api(deps)
    links = api.get("/lectures/l1/artifacts").json["artifactDownloadUrls"]
    assert list(links) == (["summary"] if mode == "s3" else [])
    for link in links.values():
        assert requests.get(link, timeout=10).json() == {"overview": 1}


def test_ready_when_the_bucket_answers(cloud):
    reply = cloud.get("/health/ready")
    assert (reply.status_code, reply.json["checks"]["storage"]["status"]) == (200, "ok")


def test_not_ready_when_gcs_is_down(gcs, gcs_server):
    gcs_server.faults.add(Fault(status=403, times=None))
    reply = gcs.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json["checks"]["storage"] == {
        "status": "error",
        "reason": "Storage does not answer: HTTP 403.",
    }


@pytest.mark.parametrize("mode", ["gcs", "s3"])
def test_not_ready_without_the_bucket(
    request, monkeypatch, deps, gcs_server, s3_bucket, tmp_path, mode
):
    if mode == "gcs":
        storage: Any = gcs_storage(
            gcs_server, monkeypatch, tmp_path, GCS_BUCKET="elsewhere"
        )
    else:
        storage = s3_storage(s3_bucket[0], monkeypatch, S3_BUCKET="elsewhere")
    reply: Any = make_api(replace(deps, storage=storage)).get("/health/ready")
    assert reply.json["checks"]["storage"] == {
        "status": "error",
        "reason": "The storage bucket does not exist.",
    }


def test_a_download_is_not_held_in_memory(gcs_deps, db):
    factories.lecture(db)
    row = factories.export(db, export_type="pdf", size_bytes=64 * MIB)
    gcs_deps.storage.write(row.object_key, BytesIO(bytes(64 * MIB)))
    api: Any = make_api(gcs_deps)
    tracemalloc.start()
    try:
        reply = api.get("/exports/l1/pdf", buffered=False)
        assert sum(len(piece) for piece in reply.response) == 64 * MIB
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 28 * MIB
