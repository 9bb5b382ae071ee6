"""Uploads that nobody wants any more, and what died with its process."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from common import events, objects
from common.deps import Deps
from common.errors import AppError, Conflict, NotFound, TooLarge
from common.ingest import files
from common.models import Upload, UploadState
from common.uploads import claims
from common.uploads.claims import InProgress
from common.uploads.rows import LIFE, OVER, arrived_bytes, from_now, get

log = logging.getLogger(__name__)

_NOW = timedelta(0)
_BATCH = 100  # of each kind, each minute
_OPENED_WITHIN = timedelta(minutes=10)  # storage answers in seconds, or not at all
_REMEMBERED = timedelta(days=7)  # for clients that ask late what has become of it
_LEFT = 2 * LIFE  # nobody writes to a file that nobody has touched for so long
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


def require_wanted(deps: Deps, upload: Upload) -> None:
    """Have nothing left of bytes that landed after their upload had ended.

    Whoever ends one has its object removed, and that may be before it is there.

    Raises:
        NotFound: it has ended.
    """
    with deps.db.begin() as session:
        state = session.scalar(select(Upload.state).where(Upload.id == upload.id))
        if state is None or state in OVER:
            objects.doom(session, [upload.object_key], after=_NOW)
    if state is None or state in OVER:
        raise NotFound("Upload not found.")


def sweep(deps: Deps) -> Ended:
    """End what was abandoned, forget what ended long ago, and remove leftovers."""
    abandoned = _abandon(deps) + _end_overfull(deps)
    with deps.db.begin() as session:
        query = select(Upload).where(
            Upload.state.in_(OVER), Upload.session.is_not(None)
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


def _end_overfull(deps: Deps) -> int:
    """End sessions that take more than their file may have, as no size binds them.

    Clients that announce none send to the bucket itself: what is too large would be
    refused only when it is whole, and a session takes five terabytes.
    """
    with deps.db.begin() as session:
        query = select(Upload).where(
            *(Upload.state == UploadState.OPEN, Upload.session.is_not(None)),
            *(Upload.size_bytes.is_(None), claims.unclaimed()),
        )
        unbound = session.scalars(query.order_by(func.random()).limit(_BATCH)).all()
    try:
        return sum(_is_ended(deps, one) for one in unbound if _is_overfull(deps, one))
    except AppError as exc:  # none of the others could be asked either
        log.warning("uploads not measured", extra={"error": exc.code})
        return 0


def _is_overfull(deps: Deps, upload: Upload) -> bool:
    limit = files.limit_bytes(deps.settings, cast("files.Kind", upload.kind))
    return arrived_bytes(deps, upload) > limit


def _is_ended(deps: Deps, upload: Upload) -> bool:
    """Refuse an upload that is too large; False if it is over already."""
    refusal = TooLarge("The file exceeds its upload limit.")
    refused = {"error_code": refusal.code, "error_detail": str(refusal)}
    with deps.db.begin() as session:
        ended = session.scalar(
            update(Upload)
            .where(Upload.id == upload.id, Upload.state == UploadState.OPEN)
            .where(claims.unclaimed())
            .values(state=UploadState.REFUSED, completed_at=func.now(), **refused)
            .returning(Upload.id)
        )
        if ended is not None:
            told = events.UploadRefused(
                upload_id=ended, lecture_id=None, error_code=refusal.code
            )
            events.emit(session, told)
    return ended is not None


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
    """Drop the rows of what ended long ago; what storage still holds keeps its row.

    What was removed then is removed once more: a request that was under way may have
    stored it later, and died before it could see that nobody wants it.
    """
    old = Upload.expires_at < from_now(-_REMEMBERED)
    with deps.db.begin() as session:
        gone = session.scalars(
            delete(Upload)
            .where(Upload.state.not_in(_CHANGING), old, Upload.session.is_(None))
            .returning(Upload)
        ).all()
        late = [one.object_key for one in gone if one.state in OVER]
        objects.doom(session, late, after=_NOW)
    return len(gone)


def _remove_leftovers(deps: Deps) -> int:
    try:
        return deps.storage.forget_leftovers(older_than=_LEFT)
    except AppError as exc:
        log.warning("leftovers not removed", extra={"error": exc.code})
        return 0
