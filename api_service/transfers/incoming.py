"""Uploads on their way in: to disk in pieces, counted while they arrive."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, Any, cast

from flask import Flask, Request, current_app, request

from api_service.context import deps
from common.deps import Deps
from common.errors import TooLarge, Unavailable
from common.ingest import files
from common.settings import Settings


def register(app: Flask) -> None:
    """Refuse forms that are too large, before a byte of them is read."""
    app.before_request(_refuse_large_form)


def _refuse_large_form() -> None:
    """Say it ourselves before what is in front of us does, with a page of its own.

    A form that does not tell its length is cut off where it is too long.
    """
    most = deps().settings.max_request_bytes
    if most is None or request.mimetype != "multipart/form-data":
        return
    if (request.content_length or 0) > most:
        raise TooLarge(
            f"A request may have {most} bytes here."
            " Send larger files in an upload session: POST /uploads."
        )
    request.max_content_length = most


class BoundedFile:
    """A temporary file that refuses the byte after its limit.

    It has no name, so nothing is left of it however the process ends.
    """

    def __init__(self, limit_bytes: int, folder: Path | None) -> None:
        with _room():
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - its reader closes it
        self._limit = limit_bytes
        self._written = 0

    def write(self, piece: bytes) -> int:
        """Take a piece of the upload.

        Raises:
            TooLarge: with it the upload would be over the limit.
            Unavailable: the disk is full.
        """
        self._written += len(piece)
        if self._written > self._limit:
            self.close()
            raise TooLarge(f"Audio file exceeds upload limit of {self._limit} bytes.")
        with self._closed_on_failure():
            return self._file.write(piece)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, which first brings the last piece to the disk.

        Raises:
            Unavailable: the disk is full.
        """
        with self._closed_on_failure():
            return self._file.seek(offset, whence)

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            with _room():
                yield
        except Unavailable:
            self.close()
            raise

    def close(self) -> None:
        """Forget the upload; closing it twice is harmless."""
        with suppress(OSError):  # a full disk cannot take its last piece either
            self._file.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as the file itself
        return getattr(self._file, name)


@contextmanager
def _room() -> Iterator[None]:
    """Call a disk that takes no more an outage."""
    try:
        yield
    except OSError as exc:
        raise Unavailable(f"The upload cannot be kept: {exc.strerror}.") from exc


class UploadRequest(Request):
    """A request whose files go straight to disk, never whole into memory."""

    max_form_memory_size = 512 * 1024  # werkzeug reads pieces of 64 KiB into it
    max_form_parts = 40

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,  # noqa: ARG002 - of the part; often absent
    ) -> IO[bytes]:
        deps = cast("Deps", current_app.extensions["deps"])
        kind = files.kind_of(filename or "", content_type or "")
        limit = files.limit_bytes(deps.settings, kind)
        if total_content_length and total_content_length > limit + _FORM_ROOM_BYTES:
            raise TooLarge(f"Audio file exceeds upload limit of {limit} bytes.")
        file = BoundedFile(limit, _folder(deps.settings))
        self._taken.append(file)
        return cast("IO[bytes]", file)

    @cached_property
    def _taken(self) -> list[BoundedFile]:
        """All files of this request, those of a form that breaks off included."""
        return []

    def close(self) -> None:
        """Close what was taken in; Flask calls this when the request is over."""
        super().close()
        for file in self._taken:
            file.close()


_FORM_ROOM_BYTES = 128 * 1024  # text fields and the multipart frame around the file


def _folder(settings: Settings) -> Path | None:
    """Return where uploads wait: on the storage's own disk, as /tmp may be memory."""
    return (
        settings.storage_dir / ".incoming" if settings.storage_mode == "local" else None
    )
