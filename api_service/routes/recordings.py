"""Recordings come in."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, BinaryIO, Literal, cast
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from api_service import idempotency, incoming, lecture_rows
from api_service.context import deps, form
from api_service.openapi import describes
from api_service.routes.schemas import Name, SpeechProvider
from common import jobs, object_keys, objects
from common.documents.check import check as check_document
from common.errors import BadRequest, UnreadableMedia
from common.ids import client_id, new_id
from common.jobs import Transcription
from common.media.check import check_open
from common.models import LectureStatus, Recording
from common.presets import find
from common.providers import speech
from common.providers.storage import StoredObject

bp = Blueprint("recordings", __name__, url_prefix="/lectures")

_UNFINISHED = timedelta(hours=1)  # no upload takes longer from storing to its row


class IngestForm(BaseModel):
    """Fields beside the file; any of the first four blank is refused."""

    course_id: str = ""
    lecture_id: str = ""
    preset_id: str = ""
    title: str = ""
    course_title: str | None = None
    duration_sec: int = 0
    source_type: str = "upload"
    lecture_mode: str | None = None
    auto_transcribe: bool = True
    storage_path: str | None = None
    transcribe_provider: SpeechProvider | None = None
    transcribe_model: Name | None = None
    transcribe_language_code: Name | None = None


class Ingested(BaseModel):
    """Where the upload was put."""

    lectureId: str
    metadataPath: str
    audioPath: str
    lectureMode: str | None
    fileType: Literal["audio", "pdf"]


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that was looked into and may be stored."""

    fields: IngestForm
    preset_id: str
    provider: str
    kind: Literal["audio", "pdf"]
    filename: str
    recording_id: UUID
    received_at: datetime

    @property
    def audio_key(self) -> str:
        """Where the bytes go."""
        name = "document.pdf" if self.kind == "pdf" else self.filename
        return object_keys.recording(self.fields.lecture_id, self.recording_id, name)

    @property
    def metadata_key(self) -> str:
        """Where the document about them goes."""
        return object_keys.metadata(self.fields.lecture_id, self.recording_id)


@bp.post("/ingest")
@describes(
    form=IngestForm,
    files=("audio", "file"),
    gives=Ingested,
    errors=(400, 409, 413),
)
def ingest() -> ResponseReturnValue:
    """Take a recording in, and have it transcribed unless told otherwise.

    A lecture that exists gets the new recording in the place of its old one.
    """
    fields = _fields()
    file = _file(fields)
    with idempotency.attempt("lectures.ingest", _fingerprint(fields, file)) as attempt:
        if attempt.answer is not None:
            return attempt.answer
        upload, stream = _checked(fields, file)
        stored = _store(upload, stream)
        answer = _answer(upload)
        with deps().db.begin() as session:
            _save(session, upload, stored)
            objects.spare(session, [upload.audio_key, upload.metadata_key])
            job_id = _ask_for_transcript(session, upload)
            attempt.save(session, answer)
    if job_id is not None:
        jobs.drain(deps().db, deps().queue.send, job_ids=[job_id])
    return answer


def _fields() -> IngestForm:
    fields = form(IngestForm)
    required = (fields.course_id, fields.lecture_id, fields.preset_id, fields.title)
    if not all(value.strip() for value in required):
        raise BadRequest(
            "Missing required fields: course_id, lecture_id, preset_id, title",
            code="missing_fields",
        )
    return fields


def _fingerprint(fields: IngestForm, file: FileStorage) -> dict[str, object]:
    """Return what makes two uploads the same request; the bytes are not part of it."""
    return {
        "course_id": fields.course_id,
        "lecture_id": fields.lecture_id,
        "preset_id": fields.preset_id,
        "title": fields.title,
        "duration_sec": fields.duration_sec,
        "source_type": fields.source_type,
        "lecture_mode": fields.lecture_mode or "",
        "audio_filename": file.filename,
        "file_type": _kind(file),
    }


def _store(upload: Upload, stream: BinaryIO) -> StoredObject:
    """Store the file and the document about it; they go unless they get their rows."""
    with deps().db.begin() as session:
        keys = [upload.audio_key, upload.metadata_key]
        objects.doom(session, keys, after=_UNFINISHED)
    stored = deps().storage.write(upload.audio_key, stream)
    document = json.dumps(_metadata(upload, stored), ensure_ascii=False)
    deps().storage.write(upload.metadata_key, BytesIO(document.encode()))
    return stored


def _answer(upload: Upload) -> dict[str, Any]:
    return {
        "lectureId": upload.fields.lecture_id,
        "metadataPath": deps().storage.uri(upload.metadata_key),
        "audioPath": deps().storage.uri(upload.audio_key),
        "lectureMode": upload.fields.lecture_mode,
        "fileType": upload.kind,
    }


def _checked(fields: IngestForm, file: FileStorage) -> tuple[Upload, BinaryIO]:
    """Refuse what cannot be used, before anything is stored."""
    client_id("course_id", fields.course_id)
    client_id("lecture_id", fields.lecture_id)
    preset = find(fields.preset_id)
    if preset is None:
        raise BadRequest("Invalid preset_id.", code="invalid_preset")
    provider = speech.accept(deps().settings, fields.transcribe_provider)
    stream = _readable(file)
    return Upload(
        fields=fields,
        preset_id=preset.id,
        provider=provider,
        kind=_kind(file),
        filename=file.filename or "",
        recording_id=new_id(),
        received_at=datetime.now(UTC),
    ), stream


def _file(fields: IngestForm) -> FileStorage:
    if fields.storage_path is not None:
        raise BadRequest(
            "storage_path is not supported yet: send the file itself.",
            code="storage_path_unsupported",
        )
    file = request.files.get("audio") or request.files.get("file")
    if file is None or not file.filename:
        raise BadRequest(
            "Either 'audio', 'file', or 'storage_path' parameter is required",
            code="file_missing",
        )
    return file


def _kind(file: FileStorage) -> Literal["audio", "pdf"]:
    pdf = incoming.is_pdf(file.filename or "", file.content_type or "")
    return "pdf" if pdf else "audio"


def _readable(file: FileStorage) -> BinaryIO:
    """Return the upload's bytes if they are a recording or a document.

    Raises:
        UnreadableMedia: they are no recording.
        UnreadableDocument: they are no PDF with text.
    """
    stream = cast("BinaryIO", file.stream)
    stream.flush()
    if not incoming.size_bytes(stream):
        raise UnreadableMedia("The file is empty.", code="media_empty")
    if _kind(file) == "pdf":
        check_document(stream)
    else:
        check_open(stream)
    stream.seek(0)
    return stream


def _metadata(upload: Upload, stored: StoredObject) -> dict[str, Any]:
    fields, now = upload.fields, upload.received_at.isoformat()
    return {
        "id": fields.lecture_id,
        "courseId": fields.course_id,
        "presetId": upload.preset_id,
        "title": fields.title,
        "lectureMode": fields.lecture_mode,
        "recordedAt": now,
        "durationSec": fields.duration_sec,
        "audioSource": {
            "sourceType": fields.source_type,
            "originalFilename": upload.filename,
            "storagePath": deps().storage.uri(upload.audio_key),
            "sizeBytes": stored.size_bytes,
            "fileType": upload.kind,
        },
        "status": LectureStatus.UPLOADED,
        "artifacts": [],
        "createdAt": now,
        "updatedAt": now,
    }


def _save(session: Session, upload: Upload, stored: StoredObject) -> None:
    fields = upload.fields
    lecture_rows.save_course(session, fields.course_id, fields.course_title)
    session.add(
        Recording(
            id=upload.recording_id,
            kind=upload.kind,
            object_key=stored.key,
            metadata_key=upload.metadata_key,
            original_filename=upload.filename,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
        )
    )
    session.flush()
    values = {
        "course_id": fields.course_id,
        "preset_id": upload.preset_id,
        "title": fields.title.strip(),
        "status": LectureStatus.UPLOADED,
        "lecture_mode": fields.lecture_mode,
        "recording_id": upload.recording_id,
    }
    lecture_rows.put(session, fields.lecture_id, values)


def _ask_for_transcript(session: Session, upload: Upload) -> UUID | None:
    fields = upload.fields
    if not fields.auto_transcribe:
        return None
    payload = Transcription(
        lecture_id=fields.lecture_id,
        recording_id=upload.recording_id,
        provider=upload.provider,
        model=fields.transcribe_model or deps().settings.speech_model,
        language=fields.transcribe_language_code or deps().settings.stt_language,
    )
    job_id, _ = jobs.enqueue(session, payload)
    return job_id
