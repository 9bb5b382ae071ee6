"""Objects as files below one folder of this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from common.errors import Conflict, NotFound, Unavailable
from common.providers.storage import StoredObject

_PIECE_BYTES = 1024 * 1024
_PLACE_TRIES = 100  # each has to lose a race of microseconds


class LocalStorage:
    """Writes beside the target first, so that a reader never sees half of a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def write(self, key: str, source: BinaryIO) -> StoredObject:  # noqa: D102
        target = self._path(key)
        with _writable(), self._temporary() as part:
            size, digest = _copy(source, part)
            if not _placed(part, target):
                _same_or_conflict(target, digest, key)
        return StoredObject(key, size, digest)

    def read(self, key: str) -> BinaryIO:  # noqa: D102
        try:
            return self._path(key).open("rb")
        except FileNotFoundError:
            raise NotFound(f"No object {key!r}.", code="object_missing") from None

    def size_bytes(self, key: str) -> int | None:  # noqa: D102
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> bool:  # noqa: D102
        path = self._path(key)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        self._drop_empty_folders(path.parent)
        return True

    def uri(self, key: str) -> str:  # noqa: D102
        return f"{self._folder}/{key}"  # a name only: the disk is not asked

    def _path(self, key: str) -> Path:
        """Return the file of ``key``, which our own code made from checked parts."""
        path = self._folder / key
        if not path.resolve().is_relative_to(self._folder):
            raise ValueError(f"key leaves the storage folder: {key!r}")
        return path

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """Yield a name on the same file system; what is there in the end is removed."""
        folder = self._folder / ".incoming"
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / uuid4().hex
        try:
            yield part
        finally:
            part.unlink(missing_ok=True)

    def _drop_empty_folders(self, folder: Path) -> None:
        while folder != self._folder:
            try:
                folder.rmdir()
            except OSError:  # not empty, or somebody else was faster
                return
            folder = folder.parent


def _copy(source: BinaryIO, part: Path) -> tuple[int, str]:
    """Copy in pieces; return size and SHA-256 of what is now safely on disk."""
    digest = sha256()
    size = 0
    with part.open("wb") as target:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            size += target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    return size, digest.hexdigest()


def _placed(part: Path, target: Path) -> bool:
    """Give a whole file its name; False if there is an object of that name."""
    for _ in range(_PLACE_TRIES):
        try:
            os.link(part, target)  # unlike a rename, never replaces
        except FileExistsError:
            return False
        except FileNotFoundError:  # no folder yet, or a deletion has just taken it
            with suppress(FileNotFoundError, FileExistsError):  # it comes and goes
                target.parent.mkdir(parents=True, exist_ok=True)
        else:
            return True
    raise FileNotFoundError(target)


@contextmanager
def _writable() -> Iterator[None]:
    """Call a folder that takes no files an outage: full, read-only, not a folder."""
    try:
        yield
    except OSError as exc:
        raise Unavailable(f"Storage cannot be written: {exc}.") from exc


def _same_or_conflict(target: Path, digest: str, key: str) -> None:
    with target.open("rb") as present:
        if file_digest(present, "sha256").hexdigest() != digest:
            raise Conflict(f"Other bytes are stored as {key!r}.", code="object_exists")
