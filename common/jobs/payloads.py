"""What each job type needs to know: ids and parameters, never content."""

import json
from hashlib import sha256
from typing import Any, ClassVar
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


class Recognition(Payload):
    """What every transcription needs to know, whatever the recording belongs to."""

    queue = "media"

    recording_id: UUID
    provider: str
    model: str | None = None
    language: str

    @property
    def hint(self) -> str | None:
        """Words that may come up, for recognisers that take hints."""
        return None

    @property
    def afresh(self) -> bool:
        """Whether to ask again for what was answered before."""
        return False


class Transcription(_AboutLecture, Recognition):
    """Turn a lecture's recording into a transcript."""

    kind = "transcription"

    @property
    def dedupe_key(self) -> str:
        """One per recording: a replaced one's job may still be on its way out."""
        return f"{self.kind}:{self.recording_id}"


class TranscriptionChunk(Payload):
    """Recognise one piece of a recording; a child of a transcription.

    ``afresh`` is the job that must not be given an earlier one's answer.
    """

    kind = "transcription_chunk"
    queue = "speech"

    number: int
    object_key: str
    sha256: str
    provider: str
    model: str | None = None
    language: str
    prompt: str | None = None
    afresh: UUID | None = None


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


class _AboutAsset(Payload):
    """A job about one file of a project; its row has ``Terms.project_id`` as well."""

    project_id: str
    asset_id: UUID

    @property
    def subject(self) -> str:
        return asset_subject(self.asset_id)


class Ingest(_AboutAsset):
    """Look into a project's file: facts, a picture, a copy for previews."""

    kind = "ingest"
    queue = "media"

    checksum: str | None = None  # as its client knows it; echoed


class AssetTranscription(_AboutAsset, Recognition):
    """Turn the sound of a project's file into a transcript."""

    kind = "asset_transcription"

    prompt: str | None = None
    force: bool = False

    @property
    def request(self) -> str:
        """A name of what is asked for: the same for the same wishes."""
        return _digest(self.provider, self.model, self.language, self.prompt)

    @property
    def dedupe_key(self) -> str:
        """The same wish is one job while that is live; another wish is another."""
        return f"{self.kind}:{self.recording_id}:{self.request}:{self.force}"

    @property
    def hint(self) -> str | None:
        """See ``Recognition``."""
        return self.prompt

    @property
    def afresh(self) -> bool:
        """See ``Recognition``."""
        return self.force


class SceneDetection(_AboutAsset):
    """Find the scenes of a project's film that are worth showing alone."""

    kind = "scene_detection"
    queue = "llm"

    provider: str
    model: str | None = None
    tone: str | None = None
    criteria: str | None = None
    max_scenes: int
    instructions: str | None = None
    force: bool = False

    def request(self, transcript: str | None = None) -> str:
        """Return a name of what is asked for, in this transcript if one is given."""
        wishes = (self.tone, self.criteria, self.max_scenes, self.instructions)
        return _digest(self.provider, self.model, *wishes, transcript)

    @property
    def dedupe_key(self) -> str:
        """The same wish is one job while that is live; another wish is another."""
        return f"{self.kind}:{self.asset_id}:{self.request()}:{self.force}"


class TimelineExport(Payload):
    """Make films of a project's clips, as their timeline says."""

    kind = "timeline_export"
    queue = "media"

    project_id: str
    timeline: dict[str, Any]  # read by common.timeline.request, when sent and when run

    @property
    def subject(self) -> str:
        """The project."""
        return project_subject(self.project_id)

    @property
    def dedupe_key(self) -> str:
        """One for the same timeline: clients send again what took long to answer."""
        told = json.dumps([self.project_id, self.timeline], sort_keys=True)
        return f"{self.kind}:{sha256(told.encode()).hexdigest()}"


class _AboutVideo(Payload):
    video_id: str

    @property
    def subject(self) -> str:
        return video_subject(self.video_id)


class VideoMetadata(_AboutVideo):
    """Fetch what a video is called and who made it; done by helpers outside."""

    kind = "metadata"
    queue = "pull"
    max_attempts = 3


class VideoTranscript(_AboutVideo):
    """Fetch a video's captions; done by helpers outside."""

    kind = "transcript"
    queue = "pull"
    max_attempts = 3


class VideoSummary(_AboutVideo):
    """Write what a video is about, and what could be asked about it."""

    kind = "video_summary"
    queue = "llm"

    provider: str
    model: str | None = None


class AiNote(Payload):
    """Write the note that a person left empty."""

    kind = "ai_note"
    queue = "llm"

    note_id: int
    provider: str
    model: str | None = None

    @property
    def subject(self) -> str:
        """The note."""
        return f"note:{self.note_id}"


def _digest(*parts: object) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()[:40]


def lecture_subject(lecture_id: str) -> str:
    """Return the subject of all jobs about one lecture."""
    return f"lecture:{lecture_id}"


def video_subject(video_id: str) -> str:
    """Return the subject of all jobs about one video."""
    return f"video:{video_id}"


def asset_subject(asset_id: UUID) -> str:
    """Return the subject of all jobs about one file of a project."""
    return f"asset:{asset_id}"


def project_subject(project_id: str) -> str:
    """Return the subject of all jobs about a project as a whole."""
    return f"project:{project_id}"
