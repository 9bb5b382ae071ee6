"""Objects in a bucket of S3, or of a server that speaks as S3 does."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, BinaryIO, Self

from botocore.exceptions import ClientError

from common.errors import Conflict, NotFound, TooLarge, Unavailable
from common.providers.storage import StoredObject
from common.providers.storage.attachments import content_disposition
from common.providers.storage.ranged import FIRST_BYTES, ranged
from common.providers.storage.s3.connection import Connection, translated
from common.providers.storage.s3.multipart import (
    PART_BYTES,
    Part,
    Upload,
    begun_uploads,
)
from common.providers.storage.sources import BrokenSourceError, Measured
from common.settings import Settings

_TYPE = "application/octet-stream"  # whoever downloads is told the type by us
_FETCH_TRIES = 2  # the vendor's client does not repeat what breaks off in the middle


class S3Storage:
    """Creates only: a condition on each write keeps anything from being replaced."""

    def __init__(self, connection: Connection, signed_url_seconds: int) -> None:
        self._connection = connection
        self._signed_url_seconds = signed_url_seconds

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the bucket that the settings name. Opens no connection."""
        connection = Connection(
            settings.s3_bucket or "",
            settings.s3_prefix.strip().strip("/"),
            settings.aws_region or settings.s3_region,
            settings.s3_endpoint_url,
        )
        return cls(connection, settings.signed_url_seconds)

    def write(self, key: str, source: BinaryIO) -> StoredObject:  # noqa: D102
        measured = Measured(source)
        try:
            self._send(key, measured)
        except BrokenSourceError as exc:
            raise exc.__cause__ or exc from None
        except (Conflict, NotFound):  # there is one, or the first answer got lost
            if not self._is_stored(key, measured):
                raise
        return StoredObject(key, measured.size_bytes, measured.sha256)

    def read(self, key: str) -> BinaryIO:  # noqa: D102
        found, first = self._range(key, 0, FIRST_BYTES)
        size = int(found["ContentRange"].rpartition("/")[2]) if first else 0
        expected = found.get("Metadata", {}).get("sha256")

        def fetch(start: int, stop: int) -> bytes:
            _found, piece = self._range(key, start, stop, IfMatch=found["ETag"])
            return piece

        known = bytes.fromhex(expected) if expected else None
        return ranged(size, first, fetch, sha256(), known)

    def size_bytes(self, key: str) -> int | None:  # noqa: D102
        with suppress(NotFound):
            size: int = self._head(key)["ContentLength"]
            return size
        return None

    def delete(self, key: str) -> bool:  # noqa: D102
        if self.size_bytes(key) is None:  # the deletion itself does not tell
            return False
        with translated(key):
            self._client.delete_object(**self._connection.place(key))
        return True

    def uri(self, key: str) -> str:  # noqa: D102
        return f"s3://{self._connection.bucket}/{self._connection.name(key)}"

    def download_url(  # noqa: D102
        self, key: str, *, filename: str, content_type: str
    ) -> str | None:
        given = self._connection.place(key) | {
            "ResponseContentDisposition": content_disposition(filename),
            "ResponseContentType": content_type,
        }
        with translated(key):
            url: str = self._client.generate_presigned_url(
                "get_object", Params=given, ExpiresIn=self._signed_url_seconds
            )
        return url

    def start_upload(  # noqa: D102
        self,
        key: str,
        *,
        size_bytes: int,
        content_type: str,
        origin: str | None,  # noqa: ARG002 - our API is what pages speak to
    ) -> str:
        if self.size_bytes(key) is not None:
            raise Conflict(f"Something is stored as {key!r}.", code="object_exists")
        upload = Upload.begin(self._connection, key, content_type)
        return f"{size_bytes}:{upload.name}"

    def put_url(  # noqa: D102
        self,
        key: str,  # noqa: ARG002
        *,
        content_type: str,  # noqa: ARG002
        origin: str | None,  # noqa: ARG002
    ) -> str | None:
        return None  # whoever had such a URL could replace the object

    def upload_url(self, session: str) -> str | None:  # noqa: ARG002, D102
        return None

    def uploaded_bytes(self, session: str, key: str) -> int:  # noqa: D102
        upload, total = self._opened(session, key)
        try:
            parts = upload.parts()
        except NotFound:
            size = self.size_bytes(key)  # it ends with its object
            if size is None:
                raise
            return size
        safe = _bytes_in(parts)
        if parts and safe == total:  # whoever sent the last part is gone
            self._complete(upload, parts, total)
        return safe

    def append(self, session: str, key: str, offset: int, source: BinaryIO) -> int:
        """Make whole parts safe, and the last one however short it is.

        Bytes that do not fill a part are lost: S3 keeps no shorter ones.
        """
        upload, total = self._opened(session, key)
        parts = upload.parts()
        if offset != (safe := _bytes_in(parts)):
            text = f"The upload stands at {safe} bytes."
            raise Conflict(text, code="upload_offset")
        measured = Measured(source)
        while safe < total or not parts:
            wanted = min(PART_BYTES, total - safe)
            piece = _read(measured, wanted)
            if len(piece) < wanted:
                return safe
            if safe + wanted == total and _read(measured, 1):
                raise TooLarge("More bytes than the upload was opened for.")
            parts.append(upload.add(len(parts) + 1, piece))
            safe += wanted
        self._complete(upload, parts, total)
        return safe

    def abort_upload(self, session: str, key: str) -> None:  # noqa: D102
        upload, _total = self._opened(session, key)
        upload.abort()

    def forget_leftovers(self, *, older_than: timedelta) -> int:  # noqa: D102
        before = datetime.now(UTC) - older_than
        left = [one for one, begun in begun_uploads(self._connection) if begun < before]
        for upload in left:
            upload.abort()
        return len(left)

    @property
    def _client(self) -> Any:  # noqa: ANN401 - made by the vendor at run time
        return self._connection.client

    def _opened(self, session: str, key: str) -> tuple[Upload, int]:
        total, _, name = session.partition(":")
        return Upload(self._connection, key, name), int(total)

    def _complete(self, upload: Upload, parts: list[Part], total: int) -> None:
        """Make the object; that it is there already is as good."""
        try:
            upload.complete(parts)
        except (Conflict, NotFound):
            if self.size_bytes(upload.key) != total:
                raise

    def _head(self, key: str) -> Any:  # noqa: ANN401 - the vendor's, untyped
        """Return what is known of an object.

        Raises:
            NotFound: there is none, in a bucket that is there.
        """
        try:
            with translated(key):
                return self._client.head_object(**self._connection.place(key))
        except NotFound:
            self._need_bucket()
            raise

    def _need_bucket(self) -> None:
        """Tell a missing bucket, which a HEAD does not tell from a missing object."""
        try:
            with translated(""):
                self._client.head_bucket(Bucket=self._connection.bucket)
        except NotFound:
            raise Unavailable("The storage bucket does not exist.") from None

    def _range(
        self, key: str, start: int, stop: int, **conditions: str
    ) -> tuple[dict[str, Any], bytes]:
        """Return what is known of an object, and a range of it; of an empty one none.

        Raises:
            NotFound: there is no such object.
            Unavailable: it broke off each time.
        """
        failure = Unavailable()
        for _ in range(_FETCH_TRIES):
            try:
                return self._fetch(key, start, stop, conditions)
            except Unavailable as exc:
                failure = exc
        raise failure

    def _fetch(
        self, key: str, start: int, stop: int, conditions: dict[str, str]
    ) -> tuple[dict[str, Any], bytes]:
        asked = self._connection.place(key) | conditions
        asked["Range"] = f"bytes={start}-{stop - 1}"
        with translated(key):
            try:
                found = self._client.get_object(**asked)
            except ClientError as exc:
                if exc.response["Error"].get("Code") == "InvalidRange":
                    return {}, b""
                raise
            with found["Body"] as body:
                return found, body.read()

    def _is_stored(self, key: str, wanted: Measured) -> bool:
        try:
            found = self._head(key)
        except NotFound:
            text = f"Another writer was at work on {key!r}; try again."
            raise Unavailable(text) from None
        if found["ContentLength"] != wanted.size_bytes:
            return False
        known = found.get("Metadata", {}).get("sha256")
        return (known or self._sum(key)) == wanted.sha256

    def _sum(self, key: str) -> str:
        """Return the sum of an object that was described before it was known."""
        with self.read(key) as stream:
            measured = Measured(stream)
            measured.read_to_end(PART_BYTES)
        return measured.sha256

    def _send(self, key: str, source: Measured) -> None:
        """Upload at once what is small, in parts what is not.

        Raises:
            BrokenSourceError: as ``Measured`` does; no object was made.
            Conflict: there is an object of this name.
            Unavailable: nothing was stored.
        """
        if source.look_ahead(PART_BYTES) == PART_BYTES:
            self._send_parts(key, source)
            return
        with translated(key):
            self._client.put_object(
                **self._connection.place(key),
                Body=source.read(PART_BYTES),
                ContentType=_TYPE,
                Metadata={"sha256": source.sha256},
                IfNoneMatch="*",
            )

    def _send_parts(self, key: str, source: Measured) -> None:
        whole = source.whole_sha256(PART_BYTES)
        described = {"sha256": whole} if whole else {}
        upload = Upload.begin(self._connection, key, _TYPE, **described)
        with upload.aborted_on_failure():
            parts: list[Part] = []
            while piece := source.read(PART_BYTES):
                parts.append(upload.add(len(parts) + 1, piece))
                del piece  # before the next one comes: not two at a time
            upload.complete(parts)


def _bytes_in(parts: list[Part]) -> int:
    return sum(part["Size"] for part in parts)


def _read(source: Measured, size: int) -> bytes:
    try:
        return source.read(size)
    except BrokenSourceError as exc:
        raise exc.__cause__ or exc from None
