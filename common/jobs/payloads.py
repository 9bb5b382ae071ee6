"""What each job type needs to know: ids and parameters, never content."""

from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """Base of all payloads. ``queue`` is the class of provider that the job loads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    queue: ClassVar[str]
    max_attempts: ClassVar[int] = 8  # with the waits of give_back: about 20 minutes

    @property
    def subject(self) -> str | None:
        """What the job is about, for listings; None for children."""
        return None

    @property
    def dedupe_key(self) -> str | None:
        """At most one live job has this key: by default one per subject and kind."""
        return self.subject and f"{self.kind}:{self.subject}"


class _AboutLecture(Payload):
    lecture_id: str

    @property
    def subject(self) -> str:
        return lecture_subject(self.lecture_id)


class Transcription(_AboutLecture):
    """Turn a lecture's recording into a transcript."""

    kind = "transcription"
    queue = "media"

    recording_id: UUID
    provider: str
    model: str | None = None
    language: str

    @property
    def dedupe_key(self) -> str:
        """One per recording: a replaced one's job may still be on its way out."""
        return f"{self.kind}:{self.recording_id}"


class TranscriptionChunk(Payload):
    """Recognise one piece of a recording; a child of a transcription."""

    kind = "transcription_chunk"
    queue = "speech"

    number: int
    object_key: str
    sha256: str
    provider: str
    model: str | None = None
    language: str


class Generation(_AboutLecture):
    """Write a lecture's study material from its transcript."""

    kind = "generation"
    queue = "llm"

    provider: str
    model: str | None = None


class Export(_AboutLecture):
    """Write a lecture's files from its study material."""

    kind = "export"
    queue = "media"


def lecture_subject(lecture_id: str) -> str:
    """Return the subject of all jobs about one lecture."""
    return f"lecture:{lecture_id}"
