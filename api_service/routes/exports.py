"""Exported files: asked for and downloaded."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import asking
from api_service.context import deps, reading
from api_service.openapi import describes
from api_service.people.owners import visible
from api_service.routes.schemas import QueuedJob
from api_service.transfers import files
from common.errors import NotFound
from common.exports import FORMATS, Format
from common.jobs import Export
from common.models import Export as ExportRecord
from common.models import Lecture

bp = Blueprint("exports", __name__)

_MISSING = "Export file missing."


@bp.post("/lectures/<lecture_id>/export")
@describes(gives=QueuedJob, errors=(404, 409))
def export(lecture_id: str) -> ResponseReturnValue:
    """Have all files written; a live job for it is returned, not doubled."""

    def prepare(session: Session) -> tuple[Export, dict[str, str]]:
        asking.lecture(session, lecture_id, "Lecture not found.")
        return Export(lecture_id=lecture_id), {}

    return asking.ask("lectures.export", {"lecture_id": lecture_id}, prepare)


@bp.get("/exports/<lecture_id>/<export_type>")
@describes(gives="*/*", errors=(404, 416))
def download(lecture_id: str, export_type: str) -> ResponseReturnValue:
    """Return one file; ranges are served. With S3, ``downloadUrl`` says where it is."""
    with reading() as session:
        found = session.scalar(
            select(ExportRecord)
            .join(Lecture, Lecture.id == ExportRecord.lecture_id)
            .where(
                ExportRecord.lecture_id == lecture_id,
                ExportRecord.export_type == export_type,
                visible(Lecture),
            )
        )
    if found is None or export_type not in FORMATS:
        raise NotFound("Export not found.")
    form = FORMATS[export_type]
    if deps().settings.storage_mode == "s3":
        return _link(found, form)
    response = files.send(
        found.object_key,
        missing=_MISSING,
        size_bytes=found.size_bytes,
        etag=f"{found.job_id}-{export_type}",
        last_modified=found.created_at,
        mimetype=form.media_type.partition(";")[0],
        as_attachment=True,
        download_name=f"{lecture_id}{form.extension}",
    )
    response.content_type = form.media_type
    return response


def _link(found: ExportRecord, form: Format) -> dict[str, str]:
    url = files.link(
        found.object_key,
        missing=_MISSING,
        filename=f"{found.lecture_id}{form.extension}",
        content_type=form.media_type,
    )
    if url is None:
        raise NotFound("Export URL unavailable.")
    return {"downloadUrl": url}
