"""Transcripts: asked for and read."""

import json
from typing import Annotated, Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import asking
from api_service.context import deps, query, reading
from api_service.openapi import describes
from api_service.people import owners
from api_service.routes.schemas import Name, QueuedJob, SpeechProvider
from common.errors import NotFound
from common.jobs import Transcription
from common.models import Lecture, Recording, TranscriptRecord
from common.providers import speech

bp = Blueprint("transcripts", __name__, url_prefix="/lectures")


class TranscribeQuery(BaseModel):
    """Who shall transcribe; absent: as the settings say."""

    model: Name | None = None
    provider: SpeechProvider | None = None
    language_code: Name | None = None


class TranscriptQuery(BaseModel):
    """How much of it to return."""

    include_text: bool = True
    segment_limit: Annotated[int, Field(ge=0)] | None = None


class SegmentOut(BaseModel):
    """One sentence and when it is said, or on which page of a document it stands."""

    startSec: float
    endSec: float
    text: str
    confidence: float | None = None
    flags: list[str] | None = None
    page: int | None = None


class GapOut(BaseModel):
    """A part that could not be transcribed."""

    startSec: float
    endSec: float
    reason: str


class Coverage(BaseModel):
    """How much of the recording was heard."""

    totalSec: float
    heardSec: float


class TranscriptOut(BaseModel):
    """What was said. No segments: nobody spoke."""

    lectureId: str
    transcriptPath: str
    language: str
    text: str
    segments: list[SegmentOut]
    segmentCount: int
    engine: dict[str, str]
    coverage: Coverage
    gaps: list[GapOut]


@bp.post("/<lecture_id>/transcribe")
@describes(query=TranscribeQuery, gives=QueuedJob, errors=(400, 404, 409))
def transcribe(lecture_id: str) -> ResponseReturnValue:
    """Have the recording transcribed; a live job for it is returned, not doubled."""
    wanted = query(TranscribeQuery)
    settings = deps().settings
    provider = speech.accept(settings, wanted.provider)

    def prepare(session: Session) -> tuple[Transcription, dict[str, str]]:
        lecture = asking.lecture(session, lecture_id, "Audio not found for lecture.")
        _require_audio(session, lecture)
        payload = Transcription(
            lecture_id=lecture_id,
            recording_id=lecture.recording_id,
            provider=provider,
            model=wanted.model or settings.speech_model,
            language=wanted.language_code or settings.stt_language,
        )
        return payload, {}

    fingerprint = {"lecture_id": lecture_id, **wanted.model_dump()}
    return asking.ask("lectures.transcribe", fingerprint, prepare)


@bp.get("/<lecture_id>/transcript")
@describes(query=TranscriptQuery, gives=TranscriptOut, errors=(404,))
def get(lecture_id: str) -> ResponseReturnValue:
    """Return the transcript."""
    wanted = query(TranscriptQuery)
    key = _object_key(lecture_id)
    document = _document(key)
    segments = document["segments"][: wanted.segment_limit]
    return {
        "lectureId": lecture_id,
        "transcriptPath": deps().storage.uri(key),
        "language": document["language"],
        "text": document["text"] if wanted.include_text else "",
        "segments": segments,
        "segmentCount": len(segments),
        "engine": document["engine"],
        "coverage": document["coverage"],
        "gaps": document["gaps"],
    }


def _require_audio(session: Session, lecture: Lecture) -> None:
    """Refuse a lecture whose recording is kept no longer."""
    key = session.scalar(
        select(Recording.object_key).where(Recording.id == lecture.recording_id)
    )
    if key is None:
        raise NotFound("Audio not found for lecture.")


def _object_key(lecture_id: str) -> str:
    with reading() as session:
        lecture = owners.find(session, Lecture, lecture_id)
        if lecture is None:
            raise NotFound("Lecture not found.")
        transcript = session.get(TranscriptRecord, lecture.recording_id)
    if transcript is None:
        raise NotFound("Transcript not found for lecture.")
    return transcript.object_key


def _document(key: str) -> dict[str, Any]:
    try:
        with deps().storage.read(key) as stream:
            document: dict[str, Any] = json.load(stream)
    except NotFound:
        raise NotFound("Transcript file missing.") from None
    return document
