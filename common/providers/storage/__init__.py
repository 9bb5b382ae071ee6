"""Where bytes live."""

from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Protocol, assert_never

from common.settings import Settings


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that is wholly there. ``sha256`` is lower-case hex."""

    key: str
    size_bytes: int
    sha256: str


class Storage(Protocol):
    """Keep and return objects by key (``common.object_keys`` makes the keys)."""

    def write(self, key: str, source: BinaryIO) -> StoredObject:
        """Store what ``source`` still holds, in pieces; readers see all of it or none.

        An object is written once. Writing the same bytes again is harmless.

        Raises:
            Conflict: other bytes are stored under this key.
            Unavailable: the storage cannot be reached or is full; nothing was stored.
        """

    def read(self, key: str) -> BinaryIO:
        """Return a seekable stream; the caller closes it.

        Raises:
            NotFound: there is no such object (``object_missing``); of a bucket also
                later, while a large one is read that somebody deletes.
            Unavailable: the storage cannot be reached, or what came is damaged; of a
                bucket also later, while it is read.
        """

    def size_bytes(self, key: str) -> int | None:
        """Return the object's size, None if there is no such object."""

    def delete(self, key: str) -> bool:
        """Remove the object; return False if there was none."""

    def uri(self, key: str) -> str:
        """Return how people name the object: a path, ``gs://…`` or ``s3://…``."""

    def download_url(self, key: str, *, filename: str, content_type: str) -> str | None:
        """Return where anybody may fetch the object for some minutes.

        None: there is no such place; send the bytes yourself.
        """

    def start_upload(
        self, key: str, *, size_bytes: int, content_type: str, origin: str | None
    ) -> str:
        """Open a session that takes ``size_bytes`` in pieces; return its name.

        The object appears when the last byte is there; nothing is ever replaced. The
        name is a credential: it is kept in our database and never logged.

        Args:
            key: where the object will lie.
            size_bytes: exactly how much will come.
            content_type: the type that is bound to the session.
            origin: the web page that will send, if a browser does (for CORS).

        Raises:
            Unavailable: the storage cannot be reached.
        """

    def put_url(self, key: str, *, content_type: str, origin: str | None) -> str | None:
        """Return where a client may send the whole object, once, in one request.

        For clients that cannot say beforehand how much they will send. The URL is a
        credential, and a session: ``uploaded_bytes`` and ``abort_upload`` take it.

        Returns:
            None: there is no such place; take the bytes yourself and ``write`` them.

        Raises:
            Unavailable: the storage cannot be reached.
        """

    def upload_url(self, session: str) -> str | None:
        """Return where the client sends the pieces itself; None: to our API."""

    def uploaded_bytes(self, session: str, key: str) -> int:
        """Return how many bytes are safe; the session goes on from there.

        Raises:
            NotFound: the session is over and left no object.
        """

    def append(self, session: str, key: str, offset: int, source: BinaryIO) -> int:
        """Take bytes that belong at ``offset``; return how many are safe now.

        For storages whose ``upload_url`` is None. What is safe may be less than what
        was sent: a piece that breaks off keeps what arrived.

        Raises:
            Conflict: the session stands elsewhere (``upload_offset``).
            TooLarge: more bytes than the session was opened for.
            NotFound: there is no such session.
        """

    def abort_upload(self, session: str, key: str) -> None:
        """Forget a session and what it holds; an unknown one is harmless."""

    def forget_leftovers(self, *, older_than: timedelta) -> int:
        """Remove what died with its process and is no object; return how much it was.

        Args:
            older_than: no write takes so long and no session is that old.
        """


def from_settings(settings: Settings) -> Storage:
    """Return the storage that the settings name."""
    match settings.storage_mode:
        case "local":
            from common.providers.storage.local import LocalStorage

            return LocalStorage(settings.storage_dir)
        case "gcs":
            from common.providers.storage.gcs import GcsStorage

            return GcsStorage.from_settings(settings)
        case "s3":
            from common.providers.storage.s3 import S3Storage

            return S3Storage.from_settings(settings)
        case other:
            assert_never(other)
