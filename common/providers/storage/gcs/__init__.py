"""Objects in a bucket of Google Cloud Storage."""

import base64
import io
from contextlib import suppress
from datetime import timedelta
from typing import Any, BinaryIO, Self

from google.cloud.storage import Blob

from common.errors import Conflict, NotFound, Unavailable
from common.providers.storage import StoredObject
from common.providers.storage.attachments import content_disposition
from common.providers.storage.gcs import sessions
from common.providers.storage.gcs.connection import (
    RETRY,
    TIMEOUT,
    Connection,
    crc32c,
    translated,
)
from common.providers.storage.gcs.signing import Signatory
from common.providers.storage.ranged import FIRST_BYTES, ranged
from common.providers.storage.sources import BrokenSourceError, Measured
from common.settings import Settings

_CHUNK_BYTES = 8 * 1024 * 1024  # a multiple of 256 KiB; what the vendor recommends
_TYPE = "application/octet-stream"  # whoever downloads is told the type by us


class GcsStorage:
    """Creates only: a precondition on each write keeps anything from being replaced."""

    def __init__(
        self, connection: Connection, signatory: Signatory, signed_url_seconds: int
    ) -> None:
        self._connection = connection
        self._signatory = signatory
        self._signed_url_seconds = signed_url_seconds

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the bucket that the settings name. Opens no connection."""
        connection = Connection(
            settings.gcs_bucket or "",
            settings.gcs_prefix.strip().strip("/"),
            settings.google_cloud_project,
        )
        signatory = Signatory(settings.signing_service_account)
        return cls(connection, signatory, settings.signed_url_seconds)

    def write(self, key: str, source: BinaryIO) -> StoredObject:  # noqa: D102
        crc = crc32c()
        measured = Measured(source, crc)
        try:
            self._send(key, measured)
        except BrokenSourceError as exc:
            raise exc.__cause__ or exc from None
        except Conflict:
            measured.read_to_end(_CHUNK_BYTES)
            if not self._is_stored(key, measured.size_bytes, crc.digest()):
                raise
        return StoredObject(key, measured.size_bytes, measured.sha256)

    def read(self, key: str) -> BinaryIO:  # noqa: D102
        found = self._blob(key)
        size: int = found.size
        blob = self._connection.blob(key, generation=found.generation)

        def fetch(start: int, stop: int) -> bytes:
            with translated(key):
                piece: bytes = blob.download_as_bytes(
                    start=start,
                    end=stop - 1,
                    raw_download=True,
                    checksum=None,  # there is none for a range: the stream has its own
                    timeout=TIMEOUT,
                    retry=RETRY,
                )
            return piece

        first = fetch(0, min(size, FIRST_BYTES)) if size else b""
        expected = base64.b64decode(found.crc32c)
        return ranged(size, first, fetch, crc32c(), expected)

    def size_bytes(self, key: str) -> int | None:  # noqa: D102
        with suppress(NotFound):
            size: int = self._blob(key).size
            return size
        return None

    def delete(self, key: str) -> bool:  # noqa: D102
        with suppress(NotFound), translated(key):
            self._connection.blob(key).delete(timeout=TIMEOUT, retry=RETRY)
            return True
        return False

    def uri(self, key: str) -> str:  # noqa: D102
        return f"gs://{self._connection.bucket_name}/{self._connection.name(key)}"

    def download_url(  # noqa: D102
        self, key: str, *, filename: str, content_type: str
    ) -> str | None:
        with translated(key):
            credentials = self._signatory.credentials
            if credentials is None:
                return None
            url: str = self._connection.blob(key).generate_signed_url(
                version="v4",
                expiration=timedelta(seconds=self._signed_url_seconds),
                method="GET",
                credentials=credentials,
                response_disposition=content_disposition(filename),
                response_type=content_type,
            )
        return url

    def start_upload(  # noqa: D102
        self, key: str, *, size_bytes: int, content_type: str, origin: str | None
    ) -> str:
        return self._open_session(key, size_bytes, content_type, origin)

    def put_url(  # noqa: D102
        self, key: str, *, content_type: str, origin: str | None
    ) -> str | None:
        return self._open_session(key, None, content_type, origin)

    def _open_session(
        self, key: str, size_bytes: int | None, content_type: str, origin: str | None
    ) -> str:
        with translated(key):
            session: str = self._connection.blob(key).create_resumable_upload_session(
                content_type=content_type,
                size=size_bytes,
                origin=origin,
                timeout=TIMEOUT,
                if_generation_match=0,
                retry=RETRY,
            )
        return session

    def upload_url(self, session: str) -> str | None:  # noqa: D102
        return session

    def uploaded_bytes(self, session: str, key: str) -> int:  # noqa: D102
        with translated(key):
            safe = sessions.safe_bytes(session)
        if safe is None:  # it ends with its object, and is forgotten some time later
            safe = self.size_bytes(key)
        if safe is None:
            raise NotFound("The upload session is over.", code="upload_missing")
        return safe

    def append(self, session: str, key: str, offset: int, source: BinaryIO) -> int:
        """Never called: the client sends to the session itself."""
        raise NotImplementedError("clients upload to the URL of the session")

    def abort_upload(self, session: str, key: str) -> None:  # noqa: D102
        with translated(key):
            sessions.cancel(session)

    def forget_leftovers(self, *, older_than: timedelta) -> int:  # noqa: ARG002
        """Do nothing: what is no object ends by itself, a session after a week."""
        return 0

    def _blob(self, key: str) -> Blob:
        """Return an object's present state."""
        with translated(key):
            blob = self._connection.blob(key)
            blob.reload(timeout=TIMEOUT, retry=RETRY)
            return blob

    def _is_stored(self, key: str, size_bytes: int, crc: bytes) -> bool:
        try:
            found = self._blob(key)
        except NotFound:
            text = f"Another writer was at work on {key!r}; try again."
            raise Unavailable(text) from None
        return (found.size, base64.b64decode(found.crc32c)) == (size_bytes, crc)

    def _send(self, key: str, source: Measured) -> None:
        """Upload at once what is small, in a resumable session what is not.

        Raises:
            BrokenSourceError: as ``Measured`` does; no object was made.
            Conflict: there is an object of this name; ``source`` may not be at its end.
            Unavailable: nothing was stored.
        """
        blob = self._connection.blob(key)
        if source.look_ahead(_CHUNK_BYTES) < _CHUNK_BYTES:
            blob.metadata = {"sha256": source.sha256}
            whole = io.BytesIO(source.read(_CHUNK_BYTES))
            self._upload(key, blob, whole, size=source.size_bytes)
            return
        blob.chunk_size = _CHUNK_BYTES
        self._upload(key, blob, source)
        blob.metadata = {"sha256": source.sha256}
        with suppress(Unavailable, NotFound), translated(key):  # it is whole without
            blob.patch(timeout=TIMEOUT, retry=RETRY)

    def _upload(
        self,
        key: str,
        blob: Blob,
        content: Any,  # noqa: ANN401 - Measured is no whole BinaryIO
        *,
        size: int | None = None,
    ) -> None:
        with translated(key):
            blob.upload_from_file(
                content,
                size=size,
                content_type=_TYPE,
                if_generation_match=0,
                checksum="crc32c",  # told to the server, which refuses damaged bytes
                timeout=TIMEOUT,
                retry=RETRY,
            )
