"""Every storage, empty. The servers behind them run until all contracts are checked."""

import pytest

from common.providers.storage.local import LocalStorage
from tests.buckets import gcs_storage, s3_server, s3_storage
from tests.loopback.gcs_server import GcsServer


@pytest.fixture(scope="session")
def gcs_server():
    with GcsServer() as server:
        yield server


@pytest.fixture(scope="session")
def s3_bucket():
    """The server and one storage for all tests: its client is slow to make."""
    with s3_server() as server:
        with pytest.MonkeyPatch.context() as patch:
            storage = s3_storage(server, patch)
        yield server, storage


@pytest.fixture
def local(tmp_path):
    return LocalStorage(tmp_path / "objects")


@pytest.fixture
def gcs(gcs_server, monkeypatch, tmp_path):
    return gcs_storage(gcs_server, monkeypatch, tmp_path)


@pytest.fixture
def s3(s3_bucket):
    server, storage = s3_bucket
    server.reset()
    return storage


@pytest.fixture(params=["local", "gcs", "s3"])
def storage(request):
    """One of the storages, empty."""
    return request.getfixturevalue(request.param)
