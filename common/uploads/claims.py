"""Who is completing an upload just now: at most one, and not for ever."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, update
from sqlalchemy.orm import Session

from common.db import Db
from common.errors import Conflict
from common.models import Upload, UploadState

# Longer than looking into any file takes: 20 s, and 2 GB at 20 MB/s. After that whoever
# had it is dead, or is refused when it wakes up.
_TIME = timedelta(seconds=180)
_CHANGING = (UploadState.OPEN, UploadState.COMPLETE)


class InProgress(Conflict):
    """The upload is being completed by another request."""

    code = "upload_in_progress"
    retry_after_seconds = 2.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to complete an upload; ``until`` tells it from all other claims."""

    upload_id: UUID
    until: datetime


def take(db: Db, upload_id: UUID) -> Claim | None:
    """Return the claim, or None: somebody else has it, or the upload is over."""
    with db.begin() as session:
        until = session.scalar(
            update(Upload)
            .where(Upload.id == upload_id, Upload.state.in_(_CHANGING), unclaimed())
            .where(Upload.expires_at > func.clock_timestamp())
            .values(claimed_until=func.clock_timestamp() + _TIME)
            .returning(Upload.claimed_until)
        )
    return Claim(upload_id, until) if until else None


def unclaimed() -> Any:  # noqa: ANN401 - a condition
    """Return what is true of uploads that nobody is completing."""
    now = func.clock_timestamp()
    return or_(Upload.claimed_until.is_(None), Upload.claimed_until <= now)


def settle(session: Session, claim: Claim, values: Mapping[str, Any]) -> Upload:
    """Give the upload these values and end the claim, in the caller's transaction.

    The storage's session has ended with its object, and is forgotten.

    Raises:
        InProgress: it was no longer ours; nothing may be written.
    """
    settled: Upload | None = session.scalar(
        update(Upload)
        .where(*_ours(claim), Upload.claimed_until > func.clock_timestamp())
        .values(claimed_until=None, session=None, **values)
        .returning(Upload)
    )
    if settled is None:
        raise InProgress
    return settled


@contextmanager
def given_back_on_failure(db: Db, claim: Claim) -> Iterator[None]:
    """Let the next one try, unless the claim was settled."""
    settled = False
    try:
        yield
        settled = True
    finally:
        if not settled:
            with db.begin() as session:
                session.execute(
                    update(Upload).where(*_ours(claim)).values(claimed_until=None)
                )


def _ours(claim: Claim) -> tuple[Any, ...]:
    return Upload.id == claim.upload_id, Upload.claimed_until == claim.until
