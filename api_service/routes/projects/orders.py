"""What may be asked of a project's files, checked whole before anything is written.

A new job type is an entry in ``ORDERS``: a function that turns what a client sent into
the payload of a job, or refuses it.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service.context import deps, validated
from api_service.routes.projects.schemas import JobType
from common.assets import footage
from common.errors import Conflict, NotFound
from common.jobs import (
    AssetTranscription,
    Ingest,
    Payload,
    SceneDetection,
    TimelineExport,
)
from common.models import Asset, TranscriptRecord
from common.providers import llm, speech
from common.scenes import MOST_SCENES
from common.timeline import encoders
from common.timeline.planning import templates
from common.timeline.request import Timeline, given

Accept = Callable[[Session, str, Mapping[str, Any]], Payload]
"""Takes the transaction that will write the job, the project, and what was sent."""


_PROMPT_CHARACTERS = 1000  # recognisers read the last 200 words or so
_WISH_CHARACTERS = 1000


def _numeric(value: object) -> object:
    """Return a number, or None for what is none: clients know the default then."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return None


Wish = Annotated[str, Field(max_length=_WISH_CHARACTERS)] | None


class IngestOrder(BaseModel):
    """The payload of an ``ingest`` job; ``checksum`` is echoed in its result."""

    model_config = ConfigDict(extra="ignore")

    asset_id: UUID
    checksum: str | None = None


class TranscriptionOrder(BaseModel):
    """The payload of a ``transcription`` job; null is as good as nothing."""

    asset_id: UUID
    language: Annotated[str, Field(min_length=2, max_length=35)] | None = None
    prompt: Annotated[str, Field(max_length=_PROMPT_CHARACTERS)] | None = None
    force: bool | None = None


class SceneOrder(BaseModel):
    """The payload of a ``scene_detection`` job; null is as good as nothing."""

    asset_id: UUID
    tone: Wish = Field(None, validation_alias=AliasChoices("tone", "style"))
    criteria: Wish = Field(
        None, validation_alias=AliasChoices("criteria", "highlight_criteria")
    )
    max_scenes: Annotated[
        Annotated[int, Field(ge=1, le=MOST_SCENES)] | None,
        BeforeValidator(_numeric),
    ] = None
    instructions: Wish = None
    force: bool | None = None


def accept(
    session: Session, project_id: str, job_type: JobType, sent: Mapping[str, Any]
) -> Payload:
    """Return the job that does what was asked for.

    Raises:
        InvalidRequest: some field of the payload is not valid.
        NotFound: it names a file that the project does not have.
    """
    return ORDERS[job_type](session, project_id, sent)


def require_asset(session: Session, project_id: str, asset_id: UUID) -> Asset:
    """Return a file of the project, locked, so that it stays until its job is written.

    Raises:
        NotFound: the project has no such file.
    """
    found = session.scalar(
        select(Asset)
        .where(Asset.id == asset_id, Asset.project_id == project_id)
        .with_for_update(key_share=True)
    )
    if found is None:
        raise NotFound("Video asset not found")
    return found


def _ingest(session: Session, project_id: str, sent: Mapping[str, Any]) -> Payload:
    order = validated(IngestOrder, sent, "body", "payload")
    asset = require_asset(session, project_id, order.asset_id)
    return Ingest(project_id=project_id, asset_id=asset.id, checksum=order.checksum)


def _transcription(
    session: Session, project_id: str, sent: Mapping[str, Any]
) -> Payload:
    order = validated(TranscriptionOrder, sent, "body", "payload")
    asset = require_asset(session, project_id, order.asset_id)
    settings = deps().settings
    provider = speech.accept(settings, None)
    openai = settings.openai_transcription_model if provider == "openai" else None
    return AssetTranscription(
        project_id=project_id,
        asset_id=asset.id,
        recording_id=asset.recording_id,
        provider=provider,
        model=openai or settings.speech_model,
        language=order.language or settings.stt_language,
        prompt=order.prompt or None,
        force=bool(order.force),
    )


def _scenes(session: Session, project_id: str, sent: Mapping[str, Any]) -> Payload:
    order = validated(SceneOrder, sent, "body", "payload")
    asset = require_asset(session, project_id, order.asset_id)
    if session.get(TranscriptRecord, asset.recording_id) is None:
        raise Conflict(
            "Transcript is required before running scene detection",
            code="transcript_missing",
        )
    settings = deps().settings
    provider = llm.accept(settings, None)
    openai = settings.openai_scene_model if provider == "openai" else None
    return SceneDetection(
        project_id=project_id,
        asset_id=asset.id,
        provider=provider,
        model=openai,
        tone=order.tone or None,
        criteria=order.criteria or None,
        max_scenes=order.max_scenes or settings.openai_scene_max_scenes,
        instructions=order.instructions or None,
        force=bool(order.force),
    )


def _export(session: Session, project_id: str, sent: Mapping[str, Any]) -> Payload:
    timeline = validated(Timeline, given(sent), "body", "payload")
    encoders.require(template.format for template in templates(timeline))
    footage.find(session, project_id, timeline)
    told = timeline.model_dump(mode="json", exclude_unset=True)
    return TimelineExport(project_id=project_id, timeline=told)


ORDERS: dict[JobType, Accept] = {
    "export": _export,
    "ingest": _ingest,
    "scene_detection": _scenes,
    "transcription": _transcription,
}
