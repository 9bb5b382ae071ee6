"""The bytes of uploads, for storages to which clients cannot send themselves."""

from typing import Annotated, BinaryIO, cast
from uuid import UUID

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

from api_service.context import deps, query
from api_service.openapi import describes
from api_service.transfers import content_ranges
from common import uploads
from common.errors import BadRequest, Conflict, NotFound
from common.ingest import files
from common.models import Upload, UploadState

bp = Blueprint("upload_contents", __name__, url_prefix="/uploads")

_RESUME = 308  # "go on", as resumable sessions of Cloud Storage say it
_OVER = (UploadState.ABORTED, UploadState.ABANDONED)


class ArrivedBytes(BaseModel):
    """How many bytes are safe, also in the header ``Range``."""

    uploadId: UUID
    offset: int
    sizeBytes: int | None


class TokenIn(BaseModel):
    """The credential in an upload's URL."""

    token: Annotated[str, Field(max_length=200)] = ""


@bp.put("/<uuid:upload_id>/content")
@describes(
    query=TokenIn,
    raw=True,
    gives=ArrivedBytes,
    also={_RESUME: ArrivedBytes},
    errors=(400, 404, 409, 413),
)
def receive(upload_id: UUID) -> ResponseReturnValue:
    """Take bytes of an upload.

    Content-Range is ``bytes 0-99/1000``, or ``bytes */1000`` to ask how far we are;
    without it the body is the whole. 308 as long as bytes are missing. What is safe
    already is skipped, and what arrives before a connection is cut is kept.
    """
    upload = uploads.with_token(deps(), upload_id, query(TokenIn).token)
    if upload.state in _OVER:
        raise NotFound("Upload not found.")
    if upload.state != UploadState.OPEN:
        return _progress(upload, uploads.arrived_bytes(deps(), upload), whole=True)
    if upload.size_bytes is None:
        return _take_whole(upload)
    safe = uploads.arrived_bytes(deps(), upload)
    piece = content_ranges.piece(
        request.headers.get("Content-Range"), request.content_length, upload.size_bytes
    )
    if piece is not None and safe < upload.size_bytes:
        safe = _append(upload, piece, safe)
    return _progress(upload, safe, whole=safe == upload.size_bytes)


@bp.after_request
def _hang_up(response: Response) -> Response:
    """Do not wait for the rest of a body that was refused."""
    if request.method == "PUT" and response.status_code >= 400:  # noqa: PLR2004
        response.headers["Connection"] = "close"
    return response


def _append(upload: Upload, piece: content_ranges.Piece, safe: int) -> int:
    if piece.start > safe:
        raise _elsewhere(safe)
    stream = cast("BinaryIO", request.stream)
    arriving = content_ranges.Body(stream, piece.stop - piece.start)
    arriving.skip(safe - piece.start)
    source = cast("BinaryIO", arriving)
    session = upload.session or ""
    safe = deps().storage.append(session, upload.object_key, safe, source)
    if safe == upload.size_bytes:
        uploads.require_wanted(deps(), upload)
    return safe


def _elsewhere(safe: int) -> Conflict:
    error = Conflict(f"The upload stands at {safe} bytes.", code="upload_offset")
    error.details = [{"offset": safe}]
    return error


def _take_whole(upload: Upload) -> ResponseReturnValue:
    """Store what comes in one request: all of it or nothing."""
    if not (request.content_length or request.headers.get("Transfer-Encoding")):
        raise BadRequest("The file is empty.", code="upload_empty")
    if files.media_type(request.content_type or "") != upload.content_type:
        raise BadRequest(
            f"Content-Type must be {upload.content_type}.", code="upload_type"
        )
    kind = cast("files.Kind", upload.kind)
    files.require_within(deps().settings, kind, request.content_length or 0)
    limit = files.limit_bytes(deps().settings, kind)
    source = content_ranges.Limited(cast("BinaryIO", request.stream), limit)
    stored = deps().storage.write(upload.object_key, cast("BinaryIO", source))
    uploads.require_wanted(deps(), upload)
    return _progress(upload, stored.size_bytes, whole=True)


def _progress(upload: Upload, safe: int, *, whole: bool) -> ResponseReturnValue:
    told = {"uploadId": str(upload.id), "offset": safe, "sizeBytes": upload.size_bytes}
    headers = {"Range": f"bytes=0-{safe - 1}"} if safe else {}
    return told, 200 if whole else _RESUME, headers
