"""Uploads that nobody wants any more, and what died with its process."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from common import objects
from common.deps import Deps
from common.errors import AppError, Conflict
from common.models import Upload, UploadState
from common.uploads import claims
from common.uploads.claims import InProgress
from common.uploads.rows import LIFE, from_now, get

log = logging.getLogger(__name__)

_NOW = timedelta(0)
_BATCH = 100  # of each kind, each minute
_OPENED_WITHIN = timedelta(minutes=10)  # storage answers in seconds, or not at all
_REMEMBERED = timedelta(days=7)  # for clients that ask late what has become of it
_LEFT = 2 * LIFE  # nobody writes to a file that nobody has touched for so long
_UNWANTED = (UploadState.ABORTED, UploadState.ABANDONED)
_CHANGING = (UploadState.OPEN, UploadState.COMPLETE)


@dataclass(frozen=True, slots=True)
class Ended:
    """What one sweep has ended."""

    abandoned: int
    forgotten: int
    leftovers: int


def abort(deps: Deps, upload_id: UUID) -> Upload:
    """Have nothing left of an upload; doing it again is harmless.

    What storage refuses to forget now is forgotten by the sweep.

    Raises:
        NotFound: there is no such upload.
        Conflict: it is a lecture's recording.
        InProgress: it is just being completed.
    """
    with deps.db.begin() as session:
        aborted: Upload | None = session.scalar(
            update(Upload)
            .where(Upload.id == upload_id, Upload.state.in_(_CHANGING))
            .where(claims.unclaimed())
            .values(state=UploadState.ABORTED, claimed_until=None)
            .returning(Upload)
        )
        if aborted is not None:
            _doom(session, [aborted])
    if aborted is None:
        return _ended_before(get(deps, upload_id))
    _end_session(deps, aborted)
    return aborted


def sweep(deps: Deps) -> Ended:
    """End what was abandoned, forget what ended long ago, and remove leftovers."""
    abandoned = _abandon(deps)
    with deps.db.begin() as session:
        query = select(Upload).where(
            Upload.state.in_(_UNWANTED), Upload.session.is_not(None)
        )
        unfinished = session.scalars(query.limit(_BATCH)).all()
    for upload in unfinished:
        _end_session(deps, upload)
    return Ended(abandoned, _forget(deps), _remove_leftovers(deps))


def _ended_before(upload: Upload) -> Upload:
    if upload.state == UploadState.USED:
        text = "The upload is a lecture's recording: delete the lecture."
        raise Conflict(text, code="upload_used")
    if upload.state in _CHANGING:
        raise InProgress
    return upload


def _abandon(deps: Deps) -> int:
    """Mark what has expired, and what was never told to anybody."""
    now = func.clock_timestamp()
    unborn = and_(
        Upload.state == UploadState.OPEN,
        Upload.session.is_(None),
        Upload.size_bytes.is_not(None),
        Upload.created_at < now - _OPENED_WITHIN,
    )
    with deps.db.begin() as session:
        due = (
            select(Upload.id)
            .where(Upload.state.in_(_CHANGING), claims.unclaimed())
            .where(or_(Upload.expires_at <= now, unborn))
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        )
        ended = session.scalars(
            update(Upload)
            .where(Upload.id.in_(due.scalar_subquery()))
            .values(state=UploadState.ABANDONED, claimed_until=None)
            .returning(Upload)
        ).all()
        _doom(session, ended)
    return len(ended)


def _doom(session: Session, uploads: Sequence[Upload]) -> None:
    """Have objects removed: those without a session at once.

    The others once their session has ended, as it could still make the object.
    """
    keys = [one.object_key for one in uploads if one.session is None]
    objects.doom(session, keys, after=_NOW)


def _end_session(deps: Deps, upload: Upload) -> None:
    if upload.session is None:
        return
    try:
        deps.storage.abort_upload(upload.session, upload.object_key)
    except AppError as exc:
        log.warning("upload.not_aborted", extra=_about(upload, exc))
        return
    with deps.db.begin() as session:
        session.execute(
            update(Upload).where(Upload.id == upload.id).values(session=None)
        )
        objects.doom(session, [upload.object_key], after=_NOW)


def _about(upload: Upload, error: AppError) -> dict[str, Any]:
    return {"upload_id": str(upload.id), "error": error.code}


def _forget(deps: Deps) -> int:
    """Drop the rows of what ended long ago; what storage still holds keeps its row."""
    old = Upload.expires_at < from_now(-_REMEMBERED)
    with deps.db.begin() as session:
        gone = session.scalars(
            delete(Upload)
            .where(Upload.state.not_in(_CHANGING), old, Upload.session.is_(None))
            .returning(Upload.id)
        )
        return len(gone.all())


def _remove_leftovers(deps: Deps) -> int:
    try:
        return deps.storage.forget_leftovers(older_than=_LEFT)
    except AppError as exc:
        log.warning("leftovers not removed", extra={"error": exc.code})
        return 0
