"""What only buckets can do, and how their failures are told: the real clients."""

import base64
import io
import os
import socket
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import google.auth
import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import Request

from common.errors import Conflict, NotFound, Unavailable
from common.providers.storage import Storage
from common.providers.storage.gcs import GcsStorage, connection
from common.providers.storage.gcs.signing import IamCredentials, Signatory
from common.providers.storage.s3 import S3Storage
from tests.buckets import (
    REGION,
    gcs_storage,
    s3_settings,
    s3_storage,
    settings_for,
)
from tests.loopback.gcs_faults import Fault
from tests.loopback.gcs_server import BUCKET
from tests.loopback.gcs_signing import EMAIL

MIB = 1024 * 1024
LARGE = os.urandom(17 * MIB)  # three chunks or parts
NAMED = {"filename": "Überblick 1.md", "content_type": "text/markdown; charset=utf-8"}


def patience(monkeypatch, seconds):
    """Have the vendor's client wait little between its tries."""
    short = connection.RETRY.with_delay(0.01, 0.02).with_timeout(seconds)
    for module in ("", ".sessions"):
        monkeypatch.setattr(f"common.providers.storage.gcs{module}.RETRY", short)


@pytest.fixture
def hasty(monkeypatch):
    """The vendor's client tries again at once."""
    patience(monkeypatch, 6.0)


@pytest.fixture
def curt(monkeypatch):
    """The vendor's client gives up after a few tries."""
    patience(monkeypatch, 0.1)


@pytest.fixture
def nowhere():
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture(params=["gcs", "s3"])
def bucket(request):
    return request.getfixturevalue(request.param)


class Broken(io.RawIOBase):
    """Fails once its bytes are read; asked again, it seems to be at its end."""

    def __init__(self, size):
        self.left, self.failed = size, False

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.left and not self.failed:
            self.failed = True
            raise ConnectionResetError("the client is gone")
        count = min(len(buffer), self.left)
        self.left -= count
        return count


def content(storage, key="a/b"):
    with storage.read(key) as stream:
        return stream.read()


def described(storage, request, key="a/b"):
    """Return what the bucket keeps beside the bytes."""
    if isinstance(storage, GcsStorage):
        stored = request.getfixturevalue("gcs_server").store.get(
            BUCKET, f"pegasus/{key}"
        )
        return stored.resource["metadata"]
    server = request.getfixturevalue("s3_bucket")[0]
    return server.client.head_object(Bucket=server.bucket, Key=f"pegasus/{key}")[
        "Metadata"
    ]


# Writing and reading


@pytest.mark.parametrize("size", [0, 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB])
def test_objects_of_every_length_come_back(bucket, request, size):
    stored = bucket.write("a/b", io.BytesIO(LARGE[:size]))
    assert stored.sha256 == sha256(LARGE[:size]).hexdigest()
    assert described(bucket, request) == {"sha256": stored.sha256}
    assert content(bucket) == LARGE[:size]


def test_a_large_object_is_never_replaced(bucket):
    bucket.write("a/b", io.BytesIO(LARGE))
    bucket.write("a/b", io.BytesIO(LARGE))
    with pytest.raises(Conflict):
        bucket.write("a/b", io.BytesIO(LARGE[:-1] + b"?"))
    assert content(bucket) == LARGE


def test_a_large_object_can_be_read_from_any_place(bucket):
    bucket.write("a/b", io.BytesIO(LARGE))
    with bucket.read("a/b") as stream:
        for place in (16 * MIB, 5, 300_000, 8 * MIB - 3, 0):
            stream.seek(place)
            assert stream.read(70_000) == LARGE[place : place + 70_000]
        stream.seek(-7, io.SEEK_END)
        assert stream.read() == LARGE[-7:]
        assert stream.read() == b""


@pytest.mark.parametrize("size", [5, 9 * MIB])
def test_a_source_that_breaks_off_is_no_object(bucket, size):
    with pytest.raises(ConnectionResetError):
        bucket.write("a/b", Broken(size))
    assert bucket.size_bytes("a/b") is None


def test_a_source_that_breaks_off_leaves_no_parts(s3, s3_bucket):
    with pytest.raises(ConnectionResetError):
        s3.write("a/b", Broken(9 * MIB))
    assert s3_bucket[0].uploads() == []


def test_objects_are_named_by_their_address(gcs, s3):
    assert gcs.uri("a/b") == "gs://pegasus-test/pegasus/a/b"
    assert s3.uri("a/b") == "s3://pegasus-test/pegasus/a/b"


@pytest.mark.parametrize("mode", ["gcs", "s3"])
def test_a_bucket_that_is_not_there_is_an_outage(
    monkeypatch, tmp_path, gcs_server, s3_bucket, mode
):
    made: dict[str, Callable[[], Storage]] = {
        "gcs": lambda: gcs_storage(
            gcs_server, monkeypatch, tmp_path, GCS_BUCKET="elsewhere"
        ),
        "s3": lambda: s3_storage(s3_bucket[0], monkeypatch, S3_BUCKET="elsewhere"),
    }
    storage = made[mode]()
    for use in (storage.size_bytes, storage.read, storage.delete):
        with pytest.raises(Unavailable, match="bucket does not exist"):
            use("a/b")
    with pytest.raises(Unavailable, match="bucket does not exist"):
        storage.write("a/b", io.BytesIO(b"x"))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({"AWS_REGION": "eu-west-1", "S3_REGION": "eu-west-3"}, "eu-west-1"),
        ({"AWS_REGION": None, "S3_REGION": "eu-west-3"}, "eu-west-3"),
    ],
)
def test_the_region_is_that_of_aws_first(s3_bucket, monkeypatch, given, used):
    storage = s3_storage(s3_bucket[0], monkeypatch, **given)
    url = storage.download_url("a/b", **NAMED)
    assert f"%2F{used}%2Fs3%2F" in str(url)


# Faults


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize("size", [5, 17 * MIB])
def test_a_hiccup_is_not_noticed(gcs, gcs_server, hasty, status, size):
    gcs_server.faults.add(Fault(status=status, times=2))
    gcs.write("a/b", io.BytesIO(LARGE[:size]))
    gcs_server.faults.add(Fault(status=status, times=2))
    assert content(gcs) == LARGE[:size]


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"status": 403}])
def test_an_outage_is_told_and_not_waited_for(gcs, gcs_server, curt, fault):
    gcs_server.faults.add(Fault(times=None, **fault))
    uses = (
        lambda: gcs.write("a/b", io.BytesIO(b"x")),
        lambda: gcs.read("a/b"),
        lambda: gcs.size_bytes("a/b"),
        lambda: gcs.delete("a/b"),
        lambda: gcs.uploaded_bytes(f"{gcs_server.url}/upload/x", "a/b"),
        lambda: gcs.abort_upload(f"{gcs_server.url}/upload/x", "a/b"),
    )
    started = time.monotonic()
    for use in uses:
        with pytest.raises(Unavailable, match=f"HTTP {fault['status']}"):
            use()
    assert time.monotonic() - started < 6


def test_nobody_listening_is_an_outage(monkeypatch, curt, s3_bucket, nowhere):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", nowhere)
    gcs = GcsStorage.from_settings(settings_for("gcs", GCS_BUCKET=BUCKET))
    s3 = s3_storage(s3_bucket[0], monkeypatch, S3_ENDPOINT_URL=nowhere)
    for storage in (gcs, s3):
        with pytest.raises(Unavailable, match="does not answer: "):
            storage.size_bytes("a/b")


def test_a_cut_in_the_middle_of_an_upload_is_mended(gcs, gcs_server, hasty):
    gcs_server.faults.add(
        Fault(method="PUT", cut_after=3 * MIB), Fault(method="PUT", lose_answer=True)
    )
    gcs.write("a/b", io.BytesIO(LARGE))
    assert content(gcs) == LARGE


@pytest.mark.parametrize("size", [5, 17 * MIB])
def test_a_lost_answer_is_no_conflict(gcs, gcs_server, hasty, size):
    gcs_server.faults.add(Fault(lose_answer=True, on="/upload/"))
    gcs.write("a/b", io.BytesIO(LARGE[:size]))
    assert content(gcs) == LARGE[:size]


@pytest.mark.parametrize("size", [5, 17 * MIB])
def test_bytes_that_are_damaged_on_their_way_in_are_refused(gcs, gcs_server, size):
    gcs_server.faults.add(Fault(on="uploadType=multipart", damage=True))
    gcs_server.faults.add(Fault(method="PUT", damage=True))
    with pytest.raises(Unavailable):
        gcs.write("a/b", io.BytesIO(LARGE[:size]))
    assert gcs.size_bytes("a/b") is None


def test_a_cut_in_the_middle_of_a_download_is_mended(gcs, gcs_server, hasty):
    gcs.write("a/b", io.BytesIO(LARGE))
    gcs_server.faults.add(Fault(on="alt=media", cut_after=100_000, times=3))
    assert content(gcs) == LARGE


def test_bytes_that_are_damaged_on_their_way_out_are_noticed(gcs, gcs_server):
    for size in (5, 17 * MIB):
        gcs.write(f"a/{size}", io.BytesIO(LARGE[:size]))
        gcs_server.faults.add(Fault(on="alt=media", damage=True))
        with pytest.raises(Unavailable, match="damaged"):
            content(gcs, f"a/{size}")


def test_a_conflict_with_nothing_is_to_be_tried_again(gcs, gcs_server):
    gcs_server.faults.add(Fault(status=412))
    with pytest.raises(Unavailable, match="Another writer"):
        gcs.write("a/b", io.BytesIO(b"sound"))


def test_an_object_that_vanishes_under_its_reader_is_missing(bucket):
    bucket.write("a/b", io.BytesIO(LARGE))
    with bucket.read("a/b") as stream:
        bucket.delete("a/b")
        with pytest.raises(NotFound):
            stream.read()


def test_no_failure_tells_the_address_of_a_session(gcs, curt, caplog, nowhere):
    caplog.set_level("INFO")
    session = f"{nowhere}/upload?upload_id=credential"
    with pytest.raises(Unavailable) as failure:
        gcs.uploaded_bytes(session, "a/b")
    told = "".join(traceback.format_exception(failure.value))
    assert "credential" not in told + caplog.text


# Signed URLs


def signed(storage):
    storage.write("a/b", io.BytesIO(b"sound"))
    return storage.download_url("a/b", **NAMED)


def test_anybody_may_fetch_by_a_signed_url(bucket):
    reply = requests.get(signed(bucket), timeout=10)
    assert (reply.status_code, reply.content) == (200, b"sound")
    assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
    assert reply.headers["content-disposition"] == (
        'attachment; filename="_berblick 1.md"; '
        "filename*=UTF-8''%C3%9Cberblick%201.md"
    )


def test_an_object_is_not_fetched_without_a_signature(bucket):
    reply = requests.get(signed(bucket).partition("?")[0], timeout=10)
    assert reply.status_code == 403


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("a/b?", "a/c?"),
        ("X-Goog-Expires=900", "X-Goog-Expires=90000"),
        ("markdown", "html"),
        ("attachment", "inline"),
    ],
)
def test_a_url_that_was_changed_is_refused(gcs, part, other):
    url = signed(gcs)
    gcs.write("a/c", io.BytesIO(b"secret"))
    assert part in url
    reply = requests.get(url.replace(part, other), timeout=10)
    assert (reply.status_code, b"secret" in reply.content) == (403, False)


def test_a_signed_url_ends_when_it_should(gcs, gcs_server, monkeypatch):
    url = signed(gcs)
    now = datetime.now(UTC).timestamp()
    for later, status in ((890, 200), (910, 400)):
        monkeypatch.setattr(gcs_server, "clock", lambda later=later: now + later)
        assert requests.get(url, timeout=10).status_code == status


class OnLoopback(requests.adapters.HTTPAdapter):
    """Sends what is meant for Google to the server on loopback."""

    def __init__(self, url):
        super().__init__()
        self.url = url

    def send(self, request, *args, **options):
        request.url = self.url + request.path_url
        return super().send(request, *args, **options)


class CloudRun(AnonymousCredentials):
    """A token without a key, as the metadata server gives; the name comes with it."""

    service_account_email = "default"

    def before_request(self, request, method, url, headers):
        headers["authorization"] = "Bearer token"

    def refresh(self, request):
        self.service_account_email = EMAIL


@pytest.fixture
def keyless(gcs, gcs_server, monkeypatch):
    """The storage of a process that has no key but may ask IAM to sign."""
    monkeypatch.setattr(google.auth, "default", lambda _scopes: (CloudRun(), None))
    session = requests.Session()
    session.mount("https://iamcredentials.googleapis.com", OnLoopback(gcs_server.url))

    def storage(email):
        signatory = Signatory(email, Request(session))
        return GcsStorage(gcs._connection, signatory, 900)  # noqa: SLF001

    yield storage
    session.close()


@pytest.mark.parametrize("email", [None, EMAIL])
def test_without_a_key_iam_signs(keyless, email):
    storage = keyless(email)
    assert requests.get(signed(storage), timeout=10).content == b"sound"
    assert isinstance(storage._signatory.credentials, IamCredentials)  # noqa: SLF001


def test_an_account_that_we_may_not_sign_for_is_an_outage(keyless):
    with pytest.raises(Unavailable, match="TransportError"):
        signed(keyless("other@loopback.iam.gserviceaccount.com"))


def test_s3_urls_last_as_long_as_is_set(s3, s3_bucket, monkeypatch):
    storage = s3_storage(s3_bucket[0], monkeypatch, PEGASUS_SIGNED_URL_SECONDS=60)
    assert "X-Amz-Expires=60&" in signed(storage)
    assert f"%2F{REGION}%2F" in signed(storage)


def test_without_credentials_s3_signs_nothing(s3_bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    storage = S3Storage.from_settings(s3_settings(s3_bucket[0]))
    with pytest.raises(Unavailable, match="NoCredentialsError"):
        storage.download_url("a/b", **NAMED)


def test_the_crc_is_the_one_that_the_bucket_keeps(gcs, gcs_server):
    gcs.write("a/b", io.BytesIO(b"sound"))
    crc = connection.crc32c()
    crc.update(b"sound")
    kept = gcs_server.store.get(BUCKET, "pegasus/a/b").resource["crc32c"]
    assert base64.b64decode(kept) == crc.digest()
