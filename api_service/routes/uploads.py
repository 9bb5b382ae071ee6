"""Files that go to storage directly, past the limit of a single request."""

from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field

from api_service import cors, rate_limits
from api_service.context import body, deps, reading
from api_service.openapi import describes
from api_service.people.callers import caller
from api_service.people.owners import visible
from api_service.routes.schemas import SpeechProvider
from common import ingest, uploads
from common.assets import names
from common.errors import BadRequest
from common.models import Upload, UploadState
from common.uploads import Announced

bp = Blueprint("uploads", __name__)

_PRINTABLE = r"^[^\x00]*$"  # PostgreSQL cannot hold a NUL
_MEDIA_TYPE = r"^[\w.+-]+/[\w.+-]+( *;[\x20-\x7e]*)?$"  # it goes into a header

Text = Annotated[str, Field(pattern=_PRINTABLE)]
ShortText = Annotated[str, Field(max_length=200, pattern=_PRINTABLE)]
Filename = Annotated[str, Field(min_length=1, max_length=1024, pattern=_PRINTABLE)]
MediaType = Annotated[str, Field(max_length=200, pattern=_MEDIA_TYPE)]
State = Literal["open", "complete", "used", "refused", "aborted", "abandoned"]
Kind = Literal["audio", "pdf", "video"]


class LectureIn(BaseModel):
    """What is to become of the file; any of the first four blank is refused."""

    course_id: Text = ""
    lecture_id: Text = ""
    preset_id: Text = ""
    title: Text = ""
    course_title: Text | None = None
    duration_sec: int = 0
    source_type: Text = "upload"
    lecture_mode: Text | None = None
    auto_transcribe: bool = True
    transcribe_provider: SpeechProvider | None = None
    transcribe_model: ShortText | None = None
    transcribe_language_code: ShortText | None = None


class ProjectIn(BaseModel):
    """The project that is to have the file."""

    project_id: Annotated[str, Field(pattern=_PRINTABLE)]


class UploadIn(BaseModel):
    """A file that is going to be sent. Without a lecture it waits for an ingest.

    One for a project becomes its asset, which has the id of the upload.
    """

    filename: Filename
    contentType: MediaType
    sizeBytes: int = Field(ge=1, lt=2**63)
    lecture: LectureIn | None = None
    project: ProjectIn | None = None


class OpenedUpload(BaseModel):
    """Where to send it. Whoever knows the URL may send: keep it secret."""

    uploadId: UUID
    uploadUrl: str
    offset: int
    sizeBytes: int
    expiresAt: str
    storagePath: str
    fileType: Kind


class UploadError(BaseModel):
    """Why it was refused."""

    code: str
    message: str


class UploadRow(BaseModel):
    """How far an upload is."""

    uploadId: UUID
    state: State
    offset: int
    sizeBytes: int | None
    filename: str
    contentType: str
    fileType: Kind
    storagePath: str
    lectureId: str | None
    projectId: str | None
    error: UploadError | None
    createdAt: str
    expiresAt: str


class CompletedUpload(BaseModel):
    """What has become of it; the lecture's fields are null as long as it has none."""

    uploadId: UUID
    state: State
    sizeBytes: int
    storagePath: str
    lectureId: str | None
    metadataPath: str | None
    audioPath: str | None
    lectureMode: str | None
    projectId: str | None
    assetId: UUID | None
    fileType: Kind


class EndedUpload(BaseModel):
    """An upload of which nothing is left."""

    uploadId: UUID
    state: State


class SignedUrlIn(BaseModel):
    """A file that is going to be sent in one request. ``prefix`` has no effect."""

    filename: Filename
    content_type: MediaType
    prefix: Text | None = None


class SignedUrl(BaseModel):
    """Where to PUT it, and what to call it at ``/lectures/ingest`` afterwards."""

    url: str
    storagePath: str


@bp.post("/uploads")
@describes(body=UploadIn, gives=OpenedUpload, status=201, errors=(400, 404, 413, 429))
def announce() -> ResponseReturnValue:
    """Open a resumable upload; everything that can be refused is refused here."""
    sent = body(UploadIn)
    wishes = None
    if sent.lecture is not None:
        ingest.require_complete(sent.lecture)
        wishes = ingest.accept(deps().settings, sent.lecture, caller().user_id)
        with reading() as session:
            ingest.require_own(session, wishes)
    announced = Announced(
        project_id=_project(sent),
        filename=sent.filename,
        content_type=sent.contentType,
        size_bytes=sent.sizeBytes,
        wishes=wishes,
        origin=_origin(),
        owner_id=caller().user_id,
        client=rate_limits.writer(),
    )
    opened = uploads.open_upload(deps(), announced)
    return {
        "uploadId": str(opened.upload.id),
        "uploadUrl": opened.url,
        "offset": 0,
        "sizeBytes": sent.sizeBytes,
        "expiresAt": opened.upload.expires_at.isoformat(),
        "storagePath": deps().storage.uri(opened.upload.object_key),
        "fileType": opened.upload.kind,
    }, 201


@bp.post("/upload/signed-url")
@describes(body=SignedUrlIn, gives=SignedUrl, errors=(400, 429))
def sign() -> ResponseReturnValue:
    """Tell where a file may be PUT, whole and once, with its type as Content-Type."""
    sent = body(SignedUrlIn)
    announced = Announced(
        filename=sent.filename,
        content_type=sent.content_type,
        origin=_origin(),
        owner_id=caller().user_id,
        client=rate_limits.writer(),
    )
    opened = uploads.open_upload(deps(), announced)
    path = deps().storage.uri(opened.upload.object_key)
    return {"url": opened.url, "storagePath": path}


@bp.get("/uploads/<uuid:upload_id>")
@describes(gives=UploadRow, errors=(404,))
def show(upload_id: UUID) -> ResponseReturnValue:
    """Show how far an upload is."""
    upload = _own(upload_id)
    error = {"code": upload.error_code, "message": upload.error_detail}
    return {
        "uploadId": str(upload.id),
        "state": upload.state,
        "offset": uploads.arrived_bytes(deps(), upload),
        "sizeBytes": upload.size_bytes,
        "filename": upload.filename,
        "contentType": upload.content_type,
        "fileType": upload.kind,
        "storagePath": deps().storage.uri(upload.object_key),
        "lectureId": (upload.lecture or {}).get("lecture_id"),
        "projectId": upload.project_id,
        "error": error if upload.error_code else None,
        "createdAt": upload.created_at.isoformat(),
        "expiresAt": upload.expires_at.isoformat(),
    }


@bp.post("/uploads/<uuid:upload_id>/complete")
@describes(gives=CompletedUpload, errors=(404, 409, 413, 422))
def complete(upload_id: UUID) -> ResponseReturnValue:
    """Have an upload looked into, and taken in if it was announced with a lecture.

    Calling it again is answered alike. 409 with the offset if bytes are missing.
    """
    return _completed(uploads.complete(deps(), _own(upload_id).id))


@bp.delete("/uploads/<uuid:upload_id>")
@describes(gives=EndedUpload, errors=(404, 409))
def abort(upload_id: UUID) -> ResponseReturnValue:
    """Forget an upload, and what has arrived of it."""
    ended = uploads.abort(deps(), _own(upload_id).id)
    return {"uploadId": str(ended.id), "state": ended.state}


def _own(upload_id: UUID) -> Upload:
    return uploads.get(deps(), upload_id, among=visible(Upload))


def _completed(upload: Upload) -> dict[str, Any]:
    told: dict[str, Any] = {
        "uploadId": str(upload.id),
        "state": upload.state,
        "sizeBytes": upload.stored_bytes,
        "storagePath": deps().storage.uri(upload.object_key),
        "lectureId": None,
        "metadataPath": None,
        "audioPath": None,
        "lectureMode": None,
        "projectId": upload.project_id,
        "assetId": None,
        "fileType": upload.kind,
    }
    if upload.state == UploadState.USED and upload.project_id is not None:
        told["assetId"] = str(upload.id)
    elif upload.state == UploadState.USED:
        told |= ingest.answer(deps(), *uploads.lecture_of(upload))
    return told


def _project(sent: UploadIn) -> str | None:
    """Return the project that is to have the file, if one is.

    Raises:
        BadRequest: it could be none, or a lecture is to have the file as well.
    """
    if sent.project is None:
        return None
    if sent.lecture is not None:
        raise BadRequest("A file is for a lecture or for a project.")
    return names.project_id(sent.project.project_id)


def _origin() -> str | None:
    """Return which page sends the file, if it is one that may."""
    origin = request.headers.get("Origin")
    settings = deps().settings
    allowed = cors.listed(settings.cors_origins) | cors.listed(settings.project_origins)
    return origin if origin and allowed & {"*", origin} else None
