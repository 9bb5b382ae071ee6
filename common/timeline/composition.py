"""One frame of the film after another, from those of its clips."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from fractions import Fraction
from typing import BinaryIO, Self

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image

from common.errors import UnreadableMedia
from common.media import formats
from common.media.films.opening import opened
from common.timeline.lettering import lettered
from common.timeline.pictures import Bytes, Canvas, Stamp, fitted, mixed, stamp
from common.timeline.plan import Line, Mark, Plan, Span
from common.timeline.sources import Pictures

_STILLS = ("PNG", "JPEG", "WEBP")
# Raised for bad pictures: Pillow's own errors are OSErrors and ValueErrors.
_DAMAGE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
_MARGIN = 0.03  # of the film's width, between a watermark and the edges


class Composer:
    """Makes the frames of one part of the film, in order. Closes what it opens."""

    def __init__(
        self,
        plan: Plan,
        clips: Mapping[int, BinaryIO],
        marks: Sequence[Stamp],
        *,
        threads: int,
    ) -> None:
        """Prepare to make frames.

        Args:
            plan: of the film.
            clips: the file of each clip that is seen in the part.
            marks: the watermarks of the plan, as stamps for the first film's size.
            threads: of each decoder.
        """
        self._plan = plan
        self._clips = clips
        self._marks = marks
        self._threads = threads
        self._size = (plan.films[0].width, plan.films[0].height)
        self._open: dict[int, _Clip] = {}
        self._closing = ExitStack()
        self._burnt: Sequence[Line] = ()
        self._text: tuple[list[Line], Stamp | None] = ([], None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.close()

    def frames(self, first: int, end: int) -> Iterator[Canvas]:
        """Yield these frames of the film; a picture that stands may come again."""
        start_ms, end_ms = map(self._plan.milliseconds, (first, end))
        self._burnt = [
            n for n in self._plan.burnt if n.start_ms < end_ms and n.end_ms > start_ms
        ]
        for number in range(first, end):
            spans = [s for s in self._plan.spans if s.first <= number < s.end]
            canvas = self._clip_frame(spans[0], number)
            for span in spans[1:]:
                share = (number - span.first + 1) / (span.blended + 1)
                canvas = mixed(canvas, self._clip_frame(span, number), share)
            yield self._overlaid(canvas, spans, number)

    def _clip_frame(self, span: Span, number: int) -> Canvas:
        if span.clip not in self._open:
            media = self._closing.enter_context(opened(self._clips[span.clip]))
            start = span.start + max(0, number - span.first) / self._plan.rate
            pictures = Pictures(media, start=start, threads=self._threads)
            self._open[span.clip] = _Clip(pictures, *self._size)
        since = number - span.first
        canvas = self._open[span.clip].at(span.start + since / self._plan.rate)
        if since < span.fade_in:
            share = 1 - (since + 1) / (span.fade_in + 1)
            canvas = self._faded(canvas, span.fade_in_from, share)
        left = span.end - 1 - number
        if left < span.fade_out:
            share = 1 - left / span.fade_out
            canvas = self._faded(canvas, span.fade_out_to, share)
        return canvas

    def _faded(self, canvas: Canvas, colour: str, share: float) -> Canvas:
        return mixed(canvas, Canvas.plain(*self._size, colour), share)

    def _overlaid(self, canvas: Canvas, spans: Sequence[Span], number: int) -> Canvas:
        """Lay subtitles and the watermark of the newest clip over a frame."""
        text = self._lettered(self._plan.milliseconds(number))
        mark = spans[-1].mark
        if text is None and mark is None:
            return canvas
        canvas = canvas.copy()
        if text is not None:
            text.on(canvas)
        if mark is not None:
            self._marks[mark].on(canvas)
        return canvas

    def _lettered(self, at_ms: int) -> Stamp | None:
        """Return what is written at this time; lines stand one below another."""
        shown = [n for n in self._burnt if n.start_ms <= at_ms < n.end_ms]
        if not shown:
            return None
        if shown != self._text[0]:
            text = "\n".join(line.text for line in shown)
            whole = shown[-1].model_copy(update={"text": text})
            self._text = (shown, lettered(whole, *self._size))
        return self._text[1]


class _Clip:
    """The pictures of one clip, fitted; those that stand are fitted once."""

    def __init__(self, pictures: Pictures, width: int, height: int) -> None:
        self._pictures = pictures
        self._size = (width, height)
        self._last: tuple[VideoFrame, Canvas] | None = None

    def at(self, seconds: Fraction) -> Canvas:
        frame = self._pictures.at(seconds)
        if self._last is None or self._last[0] is not frame:
            canvas = fitted(frame, *self._size, stretch=self._pictures.stretch)
            self._last = (frame, canvas)
        return self._last[1]


def watermark(file: BinaryIO, mark: Mark, width: int, height: int) -> Stamp:
    """Return a watermark for a film of this size.

    Raises:
        UnreadableMedia: the file holds no picture.
    """
    rgba = _picture(file, round(width * mark.scale), height)
    rgba[:, :, 3] = np.rint(rgba[:, :, 3] * mark.opacity)
    down, across = rgba.shape[:2]
    margin = round(width * _MARGIN)
    x = margin if mark.position.endswith("left") else width - margin - across
    y = margin if mark.position.startswith("top") else height - margin - down
    return stamp(rgba, max(0, x), max(0, y))


def _picture(file: BinaryIO, width: int, height: int) -> Bytes:
    """Return a still picture as RGBA, so wide and at most so high."""
    file.seek(0)
    try:
        with Image.open(file, formats=_STILLS) as picture:
            if picture.width * picture.height > formats.MAX_PIXELS:
                raise UnreadableMedia("The watermark is too large.")
            factor = min(width / picture.width, height / picture.height)
            size = [
                max(2, round(side * factor)) for side in (picture.width, picture.height)
            ]
            small = picture.convert("RGBA").resize((size[0], size[1]))
    except _DAMAGE as exc:
        raise UnreadableMedia(
            "The watermark is not a PNG, JPEG or WebP picture."
        ) from exc
    return np.array(small)
