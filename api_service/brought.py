"""What helpers bring: transcripts and metadata, checked before anything is kept."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field
from sqlalchemy.orm import Session

from api_service.context import deps
from common import object_keys, objects, videos
from common.models import Video
from common.transcript import Transcript

MOST_BYTES = 8 * 1024 * 1024  # of a request: 12 hours of speech are some 2 MiB
_MOST_LINES = 50_000
_LINE_CHARACTERS = 5_000  # a helper may send whole paragraphs
_METADATA_CHARACTERS = 64 * 1024  # descriptions have 5,000
_DEEPEST = 20  # objects in objects; it is flat, as far as we know
_LONGEST = 1_000_000.0  # seconds; what is longer is no time


def _lines(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for line in value:
        if "text" not in line:
            raise ValueError("transcript items must contain 'text' field")
        if not _is_text(line["text"]):
            raise ValueError(
                f"'text' must be a string of at most {_LINE_CHARACTERS} characters"
            )
        for name in ("offset", "duration"):
            if not _is_time(line.get(name)):
                raise ValueError(f"'{name}' must be a number of seconds")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LINE_CHARACTERS


def _is_time(value: object) -> bool:
    if value is None:
        return True
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(float(value)) < _LONGEST  # type: ignore[arg-type]  # a number


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value)) > _METADATA_CHARACTERS:
        raise ValueError("metadata is too large")
    found: dict[str, Any] = _cleaned(value, _DEEPEST)
    return found


def _cleaned(value: Any, depth: int) -> Any:  # noqa: ANN401 - any JSON
    if depth == 0:
        raise ValueError("metadata is nested too deeply")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_cleaned(one, depth - 1) for one in value]
    if isinstance(value, dict):
        return {storable(k): _cleaned(one, depth - 1) for k, one in value.items()}
    return value


Lines = Annotated[
    list[dict[str, Any]], Field(max_length=_MOST_LINES), AfterValidator(_lines)
]
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
Language = Annotated[str, Field(max_length=35, pattern=r"^[A-Za-z]{2,3}([-_]\w+)*$")]


def heard(lines: Sequence[Mapping[str, Any]], language: str | None) -> Transcript:
    """Return what was sent as a transcript; without segments if nothing was said."""
    said = [
        videos.Heard(storable(line["text"]), line.get("offset"), line.get("duration"))
        for line in lines
    ]
    return videos.transcript(said, language)


def storable(text: str) -> str:
    """Return the text without what PostgreSQL cannot hold: NUL, half characters."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode()


def keep(video_id: str, run: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """Store what was sent, as outside writers read it; return its key.

    It is removed again unless ``take`` follows.
    """
    key = object_keys.captions(video_id, run)
    with deps().db.begin() as session:
        objects.doom(session, [key], after=objects.GRACE)
    document = json.dumps(lines, ensure_ascii=False).encode("utf-8", "replace")
    deps().storage.write(key, BytesIO(document))
    return key


def take(
    session: Session,
    video: Video,
    job_id: UUID | None,
    stored: tuple[str, Transcript],
) -> list[UUID]:
    """Give a locked video its transcript; return the jobs to be sent."""
    key, transcript = stored
    objects.spare(session, [key])
    return videos.take_transcript(
        session, deps().settings, video, (job_id, key, transcript)
    )
