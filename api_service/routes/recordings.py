"""Recordings come in."""

from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Literal, cast
from uuid import UUID

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from werkzeug.datastructures import FileStorage

from api_service import idempotency
from api_service.context import deps, form, reading
from api_service.openapi import describes
from api_service.people.callers import caller
from api_service.people.owners import visible
from api_service.routes.schemas import Name, SpeechProvider
from common import events, ingest, jobs, object_keys, objects, uploads
from common.errors import BadRequest, InvalidInput
from common.ids import new_id
from common.ingest import Arrival, Wishes, files
from common.models import Upload

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


@bp.post("/ingest", endpoint="ingest")
@describes(
    form=IngestForm,
    files=("audio", "file"),
    gives=Ingested,
    errors=(400, 404, 409, 413),
)
def take_in() -> ResponseReturnValue:
    """Take a recording in, and have it transcribed unless told otherwise.

    A lecture that exists gets the new recording in the place of its old one.
    """
    fields = form(IngestForm)
    ingest.require_complete(fields)
    if fields.storage_path is not None:
        return _uploaded_before(fields, fields.storage_path)
    file = _file()
    named = (file.filename or "", _kind(file))
    with idempotency.attempt("lectures.ingest", _fingerprint(fields, *named)) as told:
        if told.answer is not None:
            return told.answer
        wishes = ingest.accept(deps().settings, fields, caller().user_id)
        arrival = _stored(wishes, file)
        answer = ingest.answer(deps(), wishes, arrival)
        with deps().db.begin() as session:
            job_id = ingest.save(session, wishes, arrival)
            told.save(session, answer)
            events.emit(session, ingest.news(wishes, arrival))
    if job_id is not None:
        jobs.drain(deps().db, deps().queue.send, job_ids=[job_id])
    return answer


def _uploaded_before(fields: IngestForm, storage_path: str) -> ResponseReturnValue:
    """Take in what the client has sent directly to storage."""
    found = uploads.handed_out(deps(), storage_path, among=visible(Upload))
    named = (storage_path.rpartition("/")[2], found.kind)
    with idempotency.attempt("lectures.ingest", _fingerprint(fields, *named)) as told:
        if told.answer is not None:
            return told.answer
        wishes = ingest.accept(deps().settings, fields, caller().user_id)
        with reading() as session:
            ingest.require_own(session, wishes)
        done = uploads.complete(
            deps(),
            found.id,
            wishes=wishes,
            also=lambda session, used: told.save(session, _of_upload(used)),
        )
        return _of_upload(done)


def _of_upload(upload: Upload) -> dict[str, Any]:
    return ingest.answer(deps(), *uploads.lecture_of(upload))


def _file() -> FileStorage:
    file = request.files.get("audio") or request.files.get("file")
    if file is None or not file.filename:
        raise BadRequest(
            "Either 'audio', 'file', or 'storage_path' parameter is required",
            code="file_missing",
        )
    if "\0" in file.filename:  # PostgreSQL cannot hold it
        raise InvalidInput("The file's name holds a NUL.", code="invalid_filename")
    return file


def _kind(file: FileStorage) -> files.Kind:
    return files.kind_of(file.filename or "", file.content_type or "")


def _fingerprint(fields: IngestForm, name: str, kind: str) -> dict[str, object]:
    """Return what makes two uploads the same request; the bytes are not part of it."""
    return {
        "course_id": fields.course_id,
        "lecture_id": fields.lecture_id,
        "preset_id": fields.preset_id,
        "title": fields.title,
        "duration_sec": fields.duration_sec,
        "source_type": fields.source_type,
        "lecture_mode": fields.lecture_mode or "",
        "audio_filename": name,
        "file_type": kind,
    }


def _stored(wishes: Wishes, file: FileStorage) -> Arrival:
    """Store the file and the document about it; they go unless they get their rows.

    Raises:
        UnreadableMedia: it is no recording.
        UnreadableDocument: it is no PDF with text.
        NotFound: it is to go into another's course, or over another's lecture.
    """
    received_at = datetime.now(UTC)
    stream = _readable(file)
    recording_id, key = _place(wishes, file)
    with deps().db.begin() as session:
        ingest.require_own(session, wishes)
        keys = [key, ingest.metadata_key(wishes, recording_id)]
        objects.doom(session, keys, after=_UNFINISHED)
    stored = deps().storage.write(key, stream)
    arrival = Arrival(
        recording_id=recording_id,
        object_key=key,
        kind=_kind(file),
        filename=file.filename or "",
        received_at=received_at,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
    )
    ingest.describe(deps(), wishes, arrival)
    return arrival


def _readable(file: FileStorage) -> BinaryIO:
    """Return the file's bytes if they are what it says."""
    stream = cast("BinaryIO", file.stream)
    stream.flush()
    files.examine(_kind(file), stream)
    stream.seek(0)
    return stream


def _place(wishes: Wishes, file: FileStorage) -> tuple[UUID, str]:
    recording_id = new_id()
    name = "document.pdf" if _kind(file) == "pdf" else file.filename or ""
    return recording_id, object_keys.recording(wishes.lecture_id, recording_id, name)
