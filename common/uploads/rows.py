"""Looking uploads up, and how much of one has arrived."""

import hmac
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, true

from common.db import reading
from common.deps import Deps
from common.errors import BadRequest, NotFound
from common.models import Upload, UploadState

OVER = (UploadState.REFUSED, UploadState.ABORTED, UploadState.ABANDONED)

_ALL = true()
LIFE = timedelta(hours=24)  # of a session: the slowest line needs less for 2 GB


def from_now(time: timedelta) -> Any:  # noqa: ANN401 - an expression
    """Return a moment by the database's clock, the only one that all share."""
    return func.clock_timestamp() + time


def get(deps: Deps, upload_id: UUID, *, among: ColumnElement[bool] = _ALL) -> Upload:
    """Return an upload's row as it is now.

    Args:
        deps: of this process.
        upload_id: the upload.
        among: which ones there are for who asks.

    Raises:
        NotFound: there is none, or it was forgotten.
    """
    with reading(deps.db) as session:
        found = session.scalar(select(Upload).where(Upload.id == upload_id, among))
    if found is None:
        raise NotFound("Upload not found.")
    return found


def with_token(deps: Deps, upload_id: UUID, token: str) -> Upload:
    """Return the upload that this URL of ours is for.

    Raises:
        NotFound: there is no such upload, or the token is not its own.
    """
    found = get(deps, upload_id)
    if not hmac.compare_digest(digest_of(token), found.token_sha256):
        raise NotFound("Upload not found.")
    return found


def digest_of(token: str) -> str:
    """Return what is kept of a token."""
    return sha256(token.encode()).hexdigest()


def handed_out(
    deps: Deps, storage_path: str, *, among: ColumnElement[bool] = _ALL
) -> Upload:
    """Return the upload whose place a client names.

    Raises:
        BadRequest: we have handed out no such place; no other is ever looked at.
    """
    key = storage_path.removeprefix(deps.storage.uri(""))
    with reading(deps.db) as session:
        query = select(Upload).where(Upload.object_key == key, among)
        found = session.scalar(query)
    if found is None or deps.storage.uri(found.object_key) != storage_path:
        raise BadRequest(
            "storage_path must be one that an upload was given.",
            code="storage_path_unknown",
        )
    return found


def arrived_bytes(deps: Deps, upload: Upload) -> int:
    """Return how many bytes of an upload are safe; of one that is over, none."""
    if upload.state in OVER:
        return 0
    if upload.stored_bytes is not None:
        return upload.stored_bytes
    if upload.session is not None:
        with suppress(NotFound):  # it is over, and left no object
            return deps.storage.uploaded_bytes(upload.session, upload.object_key)
    return deps.storage.size_bytes(upload.object_key) or 0
