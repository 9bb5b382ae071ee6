"""What can happen, and what is told of it: ids and facts, never content or secrets.

docs/events.md explains them to receivers; ``schema.json`` describes them to machines
and is made of these classes. A field may be added; a change that receivers could not
bear is a new ``version``.
"""

from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Count = Field(ge=0)


def _open_to_more(schema: dict[str, Any]) -> None:
    """Let receivers bear fields that they do not know."""
    schema.pop("additionalProperties", None)


class Fact(BaseModel):
    """Base of all: ``type`` and ``version`` name the form of the fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra=_open_to_more
    )

    type: ClassVar[str]
    version: ClassVar[int] = 1

    @property
    def subject(self) -> str:
        """What it happened to; of one subject, events are told in order."""
        raise NotImplementedError

    @classmethod
    def data_schema(cls) -> str:
        """Return the name of the form of the data, an absolute URI."""
        return data_schema(cls.type, cls.version)


class _OfLecture(Fact):
    lecture_id: str

    @property
    def subject(self) -> str:
        return f"lecture:{self.lecture_id}"


class _OfUpload(Fact):
    upload_id: UUID

    @property
    def subject(self) -> str:
        return f"upload:{self.upload_id}"


class LectureCreated(_OfLecture):
    """A recording or a document was taken in for a lecture, new or known."""

    type = "lecture.created"

    course_id: str
    recording_id: UUID
    kind: Literal["audio", "pdf"]
    size_bytes: int = Count


class LectureTranscribed(_OfLecture):
    """A lecture has its transcript; what could not be heard is a gap."""

    type = "lecture.transcribed"

    recording_id: UUID
    job_id: UUID
    language: str
    provider: str
    model: str
    total_ms: int = Count
    heard_ms: int = Count
    segments: int = Count
    gaps: int = Count


class LectureGenerated(_OfLecture):
    """A lecture has its study material."""

    type = "lecture.generated"

    course_id: str
    preset_id: str
    job_id: UUID
    artifact_types: list[str]


class LectureExported(_OfLecture):
    """A lecture's files were written."""

    type = "lecture.exported"

    job_id: UUID
    formats: list[str]


class LectureDeleted(_OfLecture):
    """A lecture is gone, and with ``purge_storage`` soon its files."""

    type = "lecture.deleted"

    course_id: str
    purge_storage: bool


class CourseDeleted(Fact):
    """A course is gone; each of its lectures tells so itself."""

    type = "course.deleted"

    course_id: str
    lectures: int = Count
    purge_storage: bool

    @property
    def subject(self) -> str:
        """The course."""
        return f"course:{self.course_id}"


class JobFailed(_OfLecture):
    """A lecture's job failed for good; pieces of a transcription tell nothing."""

    type = "job.failed"

    job_id: UUID
    kind: str
    error_code: str
    attempts: int = Count


class UploadCompleted(_OfUpload):
    """All bytes of a direct upload have arrived and are a recording or a document."""

    type = "upload.completed"

    lecture_id: str | None = None
    size_bytes: int = Count


class UploadRefused(_OfUpload):
    """A direct upload was complete, and is not what it should be."""

    type = "upload.refused"

    lecture_id: str | None = None
    error_code: str


class NoteWaiting(Fact):
    """A person left a note empty, and its video has a transcript.

    The fields have the names that writers of notes have always read.
    """

    type = "note.waiting"

    id: int
    video_id: str
    timestamp: str
    user_id: int

    @property
    def subject(self) -> str:
        """The video."""
        return f"video:{self.video_id}"


FACTS: tuple[type[Fact], ...] = (
    LectureCreated,
    LectureTranscribed,
    LectureGenerated,
    LectureExported,
    LectureDeleted,
    CourseDeleted,
    JobFailed,
    UploadCompleted,
    UploadRefused,
    NoteWaiting,
)


def data_schema(type_: str, version: int) -> str:
    """Return the name of a form of data, an absolute URI."""
    return f"urn:pegasus:event:{type_}:{version}"


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of all facts, each under its own ``$id``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:pegasus:events",
        "title": "The data of Pegasus's events, by type",
        "$defs": {
            fact.type: {"$id": fact.data_schema(), **fact.model_json_schema()}
            for fact in FACTS
        },
    }
