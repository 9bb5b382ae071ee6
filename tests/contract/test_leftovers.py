"""What died with its process goes some day; what is alive or an object stays."""

import io
from datetime import timedelta

NOW = timedelta(0)
LONG = timedelta(days=20_000)  # an S3 on loopback dates all uploads 2010


def begin(storage):
    return storage.start_upload(
        "a/b", size_bytes=5, content_type="audio/wav", origin=None
    )


def test_nothing_that_may_be_alive_is_removed(storage):
    session = begin(storage)
    assert storage.forget_leftovers(older_than=LONG) == 0
    assert storage.uploaded_bytes(session, "a/b") == 0


def test_objects_stay(storage):
    storage.write("a/b", io.BytesIO(b"sound"))
    assert storage.forget_leftovers(older_than=NOW) == 0
    assert storage.size_bytes("a/b") == 5


def test_a_folder_forgets_sessions_and_halves_of_writes(local, tmp_path):
    begin(local)
    half = tmp_path / "objects" / ".incoming" / "half"
    half.parent.mkdir()
    half.touch()
    assert local.forget_leftovers(older_than=NOW) == 2
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_s3_forgets_its_own_uploads_in_parts_only(s3, s3_bucket):
    begin(s3)
    server = s3_bucket[0]
    other = {"Bucket": server.bucket, "Key": "elsewhere/a"}
    server.client.create_multipart_upload(**other)
    assert s3.forget_leftovers(older_than=NOW) == 1
    assert [found["Key"] for found in server.uploads()] == ["elsewhere/a"]
