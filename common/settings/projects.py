"""Video projects: the variables that operators of the Quiz System know."""

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import BaseSettings

from common.settings.kinds import Positive, Word, env, problem

_HUNDRED_MIB = 100 * 1024 * 1024
_DEV_SERVERS = "http://localhost:3000,http://localhost:5173,http://localhost:8080"


def _seconds(value: object) -> float:
    """Return a time that may have a fraction; NaN compares false to everything."""
    try:
        seconds = float(str(value))
    except ValueError:
        raise problem("must be a number.") from None
    if not 0 <= seconds < float("inf"):
        raise problem("must be zero or greater.")
    return seconds


Seconds = Annotated[float, BeforeValidator(_seconds)]


class Projects(BaseSettings):
    """A part of ``Settings``: files of projects, and the jobs about them."""

    app_name: str = env("APP_NAME", "Quiz System Backend")
    app_version: str = env("APP_VERSION", "0.1.0")
    project_origins: str = env("CORS_ORIGINS", _DEV_SERVERS)  # beside PLC_CORS_ORIGINS

    upload_max_bytes: Positive = env("UPLOAD_MAX_SIZE", _HUNDRED_MIB)
    ffmpeg_threads: Positive = env("FFMPEG_THREADS", 2)  # of one encoder

    max_queue_size: Positive = env("MAX_QUEUE_SIZE", 100)  # live jobs of all projects
    job_max_attempts: Positive = env("JOB_MAX_ATTEMPTS", 3)
    job_retry_delay_seconds: Seconds = env("JOB_RETRY_DELAY_SECONDS", 5.0)

    openai_transcription_model: Word = env("OPENAI_TRANSCRIPTION_MODEL", None)
    openai_scene_model: Word = env("OPENAI_SCENE_MODEL", None)
    openai_scene_max_scenes: Positive = env("OPENAI_SCENE_MAX_SCENES", 5)
