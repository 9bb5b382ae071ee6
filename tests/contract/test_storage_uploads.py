"""Sessions that take an object in pieces, whoever the pieces are sent to."""

import io

import pytest
import requests

from common.errors import AppError, Conflict, NotFound, TooLarge
from tests.loopback.gcs_faults import Fault

KIB, MIB = 1024, 1024 * 1024
CONTENT = bytes(range(256)) * (4 * KIB) * 18  # 18 MiB: three parts
TOTAL = len(CONTENT)
HALF = 8 * MIB  # a part of S3, a multiple of the 256 KiB of Cloud Storage
ORIGIN = "https://app.example"


class Uploading:
    """A client with one session."""

    def __init__(self, storage, content=CONTENT, key="audio/u1"):
        self.storage, self.content, self.key = storage, content, key
        self.session = storage.start_upload(
            key, size_bytes=len(content), content_type="audio/wav", origin=ORIGIN
        )

    @property
    def safe(self):
        return self.storage.uploaded_bytes(self.session, self.key)

    def send(self, start, stop):
        """Send a piece to where the storage wants it."""
        url = self.storage.upload_url(self.session)
        piece = self.content[start:stop]
        if url is None:
            source = io.BytesIO(piece)
            return self.storage.append(self.session, self.key, start, source)
        place = f"bytes {start}-{start + len(piece) - 1}/{len(self.content)}"
        return requests.put(url, piece, headers={"Content-Range": place}, timeout=10)

    def stored(self):
        with self.storage.read(self.key) as stream:
            return stream.read()


@pytest.fixture
def uploading(storage):
    return Uploading(storage)


def test_an_object_is_sent_in_pieces(uploading):
    assert uploading.safe == 0
    uploading.send(0, HALF)
    assert uploading.safe == HALF
    uploading.send(HALF, TOTAL)
    assert uploading.safe == TOTAL
    assert uploading.stored() == CONTENT


def test_a_small_object_is_sent_at_once(storage):
    small = Uploading(storage, b"sound")
    small.send(0, 5)
    assert (small.safe, small.stored()) == (5, b"sound")


def test_until_the_last_piece_there_is_no_object(uploading, storage):
    uploading.send(0, HALF)
    assert storage.size_bytes(uploading.key) is None


def test_two_sessions_do_not_mix(storage):
    first, second = Uploading(storage), Uploading(storage, b"other", "audio/u2")
    first.send(0, HALF)
    second.send(0, 5)
    assert (first.safe, second.stored()) == (HALF, b"other")


def test_a_session_that_was_given_up_is_over(uploading, storage):
    uploading.send(0, HALF)
    storage.abort_upload(uploading.session, uploading.key)
    with pytest.raises(NotFound):
        storage.uploaded_bytes(uploading.session, uploading.key)
    assert storage.size_bytes(uploading.key) is None


def test_giving_up_twice_is_harmless(uploading, storage):
    storage.abort_upload(uploading.session, uploading.key)
    storage.abort_upload(uploading.session, uploading.key)


def test_giving_up_late_keeps_the_object(storage):
    small = Uploading(storage, b"sound")
    small.send(0, 5)
    storage.abort_upload(small.session, small.key)
    assert small.stored() == b"sound"


def test_an_upload_never_replaces_an_object(storage):
    late = Uploading(storage, b"other")
    storage.write(late.key, io.BytesIO(b"sound"))
    try:
        late.send(0, 5)
    except AppError:
        assert storage.upload_url(late.session) is None
    assert late.stored() == b"sound"


@pytest.fixture(params=["local", "s3"])
def through_us(request):
    """Storages whose pieces come through our own API."""
    return request.getfixturevalue(request.param)


def test_a_piece_for_another_place_is_refused(through_us):
    upload = Uploading(through_us)
    upload.send(0, HALF)
    with pytest.raises(Conflict) as refusal:
        upload.send(0, HALF)
    assert refusal.value.code == "upload_offset"
    assert upload.safe == HALF


def test_more_bytes_than_announced_are_refused(through_us):
    upload = Uploading(through_us, b"sound")
    with pytest.raises(TooLarge):
        through_us.append(upload.session, upload.key, 0, io.BytesIO(b"sounds"))
    assert through_us.size_bytes(upload.key) is None


def test_an_unknown_session_takes_nothing(through_us):
    upload = Uploading(through_us)
    through_us.abort_upload(upload.session, upload.key)
    with pytest.raises(NotFound):
        upload.send(0, HALF)


def test_a_piece_that_breaks_off_is_safe_as_far_as_the_storage_says(through_us):
    upload = Uploading(through_us)
    safe = upload.send(0, HALF + 5)
    assert safe == upload.safe
    assert HALF <= safe <= HALF + 5
    upload.send(safe, TOTAL)
    assert upload.stored() == CONTENT


def test_s3_makes_the_object_though_the_last_sender_is_gone(s3, s3_bucket):
    upload = Uploading(s3, b"sound")
    server = s3_bucket[0]
    [begun] = server.uploads()
    server.client.upload_part(
        Bucket=server.bucket,
        Key=begun["Key"],
        UploadId=begun["UploadId"],
        PartNumber=1,
        Body=b"sound",
    )
    assert s3.size_bytes(upload.key) is None
    assert upload.safe == 5
    assert upload.stored() == b"sound"


def test_gcs_keeps_what_arrived_of_a_piece(gcs, gcs_server):
    upload = Uploading(gcs)
    gcs_server.faults.add(Fault(method="PUT", cut_after=3 * MIB + 5))
    with pytest.raises(requests.ConnectionError):
        upload.send(0, HALF)
    assert upload.safe == 3 * MIB
    upload.send(3 * MIB, TOTAL)
    assert upload.stored() == CONTENT


def test_gcs_holds_a_session_to_its_size(gcs):
    upload = Uploading(gcs)
    upload.content += b"more"
    assert upload.send(0, TOTAL + 4).status_code == 400
    assert upload.safe == 0


def test_gcs_takes_pieces_from_the_page_that_was_named(gcs):
    upload = Uploading(gcs, b"sound")
    asked = {"Access-Control-Request-Method": "PUT"}
    for page, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        reply = requests.options(
            upload.session, headers={"Origin": page} | asked, timeout=10
        )
        assert reply.headers.get("Access-Control-Allow-Origin") == allowed


def test_a_finished_session_that_gcs_has_forgotten_is_told_by_its_object(
    gcs, gcs_server
):
    upload = Uploading(gcs, b"sound")
    upload.send(0, 5)
    gcs_server.store.sessions.clear()
    assert upload.safe == 5


def test_gcs_takes_no_pieces_through_us(gcs):
    with pytest.raises(NotImplementedError):
        gcs.append("session", "a/b", 0, io.BytesIO())


def test_s3_keeps_no_parts_of_what_was_given_up(s3, s3_bucket):
    upload = Uploading(s3)
    upload.send(0, HALF)
    s3.abort_upload(upload.session, upload.key)
    assert s3_bucket[0].uploads() == []
