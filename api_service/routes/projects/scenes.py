"""Scenes that were found in a project's film."""

from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import views
from api_service.context import reading, validated
from api_service.openapi import describes
from api_service.routes.projects.videos import ours
from common.errors import NotFound
from common.models import Asset, SceneRun

bp = Blueprint("project_scenes", __name__, url_prefix="/projects")


class ScenesQuery(BaseModel):
    """Which scenes; ``tag`` may be given several times, and one of them is enough.

    ``analysis_id`` names another analysis than the one that was asked for last.
    """

    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    tag: list[str] = []
    limit: Annotated[int, Field(ge=0, le=1000)] | None = None
    analysis_id: UUID | None = None


class SceneOut(BaseModel):
    """One scene, within the film; times are seconds."""

    id: UUID
    title: str
    description: str
    start: float
    end: float
    duration: float
    confidence: float | None
    priority: int
    tags: list[str]
    metadata: dict[str, Any]


class SceneAnalysis(BaseModel):
    """The scenes of one analysis, the best first."""

    asset_id: UUID
    project_id: str
    request_id: UUID
    generated_at: str
    parameters: dict[str, Any]
    usage: dict[str, Any]
    metadata: dict[str, Any]
    scenes: list[SceneOut]


@bp.get("/<project_id>/videos/<asset_id>/ai/scenes")
@describes(query=ScenesQuery, gives=SceneAnalysis, errors=(404,))
def get(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Return the scenes of the analysis that was asked for last."""
    sent: dict[str, Any] = {**request.args, "tag": request.args.getlist("tag")}
    wanted = validated(ScenesQuery, sent, "query")
    with reading() as session:
        asset, found = _found(session, project_id, asset_id, wanted.analysis_id)
    return {
        "asset_id": str(asset.id),
        "project_id": asset.project_id,
        "request_id": str(found.id),
        "generated_at": views.timestamp(found.created_at),
        "parameters": found.parameters,
        "usage": found.usage,
        "metadata": found.about,
        "scenes": [s for s in found.scenes if _is_wanted(s, wanted)][: wanted.limit],
    }


def _found(
    session: Session, project_id: str, asset_id: str, analysis_id: UUID | None
) -> tuple[Asset, SceneRun]:
    """Return a film and one analysis of it; one statement.

    Raises:
        NotFound: the project has no such file, or the file no such analysis.
    """
    this_one = SceneRun.asset_id == Asset.id
    if analysis_id is not None:
        this_one &= SceneRun.id == analysis_id
    row = session.execute(
        select(Asset, SceneRun)
        .outerjoin(SceneRun, this_one)
        .where(*ours(project_id, asset_id))
        .order_by(SceneRun.asked_at.desc())
        .limit(1)
    ).first()
    if row is None:
        raise NotFound("Video asset not found")
    asset, found = row
    if found is None:
        raise NotFound("Scene analysis not available")
    return asset, found


def _is_wanted(scene: dict[str, Any], wanted: ScenesQuery) -> bool:
    least, confidence = wanted.min_confidence, scene["confidence"]
    if least is not None and (confidence is None or confidence < least):
        return False
    tags = {tag.strip().lower() for tag in wanted.tag} - {""}
    return not tags or bool(tags.intersection(scene["tags"]))
