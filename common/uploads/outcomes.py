"""What an upload turns out to be, and the transaction that says so."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import file_digest
from typing import Any, cast

from sqlalchemy.orm import Session

from common import events, ingest, jobs, objects
from common.assets import films, rows
from common.deps import Deps
from common.errors import AppError, InvalidInput, TooLarge
from common.ids import new_id
from common.ingest import Arrival, Wishes, files
from common.media.films.check import Seen
from common.models import Upload, UploadState
from common.uploads import claims
from common.uploads.claims import Claim
from common.uploads.rows import LIFE, from_now

_NOW = timedelta(0)
_UNFINISHED = timedelta(hours=1)  # no claim lasts so long
_REFUSALS = (InvalidInput, TooLarge)

Also = Callable[[Session, Upload], None]


@dataclass(frozen=True, slots=True)
class Turn:
    """The turn to complete an upload whose object is there; the claim is ours."""

    deps: Deps
    claim: Claim
    upload: Upload
    wishes: Wishes | None
    also: Also


@dataclass(frozen=True, slots=True)
class Found:
    """What was stored. ``sha256`` is lower-case hex; ``seen`` is there for a film."""

    size_bytes: int
    sha256: str
    seen: Seen | None = None


def settle(turn: Turn) -> Upload:
    """Look into the file and write down what has become of it.

    Raises:
        InvalidInput, TooLarge: it is refused, which is written down, too.
        InProgress: it took so long that the turn is over.
    """
    try:
        found = _looked_into(turn)
    except _REFUSALS as exc:
        _refuse(turn, exc)
        raise
    if turn.upload.project_id is not None:
        return _joined(turn, found)
    if turn.wishes is None:
        return _keep(turn, found)
    return _use(turn, turn.wishes, found)


def _looked_into(turn: Turn) -> Found:
    """Decode the file and read it to its end, unless that was done before.

    It is read by a stream of its own: storages check a sum of what is read in order.
    """
    upload, storage = turn.upload, turn.deps.storage
    if upload.sha256 is not None and upload.stored_bytes is not None:
        return Found(upload.stored_bytes, upload.sha256)
    kind = cast("files.Kind", upload.kind)
    size = storage.size_bytes(upload.object_key) or 0
    files.require_within(turn.deps.settings, kind, size)
    if upload.size_bytes not in (None, size):
        raise InvalidInput(
            f"The upload has {size} bytes, not the {upload.size_bytes} announced.",
            code="upload_size",
        )
    seen = None
    if kind == "video":
        seen = films.examine(turn.deps, upload.object_key, upload.filename)
    else:
        with storage.read(upload.object_key) as stream:
            files.examine(kind, stream)
    with storage.read(upload.object_key) as stream:
        digest = file_digest(cast("Any", stream), "sha256").hexdigest()
    return Found(size, digest, seen)


def _refuse(turn: Turn, refusal: AppError) -> None:
    values = {
        "state": UploadState.REFUSED,
        "error_code": refusal.code,
        "error_detail": str(refusal),
        "completed_at": datetime.now(UTC),
    }
    wishes = turn.wishes
    with turn.deps.db.begin() as session:
        upload = claims.settle(session, turn.claim, values)
        objects.doom(session, [upload.object_key], after=_NOW)
        refused = events.UploadRefused(
            upload_id=upload.id,
            lecture_id=wishes.lecture_id if wishes else None,
            error_code=refusal.code,
        )
        events.emit(session, refused)


def _keep(turn: Turn, found: Found) -> Upload:
    """Note what it is, until somebody says what is to become of it."""
    values = {
        "state": UploadState.COMPLETE,
        "sha256": found.sha256,
        "stored_bytes": found.size_bytes,
        "completed_at": datetime.now(UTC),
        "expires_at": from_now(LIFE),
    }
    with turn.deps.db.begin() as session:
        upload = claims.settle(session, turn.claim, values)
        turn.also(session, upload)
        events.emit(session, _completed(upload, None))
    return upload


def _use(turn: Turn, wishes: Wishes, found: Found) -> Upload:
    """Make it a lecture's recording, with all that follows from that."""
    deps, arrival = turn.deps, _arrival(turn.upload, found)
    with deps.db.begin() as session:
        key = ingest.metadata_key(wishes, arrival.recording_id)
        objects.doom(session, [key], after=_UNFINISHED)
    ingest.describe(deps, wishes, arrival)
    values = {
        "state": UploadState.USED,
        "lecture": wishes.model_dump(),
        "recording_id": arrival.recording_id,
        "sha256": found.sha256,
        "stored_bytes": found.size_bytes,
        "completed_at": arrival.received_at,
    }
    with deps.db.begin() as session:
        upload = claims.settle(session, turn.claim, values)
        job_id = ingest.save(session, wishes, arrival)
        turn.also(session, upload)
        known = turn.upload.state == UploadState.COMPLETE  # that was told before
        told = [] if known else [_completed(upload, wishes)]
        events.emit(session, *told, ingest.news(wishes, arrival))
    if job_id is not None:
        jobs.drain(deps.db, deps.queue.send, job_ids=[job_id])
    return upload


def _joined(turn: Turn, found: Found) -> Upload:
    """Make it a file of its project, with a picture of it."""
    upload, project_id = turn.upload, cast("str", turn.upload.project_id)
    seen = cast("Seen", found.seen)  # it was looked into just now
    picture = films.picture_key(project_id, upload.id)
    with turn.deps.db.begin() as session:
        objects.doom(session, [picture], after=_UNFINISHED)
    films.keep_picture(turn.deps, picture, seen)
    arrival = rows.Arrival(
        project_id=project_id,
        asset_id=upload.id,
        recording_id=new_id(),
        object_key=upload.object_key,
        picture_key=picture,
        filename=upload.filename,
        size_bytes=found.size_bytes,
        sha256=found.sha256,
        seen=seen,
    )
    values = {
        "state": UploadState.USED,
        "recording_id": arrival.recording_id,
        "sha256": found.sha256,
        "stored_bytes": found.size_bytes,
        "completed_at": datetime.now(UTC),
    }
    with turn.deps.db.begin() as session:
        used = claims.settle(session, turn.claim, values)
        rows.save(session, arrival)
        turn.also(session, used)
        events.emit(session, _completed(used, None))
    return used


def _arrival(upload: Upload, found: Found) -> Arrival:
    return Arrival(
        recording_id=new_id(),
        object_key=upload.object_key,
        kind=cast("files.Kind", upload.kind),
        filename=upload.filename,
        received_at=datetime.now(UTC),
        size_bytes=found.size_bytes,
        sha256=found.sha256,
    )


def _completed(upload: Upload, wishes: Wishes | None) -> events.UploadCompleted:
    return events.UploadCompleted(
        upload_id=upload.id,
        lecture_id=wishes.lecture_id if wishes else None,
        size_bytes=cast("int", upload.stored_bytes),
    )
