"""Study presets."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel

from api_service.openapi import describes
from common.errors import NotFound
from common.presets import Preset, presets

bp = Blueprint("presets", __name__, url_prefix="/presets")


class Presets(BaseModel):
    """All presets."""

    presets: list[Preset]


@bp.get("")
@describes(gives=Presets)
def index() -> ResponseReturnValue:
    """List the presets."""
    return {"presets": [_shown(preset) for preset in presets().values()]}


@bp.get("/<preset_id>")
@describes(gives=Preset, errors=(404,))
def get(preset_id: str) -> ResponseReturnValue:
    """Return one preset."""
    preset = presets().get(preset_id)
    if preset is None:
        raise NotFound("Preset not found.")
    return _shown(preset)


def _shown(preset: Preset) -> dict[str, object]:
    return preset.model_dump(mode="json", exclude_none=True)
