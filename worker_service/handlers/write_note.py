"""Write the note that a person left empty, from what is said at its moment."""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from common import transcripts, videos
from common.briefs import BriefMaterial
from common.errors import Conflict
from common.jobs import AiNote
from common.models import Job, Note, TranscriptRecord, User, Video
from worker_service.remembered import Remembered
from worker_service.work import Work

_NEAR_MS = 15_000  # further away something else is spoken about


def run(work: Work[AiNote]) -> None:
    """Write the note, unless its owner has done so or wants no more of that.

    Safe to run twice: the paid answer is remembered, and only a note that is still
    without a text gets one.
    """
    found = _read(work)
    if found is None:
        with work.finish({"noteId": work.payload.note_id, "written": False}):
            return
    _require_speech(found)
    model = work.deps.llm(work.payload.provider, work.payload.model)
    text = model.brief(found, Remembered(work)).text
    work.pulse.check()
    with work.finish({"noteId": work.payload.note_id, "written": True}) as session:
        session.execute(
            update(Note)
            .where(Note.id == work.payload.note_id, Note.text.is_(None))
            .values(text=text, generated_by_ai=True, ai_error=None)
        )


def failed(session: Session, payload: AiNote) -> None:
    """Tell the note's owner that nobody will write it, and why."""
    reason = (
        select(Job.error_code)
        .where(Job.subject == payload.subject)
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    session.execute(
        update(Note)
        .where(Note.id == payload.note_id, Note.text.is_(None))
        .values(ai_error=func.coalesce(reason, "unknown"))
    )


def _read(work: Work[AiNote]) -> BriefMaterial | None:
    """Return what the note is about; None if there is nothing to write any more."""
    with work.deps.db.begin() as session:
        row = session.execute(
            select(Note.timestamp, Video.title, Video.recording_id)
            .join(Video, Video.video_id == Note.video_id)
            .join(User, User.id == Note.user_id)
            .where(
                Note.id == work.payload.note_id,
                Note.text.is_(None),
                User.ai_notes_enabled,
            )
        ).first()
        if row is None:
            return None
        record = session.get(TranscriptRecord, row.recording_id)
        segments = transcripts.segments_of(session, row.recording_id)
    at_ms = videos.moment_ms(row.timestamp)
    if at_ms is None:
        raise Conflict("The note names no moment.", code="timestamp_unreadable")
    language = record.language if record else ""
    return BriefMaterial(row.title, language, segments, at_ms)


def _require_speech(material: BriefMaterial) -> None:
    away = material.nearest_ms
    if away is None or away > _NEAR_MS:
        raise Conflict("Nobody speaks at this moment.", code="nothing_said")
