"""What was said in a project's film."""

from typing import Any, Literal
from uuid import UUID

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import views
from api_service.context import query, reading
from api_service.openapi import describes
from api_service.routes.projects.videos import ours
from common import transcripts
from common.errors import NotFound
from common.exports import srt, vtt
from common.models import Asset, TranscriptRecord
from common.transcript import Segment

bp = Blueprint("project_transcripts", __name__, url_prefix="/projects")

TextFormat = Literal["json", "srt", "vtt"]
_NO_USAGE = {"requests": 0, "total_tokens": 0}
_NO_USAGE |= {"prompt_tokens": 0, "completion_tokens": 0}
_TYPES = {"srt": "application/x-subrip", "vtt": "text/vtt"}
_WRITERS = {"srt": srt.from_segments, "vtt": vtt.from_segments}


class FormatQuery(BaseModel):
    """As data, or as a file for players."""

    format: TextFormat = "json"


class SpokenSegment(BaseModel):
    """One sentence, or what passes for one; times are seconds."""

    index: int
    start: float
    end: float
    duration: float
    text: str
    confidence: float | None
    language: str
    speaker: None


class AssetTranscript(BaseModel):
    """What was said. No segments: nobody spoke."""

    asset_id: UUID
    project_id: str
    request_id: str
    language: str
    text: str
    segment_count: int
    duration: float
    usage: dict[str, Any]
    segments: list[SpokenSegment]
    cached: Literal[False]
    created_at: str
    updated_at: str
    metadata: dict[str, Any]


@bp.get("/<project_id>/videos/<asset_id>/ai/transcript")
@describes(query=FormatQuery, gives=AssetTranscript, errors=(404,))
def get(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Return what the recogniser heard, as data, SRT or WebVTT.

    What people made of it is at ``…/subtitles``.
    """
    wanted = query(FormatQuery)
    with reading() as session:
        asset, record = transcribed(session, project_id, asset_id)
        segments = transcripts.segments_of(session, asset.recording_id)
    if wanted.format != "json":
        return text_file(asset, wanted.format, segments)
    return _wire(asset, record, segments)


def transcribed(
    session: Session, project_id: str, asset_id: str
) -> tuple[Asset, TranscriptRecord]:
    """Return a film and its transcript; one statement.

    Raises:
        NotFound: the project has no such file, or nobody has transcribed it.
    """
    row = session.execute(
        select(Asset, TranscriptRecord)
        .outerjoin(
            TranscriptRecord, TranscriptRecord.recording_id == Asset.recording_id
        )
        .where(*ours(project_id, asset_id))
    ).first()
    if row is None:
        raise NotFound("Video asset not found")
    asset, record = row
    if record is None:
        raise NotFound("Transcript not found")
    return asset, record


def text_file(
    asset: Asset, form: Literal["srt", "vtt"], segments: tuple[Segment, ...]
) -> Response:
    """Return subtitles as a file for players."""
    reply = Response(
        _WRITERS[form](segments), content_type=f"{_TYPES[form]}; charset=utf-8"
    )
    name = f"{asset.filename.rpartition('.')[0]}.{form}"  # of letters that headers take
    reply.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return reply


def _wire(
    asset: Asset, record: TranscriptRecord, segments: tuple[Segment, ...]
) -> dict[str, Any]:
    about = record.about or {}
    request = about.get("transcript_id") or str(record.job_id)
    pieces = about.get("chunk_durations", [])
    return {
        "asset_id": str(asset.id),
        "project_id": asset.project_id,
        "request_id": request,
        "language": record.language,
        "text": " ".join(segment.text for segment in segments),
        "segment_count": len(segments),
        "duration": max((one.end_ms for one in segments), default=0) / 1000,
        "usage": about.get("usage", _NO_USAGE),
        "segments": [
            _segment(number, one, record.language)
            for number, one in enumerate(segments)
        ],
        "cached": False,
        "created_at": views.timestamp(record.created_at),
        "updated_at": views.timestamp(record.created_at),
        "metadata": {
            "request_hash": request,
            "chunk_count": len(pieces),
            "chunk_durations": pieces,
            "parameters": about.get("parameters", {}),
            "engine": {"provider": record.provider, "model": record.model},
            "gaps": record.gaps,
        },
    }


def _segment(number: int, segment: Segment, language: str) -> dict[str, Any]:
    return {
        "index": number,
        "start": segment.start_ms / 1000,
        "end": segment.end_ms / 1000,
        "duration": (segment.end_ms - segment.start_ms) / 1000,
        "text": segment.text,
        "confidence": segment.confidence,
        "language": language,
        "speaker": None,
    }
