"""Storages in buckets on loopback: the real clients, set up as a deployment does."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from common.providers.storage.gcs import GcsStorage
from common.providers.storage.s3 import S3Storage
from common.settings import Settings
from tests.loopback.gcs_server import BUCKET, GcsServer

REGION = "eu-west-1"


def settings_for(mode: str, **values: Any) -> Settings:
    """Return the settings of a deployment whose files lie in a bucket."""
    return Settings(
        DATABASE_URL="postgresql+pg8000://nobody@127.0.0.1/none",
        PEGASUS_INTERNAL_SECRET="s" * 32,
        STORAGE_MODE=mode,
        **values,
    )


def gcs_storage(
    server: GcsServer, monkeypatch: pytest.MonkeyPatch, folder: Path, **values: Any
) -> GcsStorage:
    """Empty the server and return the storage in its bucket, with a key to sign."""
    server.reset()
    key = folder / "key.json"
    key.write_text(json.dumps(server.credentials()))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    given = {"GCS_BUCKET": BUCKET} | values
    return GcsStorage.from_settings(settings_for("gcs", **given))


@dataclass(frozen=True)
class S3Server:
    """An S3 on loopback. ``client`` is the vendor's, to look at it from beside."""

    url: str
    client: Any
    bucket: str = "pegasus-test"

    def reset(self) -> None:
        """Empty the bucket."""
        for page in self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket
        ):
            for found in page.get("Contents", []):
                self.client.delete_object(Bucket=self.bucket, Key=found["Key"])
        for found in self.uploads():
            self.client.abort_multipart_upload(
                Bucket=self.bucket, Key=found["Key"], UploadId=found["UploadId"]
            )

    def uploads(self) -> list[Any]:
        """Return the uploads in parts that are neither complete nor aborted."""
        found = self.client.list_multipart_uploads(Bucket=self.bucket)
        return list(found.get("Uploads", []))


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run one in a process of its own: it keeps all objects in memory."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            _wait_for(port)
            yield _with_bucket(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.05)
    raise TimeoutError("the S3 server does not start")


def _with_bucket(url: str) -> S3Server:
    client = boto3.session.Session().client(
        "s3",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="loopback",
        aws_secret_access_key="secret",
        config=Config(signature_version="s3v4"),
    )
    server = S3Server(url, client)
    client.create_bucket(
        Bucket=server.bucket,
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    return server


def s3_storage(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, **values: Any
) -> S3Storage:
    """Return the storage in the server's bucket; its client costs 0.2 s once.

    The credentials are read now; the environment need not keep them.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "loopback")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    storage = S3Storage.from_settings(s3_settings(server, **values))
    assert storage._client  # noqa: SLF001 - made when it is first asked for
    return storage


def s3_settings(server: S3Server, **values: Any) -> Settings:
    """Return the settings of a deployment with the server's bucket."""
    own = {"S3_BUCKET": server.bucket, "S3_ENDPOINT_URL": server.url}
    return settings_for("s3", **(own | {"AWS_REGION": REGION} | values))
