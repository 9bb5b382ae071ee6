"""Subtitles of a project's film: what was heard, as people have corrected it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api_service import views
from api_service.context import body, deps, query, reading
from api_service.openapi import describes
from api_service.paging import PageQuery, Pagination, pagination
from api_service.people.actors import actor
from api_service.routes.projects.transcripts import (
    FormatQuery,
    text_file,
    transcribed,
)
from common import subtitles
from common.errors import Conflict, InvalidInput, NotFound
from common.models import Asset, SubtitleEdit, TranscriptRecord
from common.subtitles import Subtitles

bp = Blueprint("project_subtitles", __name__, url_prefix="/projects")

_TEXT_CHARACTERS = 2000  # a segment is some seconds of speech
_MOST_TEXTS = 20_000
_MOST_BYTES = 16 * 1024 * 1024  # as many of a few hundred bytes each
_PAGE = 500

Spoken = Annotated[str, Field(max_length=_TEXT_CHARACTERS, pattern=r"^[^\x00]*$")]


class SubtitleIn(BaseModel):
    """A text for one segment; null is the machine's, blank hides the segment."""

    index: Annotated[int, Field(ge=0)]
    text: Spoken | None


class SubtitlesIn(BaseModel):
    """Texts for segments; times cannot be changed.

    ``version`` is that of the answer that they were made from: if the film has been
    transcribed again since, they would be put to other words, and are refused.
    """

    segments: Annotated[list[SubtitleIn], Field(max_length=_MOST_TEXTS)]
    version: str | None = None


class ReversionIn(BaseModel):
    """The last edit that shall count; 0: none of them."""

    edit_id: Annotated[int, Field(ge=0, lt=2**63)]


class SubtitleOut(BaseModel):
    """One segment as it is shown, and as the machine heard it; times are seconds."""

    index: int
    start: float
    end: float
    text: str
    original_text: str
    edited: bool
    edited_by: str | None
    edited_at: str | None


class SubtitlesOut(BaseModel):
    """All subtitles of a film. ``direction`` is how most of the text is read."""

    asset_id: UUID
    project_id: str
    language: str
    direction: Literal["ltr", "rtl"]
    version: str
    edited_count: int
    updated_at: str
    segments: list[SubtitleOut]


class EditOut(BaseModel):
    """One edit. ``current``: it is of the present transcript."""

    id: int
    index: int
    text: str | None
    actor: str
    created_at: str
    current: bool


class History(BaseModel):
    """Edits, newest first."""

    asset_id: UUID
    edits: list[EditOut]
    pagination: Pagination


class HistoryQuery(PageQuery):
    """Which part of the history."""

    limit: Annotated[int, Field(ge=0, le=_PAGE)] = _PAGE


@bp.get("/<project_id>/videos/<asset_id>/subtitles")
@describes(query=FormatQuery, gives=SubtitlesOut, errors=(404,))
def get(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Return the subtitles with all corrections, as data, SRT or WebVTT."""
    wanted = query(FormatQuery)
    with reading() as session:
        asset, record = transcribed(session, project_id, asset_id)
        found = subtitles.read(session, asset.recording_id)
    if wanted.format != "json":
        return text_file(asset, wanted.format, found.edited)
    return _wire(asset, record, found)


@bp.put("/<project_id>/videos/<asset_id>/subtitles")
@describes(body=SubtitlesIn, gives=SubtitlesOut, errors=(404, 409, 413))
def replace(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Set the texts of all segments; those that are not named are the machine's."""
    return _change(project_id, asset_id, others_too=True)


@bp.patch("/<project_id>/videos/<asset_id>/subtitles")
@describes(body=SubtitlesIn, gives=SubtitlesOut, errors=(404, 409, 413))
def change(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Set the texts of some segments; the others stay as they are."""
    return _change(project_id, asset_id, others_too=False)


@bp.get("/<project_id>/videos/<asset_id>/subtitles/edits")
@describes(query=HistoryQuery, gives=History, errors=(404,))
def edits(project_id: str, asset_id: str) -> ResponseReturnValue:
    """List who changed what, newest first; also edits of earlier transcripts."""
    page = query(HistoryQuery)
    with reading() as session:
        asset, _record = transcribed(session, project_id, asset_id)
        version = subtitles.read(session, asset.recording_id).version
        mine = SubtitleEdit.recording_id == asset.recording_id
        rows = session.scalars(
            select(SubtitleEdit)
            .where(mine)
            .order_by(SubtitleEdit.id.desc())
            .limit(page.limit)
            .offset(page.offset)
        ).all()
        total = session.scalar(select(func.count(SubtitleEdit.id)).where(mine)) or 0
    return {
        "asset_id": str(asset.id),
        "edits": [_edit(row, version) for row in rows],
        "pagination": pagination(page, count=len(rows), total=total),
    }


@bp.post("/<project_id>/videos/<asset_id>/subtitles/reversions")
@describes(body=ReversionIn, gives=SubtitlesOut, errors=(404,))
def revert(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Put all texts back to what they were after an edit; the history stays."""
    last = body(ReversionIn).edit_id
    with deps().db.begin() as session:
        asset, record, present = _locked(session, project_id, asset_id)
        then = subtitles.read(session, asset.recording_id, until=last)
        if last and not _is_known(session, asset, present, last):
            raise NotFound("Edit not found")
        texts = {number: then.text(number) for number in present.edits}
        return _written(session, asset, record, present, texts)


def _is_known(session: Session, asset: Asset, present: Subtitles, id_: int) -> bool:
    """Tell whether this is an edit of the film's present transcript."""
    edit = session.get(SubtitleEdit, id_)
    ours = edit is not None and edit.recording_id == asset.recording_id
    return edit is not None and ours and edit.version == present.version


def _change(project_id: str, asset_id: str, *, others_too: bool) -> dict[str, Any]:
    sent = body(SubtitlesIn, most_bytes=_MOST_BYTES)
    texts = {one.index: one.text for one in sent.segments}
    with deps().db.begin() as session:
        asset, record, present = _locked(session, project_id, asset_id)
        if sent.version is not None and sent.version != present.version:
            raise Conflict(
                "The film has been transcribed again since.",
                code="transcript_replaced",
            )
        if unknown := sorted(n for n in texts if n >= len(present.segments)):
            raise InvalidInput(
                f"There is no segment {unknown[0]}; the last one is"
                f" {len(present.segments) - 1}.",
                code="segment_unknown",
            )
        if others_too:
            texts = {**dict.fromkeys(present.edits), **texts}
        return _written(session, asset, record, present, texts)


def _locked(
    session: Session, project_id: str, asset_id: str
) -> tuple[Asset, TranscriptRecord, Subtitles]:
    """Return the film and its subtitles, which nobody else changes meanwhile."""
    asset, record = transcribed(session, project_id, asset_id)
    session.refresh(record, with_for_update={"key_share": True})
    return asset, record, subtitles.read(session, asset.recording_id)


def _written(
    session: Session,
    asset: Asset,
    record: TranscriptRecord,
    present: Subtitles,
    texts: Mapping[int, str | None],
) -> dict[str, Any]:
    recording_id = asset.recording_id
    subtitles.write(session, recording_id, present, texts, actor=actor())
    return _wire(asset, record, subtitles.read(session, recording_id))


def _wire(asset: Asset, record: TranscriptRecord, found: Subtitles) -> dict[str, Any]:
    shown = found.edited
    return {
        "asset_id": str(asset.id),
        "project_id": asset.project_id,
        "language": record.language,
        "direction": subtitles.direction(shown),
        "version": found.version,
        "edited_count": sum(edit.text is not None for edit in found.edits.values()),
        "updated_at": views.timestamp(found.changed_at or record.created_at),
        "segments": [_segment(found, n, one.text) for n, one in enumerate(shown)],
    }


def _segment(found: Subtitles, number: int, text: str) -> dict[str, Any]:
    heard, edit = found.segments[number], found.edits.get(number)
    return {
        "index": number,
        "start": heard.start_ms / 1000,
        "end": heard.end_ms / 1000,
        "text": text,
        "original_text": heard.text,
        "edited": found.text(number) is not None,
        "edited_by": edit and edit.actor,
        "edited_at": views.timestamp(edit.created_at) if edit else None,
    }


def _edit(row: SubtitleEdit, version: str) -> dict[str, Any]:
    return {
        "id": row.id,
        "index": row.number,
        "text": row.text,
        "actor": row.actor,
        "created_at": views.timestamp(row.created_at),
        "current": row.version == version,
    }
