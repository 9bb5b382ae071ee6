"""What follows when a transcript, metadata or a summary is there.

All in the transaction that stores it, so nothing that waits is forgotten.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import jobs, transcripts
from common.jobs import VideoSummary
from common.models import TranscriptRecord, Video
from common.settings import Settings
from common.transcript import Transcript
from common.videos.notes import ask_for_waiting

_TITLE_CHARACTERS = 500  # YouTube allows 100


def take_transcript(
    session: Session,
    settings: Settings,
    video: Video,
    stored: tuple[UUID | None, str, Transcript],
) -> list[UUID]:
    """Give a locked video its transcript; what waited for it goes on.

    Args:
        session: of an open transaction.
        settings: tell who writes notes and summaries.
        video: locked.
        stored: the job that it was made by (None: it came unasked), the key of its
            stored document, and what was said.

    Returns:
        The jobs to be sent when the transaction has ended.
    """
    job_id, key, transcript = stored
    transcripts.replace(session, video.recording_id, job_id, key, transcript)
    video.transcript_error = None
    session.flush()
    asked = []
    if video.about is not None:
        asked = _ask_for_summary(session, settings, video)
    return asked + ask_for_waiting(session, settings, video.video_id)


def take_metadata(
    session: Session, settings: Settings, video: Video, about: Mapping[str, Any]
) -> list[UUID]:
    """Give a locked video its metadata, and thereby the title that all may see.

    Returns:
        The jobs to be sent when the transaction has ended.
    """
    video.about = dict(about)
    title = about.get("title")
    if isinstance(title, str) and (clean := " ".join(title.split())):
        video.title = clean[:_TITLE_CHARACTERS]
    video.metadata_error = None
    session.flush()
    heard = select(TranscriptRecord).where(
        TranscriptRecord.recording_id == video.recording_id
    )
    if not session.scalar(select(heard.exists())):
        return []
    return _ask_for_summary(session, settings, video)


def take_summary(
    video: Video, summary: str | None, questions: Sequence[str] | None
) -> None:
    """Give a locked video its summary; what is None stays as it is."""
    if summary is not None:
        video.summary = summary
    if questions is not None:
        video.suggested_questions = list(questions)


def _ask_for_summary(session: Session, settings: Settings, video: Video) -> list[UUID]:
    if video.summary is not None:
        return []
    payload = VideoSummary(video_id=video.video_id, provider=settings.llm_provider)
    return [jobs.enqueue(session, payload)[0]]
