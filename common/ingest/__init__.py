"""A recording becomes a lecture: what was asked for, its document, rows and job.

Whoever has stored a file that was looked into dooms its ``metadata_key``, calls
``describe``, and then in one transaction ``save`` and at its end emits ``news``.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from common import events, jobs, object_keys, objects
from common.deps import Deps
from common.errors import BadRequest
from common.ids import client_id
from common.ingest import lecture_rows
from common.ingest.files import Kind
from common.ingest.lecture_rows import Incoming
from common.jobs import Transcription
from common.models import LectureStatus, Recording
from common.presets import find
from common.providers import speech
from common.settings import Settings


class Asked(Protocol):
    """What a client asks for, as its request spells it; nothing of it is checked."""

    course_id: str
    lecture_id: str
    preset_id: str
    title: str
    course_title: str | None
    duration_sec: int
    source_type: str
    lecture_mode: str | None
    auto_transcribe: bool
    transcribe_provider: str | None
    transcribe_model: str | None
    transcribe_language_code: str | None


class Wishes(BaseModel):
    """What is to become of a file, checked and with all defaults filled in.

    ``owner_id`` is who asks, None if it is nobody in particular.
    """

    model_config = ConfigDict(frozen=True)

    course_id: str
    lecture_id: str
    preset_id: str
    title: str
    course_title: str | None
    duration_sec: int
    source_type: str
    lecture_mode: str | None
    auto_transcribe: bool
    provider: str
    model: str | None
    language: str
    owner_id: int | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file that is stored and was looked into. ``sha256`` is lower-case hex."""

    recording_id: UUID
    object_key: str
    kind: Kind
    filename: str
    received_at: datetime
    size_bytes: int
    sha256: str


def require_complete(asked: Asked) -> None:
    """Refuse blank fields.

    Raises:
        BadRequest: one of the four is blank.
    """
    required = (asked.course_id, asked.lecture_id, asked.preset_id, asked.title)
    if not all(value.strip() for value in required):
        raise BadRequest(
            "Missing required fields: course_id, lecture_id, preset_id, title",
            code="missing_fields",
        )


def accept(settings: Settings, asked: Asked, owner_id: int | None = None) -> Wishes:
    """Return what was asked for if we can do it.

    Raises:
        BadRequest: an id has letters that are not allowed, or there is no such preset
            or recogniser.
    """
    client_id("course_id", asked.course_id)
    client_id("lecture_id", asked.lecture_id)
    preset = find(asked.preset_id)
    if preset is None:
        raise BadRequest("Invalid preset_id.", code="invalid_preset")
    return Wishes(
        course_id=asked.course_id,
        lecture_id=asked.lecture_id,
        preset_id=preset.id,
        title=asked.title,
        course_title=asked.course_title,
        duration_sec=asked.duration_sec,
        source_type=asked.source_type,
        lecture_mode=asked.lecture_mode,
        auto_transcribe=asked.auto_transcribe,
        provider=speech.accept(settings, asked.transcribe_provider),
        model=asked.transcribe_model or settings.speech_model,
        language=asked.transcribe_language_code or settings.stt_language,
        owner_id=owner_id,
    )


def require_own(session: Session, wishes: Wishes) -> None:
    """Refuse what is to go into another's course, or over another's lecture.

    Raises:
        NotFound: it is another's.
    """
    lecture_rows.require_own(
        session,
        course_id=wishes.course_id,
        lecture_id=wishes.lecture_id,
        owner_id=wishes.owner_id,
    )


def metadata_key(wishes: Wishes, recording_id: UUID) -> str:
    """Return where the document about a file lies."""
    return object_keys.metadata(wishes.lecture_id, recording_id)


def describe(deps: Deps, wishes: Wishes, arrival: Arrival) -> None:
    """Store the document about the file. No transaction may be open."""
    key = metadata_key(wishes, arrival.recording_id)
    document = json.dumps(_document(deps, wishes, arrival), ensure_ascii=False)
    deps.storage.write(key, BytesIO(document.encode()))


def save(session: Session, wishes: Wishes, arrival: Arrival) -> UUID | None:
    """Write all rows, and the transcription job unless none is wanted.

    Both objects are spared.

    Returns:
        The job's id; its task is still to be sent.

    Raises:
        NotFound: the course or the lecture is another's.
    """
    course_owner = lecture_rows.save_course(
        session, wishes.course_id, wishes.course_title, wishes.owner_id
    )
    session.add(_recording(wishes, arrival))
    session.flush()
    lecture = Incoming(
        wishes.lecture_id, wishes.owner_id, course_owner, _lecture(wishes, arrival)
    )
    lecture_rows.put(session, lecture)
    objects.spare(
        session, [arrival.object_key, metadata_key(wishes, arrival.recording_id)]
    )
    return _ask_for_transcript(session, wishes, arrival.recording_id)


def news(wishes: Wishes, arrival: Arrival) -> events.LectureCreated:
    """Return what is told of it; to be emitted last in the transaction."""
    return events.LectureCreated(
        lecture_id=wishes.lecture_id,
        course_id=wishes.course_id,
        recording_id=arrival.recording_id,
        kind=arrival.kind,
        size_bytes=arrival.size_bytes,
    )


def answer(deps: Deps, wishes: Wishes, arrival: Arrival) -> dict[str, Any]:
    """Return what clients are told of a file that was taken in."""
    return {
        "lectureId": wishes.lecture_id,
        "metadataPath": deps.storage.uri(metadata_key(wishes, arrival.recording_id)),
        "audioPath": deps.storage.uri(arrival.object_key),
        "lectureMode": wishes.lecture_mode,
        "fileType": arrival.kind,
    }


def _document(deps: Deps, wishes: Wishes, arrival: Arrival) -> dict[str, Any]:
    now = arrival.received_at.isoformat()
    return {
        "id": wishes.lecture_id,
        "courseId": wishes.course_id,
        "presetId": wishes.preset_id,
        "title": wishes.title,
        "lectureMode": wishes.lecture_mode,
        "recordedAt": now,
        "durationSec": wishes.duration_sec,
        "audioSource": {
            "sourceType": wishes.source_type,
            "originalFilename": arrival.filename,
            "storagePath": deps.storage.uri(arrival.object_key),
            "sizeBytes": arrival.size_bytes,
            "fileType": arrival.kind,
        },
        "status": LectureStatus.UPLOADED,
        "artifacts": [],
        "createdAt": now,
        "updatedAt": now,
    }


def _recording(wishes: Wishes, arrival: Arrival) -> Recording:
    return Recording(
        id=arrival.recording_id,
        kind=arrival.kind,
        object_key=arrival.object_key,
        metadata_key=metadata_key(wishes, arrival.recording_id),
        original_filename=arrival.filename,
        size_bytes=arrival.size_bytes,
        sha256=arrival.sha256,
    )


def _lecture(wishes: Wishes, arrival: Arrival) -> dict[str, Any]:
    return {
        "course_id": wishes.course_id,
        "preset_id": wishes.preset_id,
        "title": wishes.title.strip(),
        "status": LectureStatus.UPLOADED,
        "lecture_mode": wishes.lecture_mode,
        "recording_id": arrival.recording_id,
    }


def _ask_for_transcript(
    session: Session, wishes: Wishes, recording_id: UUID
) -> UUID | None:
    if not wishes.auto_transcribe:
        return None
    payload = Transcription(
        lecture_id=wishes.lecture_id,
        recording_id=recording_id,
        provider=wishes.provider,
        model=wishes.model,
        language=wishes.language,
    )
    job_id, _ = jobs.enqueue(session, payload)
    return job_id
