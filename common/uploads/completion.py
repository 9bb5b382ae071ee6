"""All bytes are there: what they are, and what becomes of them. Once."""

import logging
import time
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from sqlalchemy import select

from common.db import reading
from common.deps import Deps
from common.errors import AppError, Conflict, InvalidInput, TooLarge, Unavailable
from common.ingest import Arrival, Wishes, files
from common.models import Upload, UploadState
from common.uploads import claims, outcomes
from common.uploads.claims import InProgress
from common.uploads.outcomes import Also, Turn
from common.uploads.rows import arrived_bytes, get

log = logging.getLogger(__name__)

_WAIT_SECONDS = 25.0  # for another's completion: it may look into the file for 20 s
_LOOK_SECONDS = 0.1


class Incomplete(Conflict):
    """The upload is not complete yet; ``details`` tell how far it is."""

    code = "upload_incomplete"

    def __init__(self, offset: int, upload: Upload) -> None:
        super().__init__(f"The upload is not complete: {offset} bytes have arrived.")
        self.details = [{"offset": offset, "sizeBytes": upload.size_bytes}]


def complete(
    deps: Deps,
    upload_id: UUID,
    *,
    wishes: Wishes | None = None,
    also: Also = lambda _session, _upload: None,
) -> Upload:
    """Make an upload what it was sent for; return it, complete or used.

    May be called again, and by several at once: one does the work, and all are
    answered alike.

    Args:
        deps: of this process.
        upload_id: the upload.
        wishes: the lecture that is to have it, instead of what was asked for before.
        also: called in the transaction that has the effect, or later in one of its own.

    Raises:
        NotFound: there is no such upload.
        Incomplete: bytes are missing.
        InvalidInput, TooLarge: it is not what it should be; it is gone.
        Conflict: it is over, or has become another lecture.
        InProgress: somebody else takes too long.
        Unavailable: storage or database are away; try again.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    arrived = False
    while True:
        upload = get(deps, upload_id)
        if wishes is not None and upload.project_id is not None:
            raise Conflict("The upload is for a project.", code="upload_used")
        wanted = wishes or _wished(upload)
        if _is_done(upload, wanted):
            with deps.db.begin() as session:
                also(session, upload)
            return upload
        if not arrived:  # an object stays; only the database is asked again
            _require_arrived(deps, upload)
            arrived = True
        if claim := claims.take(deps.db, upload_id):
            break
        if time.monotonic() > deadline:
            raise InProgress
        time.sleep(_LOOK_SECONDS)  # no connection is held meanwhile
    with claims.given_back_on_failure(deps.db, claim):
        return outcomes.settle(Turn(deps, claim, get(deps, upload_id), wanted, also))


def finalized(deps: Deps, *, object_key: str, size_bytes: int) -> None:
    """Complete the upload that a new object belongs to, if it belongs to one.

    What is wrong with it is noted, and for its client to ask about.

    Raises:
        Unavailable: try again later.
    """
    with reading(deps.db) as session:
        query = select(Upload.id).where(Upload.object_key == object_key)
        upload_id = session.scalar(query)
    if upload_id is None:
        return
    about = {"upload_id": str(upload_id), "size_bytes": size_bytes}
    log.info("upload.finalized", extra=about)
    try:
        complete(deps, upload_id)
    except InProgress as exc:
        raise Unavailable(str(exc)) from exc
    except AppError as exc:
        if exc.retryable:
            raise
        log.warning("upload.not_completed", extra=about | {"error": exc.code})


def lecture_of(upload: Upload) -> tuple[Wishes, Arrival]:
    """Return what a used upload has become."""
    return Wishes.model_validate(upload.lecture), Arrival(
        recording_id=cast("UUID", upload.recording_id),
        object_key=upload.object_key,
        kind=cast("files.Kind", upload.kind),
        filename=upload.filename,
        received_at=cast("datetime", upload.completed_at),
        size_bytes=cast("int", upload.stored_bytes),
        sha256=cast("str", upload.sha256),
    )


def _wished(upload: Upload) -> Wishes | None:
    return Wishes.model_validate(upload.lecture) if upload.lecture else None


def _is_done(upload: Upload, wanted: Wishes | None) -> bool:
    """Return whether nothing is left to do; refuse if nothing can be done."""
    match upload.state:
        case UploadState.USED:
            has = upload.lecture or {}
            if wanted is not None and has.get("lecture_id") != wanted.lecture_id:
                text = "The upload has become the recording of another lecture."
                raise Conflict(text, code="upload_used")
            return True
        case UploadState.COMPLETE:
            return wanted is None
        case UploadState.REFUSED:
            raise _recorded(upload)
        case UploadState.OPEN:
            return False
        case _:
            raise Conflict(f"The upload is over: {upload.state}.", code="upload_over")


def _recorded(upload: Upload) -> AppError:
    """Return the refusal as it was told the first time."""
    kind = TooLarge if upload.error_code == TooLarge.code else InvalidInput
    return kind(upload.error_detail, code=upload.error_code)


def _require_arrived(deps: Deps, upload: Upload) -> None:
    if upload.expires_at <= datetime.now(UTC):
        raise Conflict("The upload has expired.", code="upload_over")
    key = upload.object_key
    if upload.stored_bytes is not None or deps.storage.size_bytes(key) is not None:
        return
    offset = arrived_bytes(deps, upload)  # which may just make the object
    if deps.storage.size_bytes(key) is None:
        raise Incomplete(offset, upload)
