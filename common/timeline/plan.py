"""A timeline in whole frames: which picture and which sound is where in the film.

Everything after this counts in frames of the film, so that no rounding adds up. The
models go as JSON to the child process that renders.
"""

import math
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict

SOUND_RATE = 48_000  # samples per second of every film, stereo

_PART_PIXELS = 1_200_000_000  # of all films together: half a minute on two cores
_MOST_PARTS = 200  # all are open at once when they are joined

Colour = Literal["black", "white"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Found(_Value):
    """What is in a file. Times are seconds; 0 is where its first stream begins.

    ``rate`` is pictures a second. Sound alone has neither width nor height.
    """

    width: int = 0
    height: int = 0
    rate: Fraction = Fraction(0)
    seconds: Fraction = Fraction(0)
    has_sound: bool = False


class Span(_Value):
    """A clip's place in the film: ``frames`` frames from ``first`` on.

    ``start`` is the place of its first frame in the source, in seconds. The first
    ``blended`` frames are mixed with the last ones of the span before. While it fades
    in or out, so many frames are mixed with a colour.
    """

    clip: int
    start: Fraction
    first: int
    frames: int
    sound: bool
    blended: int = 0
    fade_in: int = 0
    fade_in_from: Colour = "black"
    fade_out: int = 0
    fade_out_to: Colour = "black"
    mark: int | None = None

    @property
    def end(self) -> int:
        """The frame after the last."""
        return self.first + self.frames


class Mark(_Value):
    """A watermark; ``path`` says which file."""

    path: str
    position: str
    scale: float
    opacity: float


class Line(_Value):
    """Text on screen from one time of the film to another."""

    start_ms: int
    end_ms: int
    text: str
    size: int | None = None  # pixels at a height of 288, as in ASS
    top: bool = False
    colour: tuple[int, int, int] = (255, 255, 255)


class Bed(_Value):
    """Music below everything. Times are seconds, those of ducking milliseconds."""

    volume: float
    offset: float
    fade_in: float
    fade_out: float
    loop: bool
    threshold: float | None = None  # None: it does not step back
    ratio: float = 1.0
    attack_ms: float = 50.0
    release_ms: float = 300.0


class Film(_Value):
    """One file that comes out. ``mark`` is a watermark of this film alone."""

    name: str
    category: Literal["processed", "proxy", "export"]
    container: Literal["mp4", "mov", "webm"] = "mp4"
    width: int
    height: int
    video_bits: int
    audio_bits: int
    mark: int | None = None


class Shot(_Value):
    """A picture that is wanted: of a film, or of a clip in it.

    ``seconds`` is where it is in the film, or in the clip.
    """

    name: str
    film: int
    frame: int
    clip: int | None = None
    seconds: float = 0.0
    context: Literal["timeline", "clip", "export"]


class Plan(_Value):
    """All that the renderer needs to know, but for the files themselves."""

    rate: Fraction
    frames: int
    spans: tuple[Span, ...]
    films: tuple[Film, ...]
    marks: tuple[Mark, ...] = ()
    shots: tuple[Shot, ...] = ()
    burnt: tuple[Line, ...] = ()
    track: tuple[Line, ...] = ()
    bed: Bed | None = None

    @property
    def seconds(self) -> Fraction:
        """How long the film is."""
        return self.frames / self.rate

    @property
    def part_frames(self) -> int:
        """How many frames are rendered in one go; each part is kept."""
        pixels = sum(film.width * film.height for film in self.films)
        fewest = math.ceil(self.frames / _MOST_PARTS)
        return max(round(self.rate), _PART_PIXELS // pixels, fewest)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """First frame and frame after the last of each part."""
        size = self.part_frames
        return [(n, min(n + size, self.frames)) for n in range(0, self.frames, size)]

    def milliseconds(self, frame: int) -> int:
        """Return where a frame begins."""
        return round(frame * 1000 / self.rate)
