"""Files that films are made with beside films: music, watermarks, subtitles."""

from datetime import timedelta

from flask import Blueprint
from flask.typing import ResponseReturnValue

from api_service import idempotency
from api_service.context import deps
from api_service.openapi import describes
from api_service.routes.projects.videos import (
    FIELD,
    Uploaded,
    VideoForm,
    answer,
    named_part,
    removed_on_failure,
)
from api_service.transfers.parts import Part
from common import object_keys, objects
from common.assets import materials
from common.assets.materials import Material
from common.ids import new_id

bp = Blueprint("project_materials", __name__, url_prefix="/projects")

_UNFINISHED = timedelta(hours=1)  # no upload takes longer from storing to its row


@bp.post("/<project_id>/materials")
@describes(
    form=VideoForm, files=(FIELD,), gives=Uploaded, status=201, errors=(400, 409, 413)
)
def upload(project_id: str) -> ResponseReturnValue:
    """Take in music, a picture (PNG, JPEG, WebP) or subtitles (SRT, WebVTT).

    Exports name it by its ``asset_id`` or its ``relative_path``. A file that the
    project has already is the answer as it is.
    """
    part = named_part()
    materials.kind(part.filename)
    named = {"project_id": project_id, "filename": part.filename}
    with idempotency.attempt("projects.materials", named) as told:
        if told.answer is not None:
            return told.answer, 201
        material = _stored(project_id, part)
        with deps().db.begin() as session:
            shown = answer(materials.save(session, material))
            told.save(session, shown)
    return shown, 201


def _stored(project_id: str, part: Part) -> Material:
    """Store the file; it goes unless it gets its row.

    Raises:
        TooLarge: it has more bytes than allowed.
        InvalidInput: it is not what its name says.
    """
    recording_id = new_id()
    key = object_keys.project_file(project_id, recording_id, part.filename)
    with deps().db.begin() as session:
        objects.doom(session, [key], after=_UNFINISHED)
    with removed_on_failure(key):
        stored = deps().storage.write(key, part.stream)
        with deps().storage.read(key) as file:
            materials.examine(file, part.filename, stored.size_bytes)
    return Material(
        project_id=project_id,
        asset_id=new_id(),
        recording_id=recording_id,
        object_key=key,
        filename=part.filename,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )
