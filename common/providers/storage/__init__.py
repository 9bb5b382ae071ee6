"""Where bytes live."""

from dataclasses import dataclass
from typing import BinaryIO, Protocol, assert_never

from common.errors import Unavailable
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
            NotFound: there is no such object.
        """

    def size_bytes(self, key: str) -> int | None:
        """Return the object's size, None if there is no such object."""

    def delete(self, key: str) -> bool:
        """Remove the object; return False if there was none."""

    def uri(self, key: str) -> str:
        """Return how people name the object: a path, ``gs://…`` or ``s3://…``."""


def from_settings(settings: Settings) -> Storage:
    """Return the storage that the settings name."""
    match settings.storage_mode:
        case "local":
            from common.providers.storage.local import LocalStorage

            return LocalStorage(settings.storage_dir)
        case "s3" | "gcs" as mode:
            raise Unavailable(f"STORAGE_MODE={mode} has no provider in this version.")
        case other:
            assert_never(other)
