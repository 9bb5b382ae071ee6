"""Recordings are played."""

from mimetypes import guess_type

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from api_service.context import reading
from api_service.openapi import describes
from api_service.people.owners import visible
from api_service.transfers import files
from common.errors import NotFound
from common.models import Lecture, Recording

bp = Blueprint("media", __name__, url_prefix="/lectures")

_MISSING = "Recording file missing."


@bp.get("/<lecture_id>/media")
@describes(gives="*/*", errors=(404, 416))
def media(lecture_id: str) -> ResponseReturnValue:
    """Play the recording; ranges are served, so ``#t=75`` starts at 1:15.

    Where it lies in a bucket, the answer is a redirect to it, good for some minutes.
    """
    with reading() as session:
        recording = session.scalar(
            select(Recording)
            .join(Lecture, Lecture.recording_id == Recording.id)
            .where(Lecture.id == lecture_id, visible(Lecture))
        )
    if recording is None:
        raise NotFound("Lecture not found.")
    if recording.object_key is None:
        raise NotFound(_MISSING)
    name = recording.object_key.rpartition("/")[2]
    if request.method == "GET" and (url := _link(recording.object_key, name)):
        response = redirect(url, 302)
        response.headers["Cache-Control"] = "no-store"  # it is a key, for some minutes
        return response
    return files.send(
        recording.object_key,
        missing=_MISSING,
        size_bytes=recording.size_bytes,
        etag=recording.sha256,
        last_modified=recording.created_at,
        download_name=name,
    )


def _link(key: str, name: str) -> str | None:
    kind = guess_type(name)[0] or "application/octet-stream"
    return files.link(key, missing=_MISSING, filename=name, content_type=kind)
