"""Answers that more than one noun gives."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from common import presets
from common.providers import llm, speech


def _only(names: Callable[[], Sequence[str]]) -> Any:  # noqa: ANN401 - as Field itself
    """Describe which names are taken; the route refuses others in words of its own."""

    def describe(schema: dict[str, Any]) -> None:
        schema["enum"] = list(names())

    return Field(json_schema_extra=describe)


PresetName = Annotated[str, _only(presets.names)]
SpeechProvider = Annotated[
    str, Field(max_length=200), _only(lambda: ("", *speech.NAMES))
]
LlmProvider = Annotated[str, Field(max_length=200), _only(lambda: ("", *llm.PROVIDERS))]
EntityType = Annotated[str, _only(lambda: ("lecture", "course", "asset", "project"))]
Name = Annotated[str, Field(max_length=200)]  # goes into a job's small payload
JobStatus = Literal["queued", "running", "completed", "failed"]
StageStatus = Literal["not_started", "queued", "running", "completed", "failed"]
Overall = Literal["not_started", "in_progress", "completed", "failed"]


class LectureRow(BaseModel):
    """One lecture."""

    id: str
    course_id: str
    preset_id: str
    title: str
    status: str
    audio_path: str | None
    transcript_path: str | None
    created_at: str
    updated_at: str
    source_type: Literal["audio", "pdf"]
    user_id: str | None


class Stage(BaseModel):
    """The newest job of one stage."""

    status: StageStatus
    jobId: str | None
    createdAt: str | None
    updatedAt: str | None
    error: str | None
    progressPercent: int


class Stages(BaseModel):
    """The three stages."""

    transcription: Stage
    generation: Stage
    export: Stage


class Links(BaseModel):
    """Where the rest is found."""

    summary: str
    progress: str
    artifacts: str
    jobs: str


class JobRow(BaseModel):
    """One job, with its times."""

    id: str
    status: JobStatus
    jobType: str
    lectureId: str | None
    result: dict[str, Any] | None
    error: str | None
    createdAt: str
    updatedAt: str


class QueuedJob(BaseModel):
    """The job that does what was asked for; a live one is not doubled."""

    jobId: str
    status: JobStatus
    jobType: str
    deduplicated: Literal[True] | None = None
