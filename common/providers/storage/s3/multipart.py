"""Uploads in parts: of large objects, and of clients that send piece by piece."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from common.errors import AppError, NotFound
from common.providers.storage.s3.connection import Connection, translated

PART_BYTES = 8 * 1024 * 1024  # at least 5 MiB; 10,000 of them are 80 GB

Part = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """One upload that has begun, and the object that it will be."""

    connection: Connection
    key: str
    name: str

    @classmethod
    def begin(
        cls, connection: Connection, key: str, content_type: str, **described: str
    ) -> Self:
        """Open an upload; ``described`` is kept with the object."""
        with translated(key):
            reply = connection.client.create_multipart_upload(
                **connection.place(key), ContentType=content_type, Metadata=described
            )
        return cls(connection, key, reply["UploadId"])

    def parts(self) -> list[Part]:
        """Return the parts that are safe, in order.

        Raises:
            NotFound: the upload is over (``upload_missing``).
        """
        pages = self.connection.client.get_paginator("list_parts")
        with translated(self.key):
            return [
                part
                for page in pages.paginate(**self._where())
                for part in page.get("Parts", [])
            ]

    def add(self, number: int, piece: bytes) -> Part:
        """Make one part safe; its checksum goes with it and is compared."""
        # The library's requests are garbage in cycles; closed, they hold no piece.
        with translated(self.key), io.BytesIO(piece) as body:
            reply = self.connection.client.upload_part(
                **self._where(), PartNumber=number, Body=body
            )
        return {"Size": len(piece), "PartNumber": number} | {
            name: value
            for name, value in reply.items()
            if name == "ETag" or name.startswith("Checksum")
        }

    def complete(self, parts: list[Part]) -> None:
        """Make the parts an object.

        Raises:
            Conflict: there is an object of this name.
            NotFound: the upload is over; if an answer got lost, this was the reason.
        """
        named = [{k: v for k, v in part.items() if _is_named(k)} for part in parts]
        with translated(self.key):
            self.connection.client.complete_multipart_upload(
                **self._where(), MultipartUpload={"Parts": named}, IfNoneMatch="*"
            )

    def abort(self) -> None:
        """Have the parts forgotten; an unknown upload is harmless."""
        with suppress(NotFound), translated(self.key):
            self.connection.client.abort_multipart_upload(**self._where())

    @contextmanager
    def aborted_on_failure(self) -> Iterator[None]:
        """Leave no parts behind, which would be paid for month by month."""
        whole = False
        try:
            yield
            whole = True
        finally:
            if not whole:
                with suppress(AppError):  # what went wrong first is what counts
                    self.abort()

    def _where(self) -> dict[str, str]:
        return self.connection.place(self.key) | {"UploadId": self.name}


def begun_uploads(connection: Connection) -> Iterator[tuple[Upload, datetime]]:
    """Yield our uploads that are neither complete nor aborted, and when they began."""
    ours = {"Bucket": connection.bucket, "Prefix": connection.name("")}
    pages = connection.client.get_paginator("list_multipart_uploads")
    with translated(""):
        for page in pages.paginate(**ours):
            for found in page.get("Uploads", []):
                key = found["Key"].removeprefix(connection.name(""))
                yield Upload(connection, key, found["UploadId"]), found["Initiated"]


def _is_named(field: str) -> bool:
    """Return whether a completion repeats this field of a part."""
    return field in ("PartNumber", "ETag") or (
        field.startswith("Checksum") and field != "ChecksumType"
    )
