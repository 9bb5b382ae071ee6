"""What a client may ask for: the timeline of an export.

Clients name fields in snake_case or camelCase, and send null for what they leave open;
both are read alike. Files are named by asset: nothing in here is ever a path of ours.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, LiteralString
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from common.errors import InvalidInput

MAX_CLIPS = 50
MAX_TEMPLATES = 5  # with timeline and proxy: seven encoders at once, 1 GB
MAX_SECONDS = 15 * 60  # the largest film is 1 GB then, and the disk may be memory
_LONGEST_SECONDS = 12 * 3600  # of a source: as media.container.MAX_SECONDS
_MOST_BYTES = 56_000  # a job's payload may have 64 KiB, this timeline and its name
_RATIO_SLACK = 0.05
_MOST_PIXELS = 1920 * 1080
_VIDEO_BITS = range(100_000, 20_000_001)  # per second; more does not look better
_AUDIO_BITS = range(32_000, 320_001)

AspectRatio = Literal["16:9", "9:16", "1:1"]
Resolution = Literal["540p", "720p", "1080p"]
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_SECONDS, allow_inf_nan=False)]
# An asset's id, or the relative_path of one; looked up in the project, never opened.
FileName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,300}$")]
BitRate = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,7}[kKmM]?$")]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,80}$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return {name: part for name, part in value.items() if part is not None}
        return value


class Transition(_Part):
    """How a clip goes over into the next one; the last one may fade out."""

    type: Literal["cut", "crossfade", "fade_to_black", "fade_to_white"] = "cut"
    duration: Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)] = 0.5
    style: Annotated[str, StringConstraints(pattern=r"^[\w-]{0,40}$")] = "fade"


class Subtitles(_Part):
    """Text over the picture, or beside it.

    ``path`` names an SRT or WebVTT file; with ``source`` transcript, what was said in
    the clips is shown. Of ``force_style``, FontSize, Alignment and PrimaryColour count.
    """

    source: Literal["file", "transcript"] = "file"
    path: FileName | None = None
    mode: Literal["burn", "track"] = "burn"
    encoding: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,20}$")] = (
        "utf-8"
    )
    force_style: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{0,500}$")] = (
        ""
    )

    @model_validator(mode="after")
    def _file_is_named(self) -> "Subtitles":
        if self.source == "file" and self.path is None:
            raise _problem("path must name a subtitle file of the project")
        return self


class Watermark(_Part):
    """A picture in a corner; ``scale`` is its width in widths of the film."""

    path: FileName
    position: Literal["top-left", "top-right", "bottom-left", "bottom-right"] = (
        "top-right"
    )
    scale: Annotated[float, Field(gt=0, lt=1)] = 0.12
    opacity: Annotated[float, Field(gt=0, le=1)] = 1.0


class Clip(_Part):
    """A stretch of one video, in seconds of that video; to its end if open."""

    asset_id: UUID
    in_point: Seconds = 0.0
    out_point: Seconds | None = None
    transition: Transition = Transition()
    subtitles: Subtitles | None = None
    watermark: Watermark | None = None
    include_audio: bool = True

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Clip":
        if self.out_point is not None and self.out_point <= self.in_point:
            raise _problem("out_point must be greater than in_point")
        return self


class Ducking(_Part):
    """Music steps back while somebody speaks; times are milliseconds."""

    enabled: bool = True
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.05
    ratio: Annotated[float, Field(ge=1, le=20)] = 6.0
    attack: Annotated[float, Field(ge=0.01, le=2000)] = 50.0
    release: Annotated[float, Field(ge=0.01, le=9000)] = 300.0


class Music(_Part):
    """Sound below all clips. ``offset`` is where in the track it begins."""

    track: FileName
    volume: Annotated[float, Field(ge=0, le=2)] = 0.25
    offset: Seconds = 0.0
    fade_in: Annotated[float, Field(ge=0, le=60)] = 1.5
    fade_out: Annotated[float, Field(ge=0, le=60)] = 1.5
    loop: bool = True
    ducking: Ducking | None = None


class Template(_Part):
    """One more film from the same timeline, in a size of its own."""

    name: Name
    format: Literal["mp4", "mov", "webm"] = "mp4"
    width: Annotated[int, Field(ge=64, le=1920)] = 1080
    height: Annotated[int, Field(ge=64, le=1920)] = 1920
    aspect_ratio: AspectRatio = "9:16"
    video_bitrate: BitRate = "8M"
    audio_bitrate: BitRate = "192k"
    proxy: bool = False
    generate_thumbnails: bool = True
    watermark: Watermark | None = None

    @model_validator(mode="after")
    def _shape_is_as_said(self) -> "Template":
        across, down = map(int, self.aspect_ratio.split(":"))
        if abs(self.width / self.height - across / down) > _RATIO_SLACK:
            raise _problem("aspect_ratio must match width and height")
        if self.width * self.height > _MOST_PIXELS:
            raise _problem("width times height must not be more than 1920 x 1080")
        if bits(self.video_bitrate) not in _VIDEO_BITS:
            raise _problem("video_bitrate must be between 100k and 20M")
        if bits(self.audio_bitrate) not in _AUDIO_BITS:
            raise _problem("audio_bitrate must be between 32k and 320k")
        return self


class Timeline(_Part):
    """Clips in their order, and what is laid over and under them.

    No ``export_templates`` means no further films; an empty list means the presets.
    """

    clips: Annotated[list[Clip], Field(min_length=1, max_length=MAX_CLIPS)]
    aspect_ratio: AspectRatio = "16:9"
    resolution: Resolution = "1080p"
    proxy_resolution: Resolution = "720p"
    background_music: Music | None = None
    export_templates: (
        Annotated[list[Template], Field(max_length=MAX_TEMPLATES)] | None
    ) = None
    default_watermark: Watermark | None = None
    global_subtitles: Subtitles | None = None
    generate_thumbnails: bool = True

    @model_validator(mode="after")
    def _can_be_rendered(self) -> "Timeline":
        known = sum(c.out_point - c.in_point for c in self.clips if c.out_point)
        if known > MAX_SECONDS:
            raise _problem(f"clips must not last longer than {MAX_SECONDS} s in all")
        if len(self.model_dump_json().encode()) > _MOST_BYTES:
            raise _problem("the timeline is too long to be kept")
        return self


def _problem(text: LiteralString) -> PydanticCustomError:
    """Return what a validator raises; unlike a ValueError, it can be shown as JSON."""
    return PydanticCustomError("timeline_invalid", text)


def bits(rate: str) -> int:
    """Return bits per second of a rate as ``192k`` or ``8M``."""
    factor = {"k": 1000, "m": 1_000_000}.get(rate[-1].lower())
    return int(rate[:-1]) * factor if factor else int(rate)


def given(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the timeline of a job's payload: under ``timeline``, or the payload."""
    nested = payload.get("timeline")
    return nested if isinstance(nested, Mapping) else payload


def read(payload: Mapping[str, Any]) -> Timeline:
    """Return the timeline that a payload asks for.

    Raises:
        InvalidInput: for good; with each problem and its place in ``details``.
    """
    try:
        return Timeline.model_validate(given(payload))
    except ValidationError as exc:
        problems = exc.errors(include_url=False, include_input=False)
        first = problems[0]
        place = ".".join(map(str, first["loc"]))
        text = f"{place}: {first['msg']}" if place else first["msg"]
        refused = InvalidInput(
            f"Invalid timeline payload: {text}", code="invalid_timeline"
        )
        refused.details = [
            {"loc": list(p["loc"]), "msg": p["msg"], "type": p["type"]}
            for p in problems
        ]
        raise refused from None
