"""Objects as files below one folder of this machine."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from hashlib import file_digest, sha256
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from common.errors import Conflict, NotFound
from common.providers.storage import StoredObject
from common.providers.storage.local_uploads import Partial, remove_older, writable

_PIECE_BYTES = 1024 * 1024
_PLACE_TRIES = 100  # each has to lose a race of microseconds


class LocalStorage:
    """Writes beside the target first, so that a reader never sees half of a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def write(self, key: str, source: BinaryIO) -> StoredObject:  # noqa: D102
        target = self._path(key)
        with writable(), self._temporary() as part:
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

    def download_url(  # noqa: D102
        self,
        key: str,  # noqa: ARG002
        *,
        filename: str,  # noqa: ARG002
        content_type: str,  # noqa: ARG002
    ) -> str | None:
        return None

    def start_upload(  # noqa: D102
        self,
        key: str,
        *,
        size_bytes: int,
        content_type: str,  # noqa: ARG002 - files have none
        origin: str | None,  # noqa: ARG002 - our API is what pages speak to
    ) -> str:
        self._path(key)
        return Partial.begin(self._uploads, size_bytes)

    def put_url(  # noqa: D102
        self,
        key: str,  # noqa: ARG002
        *,
        content_type: str,  # noqa: ARG002
        origin: str | None,  # noqa: ARG002
    ) -> str | None:
        return None

    def upload_url(self, session: str) -> str | None:  # noqa: ARG002, D102
        return None

    def uploaded_bytes(self, session: str, key: str) -> int:  # noqa: D102
        partial = Partial.named(self._uploads, session)
        try:
            safe = partial.safe_bytes()
        except NotFound:
            size = self.size_bytes(key)  # it ends with its object
            if size is None:
                raise
            return size
        if safe == partial.total_bytes:  # whoever wrote the last byte is gone
            self._finish(partial, key)
        return safe

    def append(  # noqa: D102
        self, session: str, key: str, offset: int, source: BinaryIO
    ) -> int:
        partial = Partial.named(self._uploads, session)
        safe = partial.append(offset, source)
        if safe == partial.total_bytes:
            self._finish(partial, key)
        return safe

    def abort_upload(self, session: str, key: str) -> None:  # noqa: ARG002, D102
        with suppress(NotFound), writable():
            Partial.named(self._uploads, session).path.unlink(missing_ok=True)

    def forget_leftovers(self, *, older_than: timedelta) -> int:  # noqa: D102
        before = time.time() - older_than.total_seconds()
        with writable():
            return sum(
                remove_older(folder, before)
                for folder in (self._uploads, self._folder / ".incoming")
            )

    @property
    def _uploads(self) -> Path:
        return self._folder / ".uploads"

    def _finish(self, partial: Partial, key: str) -> None:
        """Make a whole upload an object. Somebody else may be doing the same."""
        target = self._path(key)
        with writable(), suppress(FileNotFoundError):  # then they were faster
            if not _placed(partial.path, target) and not partial.path.samefile(target):
                raise Conflict(f"Something is stored as {key!r}.", code="object_exists")
        partial.path.unlink(missing_ok=True)
        if self.size_bytes(key) != partial.total_bytes:  # it was given up meanwhile
            raise NotFound("The upload session is over.", code="upload_missing")

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


def _same_or_conflict(target: Path, digest: str, key: str) -> None:
    with target.open("rb") as present:
        if file_digest(present, "sha256").hexdigest() != digest:
            raise Conflict(f"Other bytes are stored as {key!r}.", code="object_exists")
