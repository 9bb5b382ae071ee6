"""What a talk is about: a recording with a transcript, or the reason why not."""

from typing import Any

from sqlalchemy import Row, String, cast, func, select
from sqlalchemy.orm import Session

from common.errors import Conflict, NotFound
from common.models import (
    LIVE_STATES,
    Asset,
    Conversation,
    Job,
    Lecture,
    Recording,
    SegmentRecord,
    TranscriptRecord,
    Video,
)
from common.wiz import Subject

_UNTITLED = "this video"  # as the talk has it, where nobody knows its title

_WORK = (
    select(func.count())
    .where(
        Job.state.in_(LIVE_STATES),
        Job.subject.in_(
            (
                func.concat("lecture:", Conversation.lecture_id),
                func.concat("asset:", cast(Conversation.asset_id, String)),
            )
        ),
    )
    .scalar_subquery()
)
_SPOKEN = (
    select(SegmentRecord.number)
    .where(SegmentRecord.recording_id == Recording.id)
    .limit(1)
    .scalar_subquery()
)
_ABOUT = (
    select(
        Recording.id.label("recording_id"),
        func.coalesce(Video.title, Lecture.title, Asset.original_filename).label(
            "title"
        ),
        TranscriptRecord.language,
        _SPOKEN.is_not(None).label("spoken"),
        Video.transcript_error,
        _WORK.label("work"),
    )
    .select_from(Conversation)
    .outerjoin(Video, Video.video_id == Conversation.video_id)
    .outerjoin(Lecture, Lecture.id == Conversation.lecture_id)
    .outerjoin(Asset, Asset.id == Conversation.asset_id)
    .outerjoin(
        Recording,
        Recording.id
        == func.coalesce(Video.recording_id, Lecture.recording_id, Asset.recording_id),
    )
    .outerjoin(TranscriptRecord, TranscriptRecord.recording_id == Recording.id)
)


def find(session: Session, conversation: Conversation) -> Subject | None:
    """Return what a talk is about; None while its transcript is still to come.

    Raises:
        NotFound: the recording is gone, or its transcript is kept no longer.
        Conflict: there will be no transcript, or nobody speaks; it says why.
    """
    row = session.execute(_ABOUT.where(Conversation.id == conversation.id)).first()
    if row is None or row.recording_id is None:
        raise NotFound("Video not found")
    if row.language is None:
        _require_awaited(conversation, row)
        return None
    if not row.spoken:
        raise Conflict("Nobody speaks in this recording.", code="transcript_empty")
    about = conversation.video_id or conversation.lecture_id or conversation.asset_id
    return Subject(str(about), row.title or _UNTITLED, row.recording_id, row.language)


def _require_awaited(conversation: Conversation, row: Row[*tuple[Any, ...]]) -> None:
    """Say that no transcript will come, unless one is on its way."""
    if conversation.video_id is not None:
        if row.transcript_error is None:
            return
        raise Conflict(
            f"This video has no transcript: {row.transcript_error}",
            code="transcript_failed",
        )
    if not row.work:
        raise Conflict(
            "This recording has no transcript, and none is being made.",
            code="transcript_missing",
        )
