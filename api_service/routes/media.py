"""Recordings are played."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from api_service import files
from api_service.context import reading
from api_service.openapi import describes
from common.errors import NotFound
from common.models import Lecture, Recording

bp = Blueprint("media", __name__, url_prefix="/lectures")


@bp.get("/<lecture_id>/media")
@describes(gives="*/*", errors=(404, 416))
def media(lecture_id: str) -> ResponseReturnValue:
    """Play the recording; ranges are served, so ``#t=75`` starts at 1:15."""
    with reading() as session:
        recording = session.scalar(
            select(Recording)
            .join(Lecture, Lecture.recording_id == Recording.id)
            .where(Lecture.id == lecture_id)
        )
    if recording is None:
        raise NotFound("Lecture not found.")
    if recording.object_key is None:
        raise NotFound("Recording file missing.")
    return files.send(
        recording.object_key,
        missing="Recording file missing.",
        size_bytes=recording.size_bytes,
        etag=recording.sha256,
        last_modified=recording.created_at,
        download_name=recording.object_key.rpartition("/")[2],
    )
