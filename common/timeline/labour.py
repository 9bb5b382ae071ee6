"""What the child process does: look, render a part, join parts."""

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from av.video.frame import VideoFrame

from common.errors import AppError
from common.media.films import looking as films
from common.timeline import encoding
from common.timeline.composition import Composer, watermark
from common.timeline.orders import Join, Look, Part, Refusal, Said
from common.timeline.pictures import Canvas, Stamp, fitted
from common.timeline.plan import Film, Plan
from common.timeline.sound import Mixer
from common.timeline.sources import look

_EVERY = 8  # frames between two lines


def done(
    order: Look | Part | Join, files: Sequence[BinaryIO], written: Sequence[BinaryIO]
) -> Iterator[Said]:
    """Do it; say how far it is, and last how it ended."""
    try:
        match order:
            case Look():
                yield Said(done=True, found=tuple(look(file) for file in files))
                return
            case Part():
                yield from _render(order, files, written)
            case Join():
                yield Said(done=True, about=_joined(order, files, written[0]))
                return
    except AppError as exc:
        yield Said(refused=Refusal(code=exc.code, message=str(exc)))
        return
    yield Said(done=True)


def _render(
    order: Part, files: Sequence[BinaryIO], written: Sequence[BinaryIO]
) -> Iterator[Said]:
    plan = order.plan
    count = len(order.clips)
    clips = dict(zip(order.clips, files, strict=False))
    copies = [
        _Copy(plan, film, file, files[count:], order.threads)
        for film, file in zip(plan.films, written, strict=False)
    ]
    shots = list(zip(order.shots, written[len(copies) :], strict=True))
    marks = _stamps(plan, files[count:], plan.films[0])
    with Composer(plan, clips, marks, threads=order.threads) as composer:
        frames = composer.frames(order.first, order.end)
        for number, canvas in enumerate(frames, order.first):
            shown = canvas.frame()
            given = [copy.write(canvas, shown) for copy in copies]
            for shot, file in shots:
                if shot.frame == number:
                    file.write(encoding.jpeg(given[shot.film]))
            if number % _EVERY == 0:
                yield Said(frames=number - order.first + 1)
        for copy in copies:
            copy.close()


def _joined(order: Join, files: Sequence[BinaryIO], file: BinaryIO) -> dict[str, Any]:
    """Make a film; return what is in it, as clients know it."""
    plan = order.plan
    parts, rest = files[: order.parts], files[order.parts :]
    clips = dict(zip(order.clips, rest, strict=False))
    music = rest[len(clips)] if len(rest) > len(clips) else None
    film = plan.films[order.film]
    with Mixer(plan, clips, music) as mixer:
        sound = mixer.blocks() if clips or music else None
        encoding.join(plan, film, parts, sound, file)
    made = films.look(file)
    return made.shown(file.seek(0, os.SEEK_END)) | {
        "duration": round(float(plan.seconds), 3),
        "label": film.name,
        "aspect_ratio": _ratio(film),
    }


def _ratio(film: Film) -> str:
    common = math.gcd(film.width, film.height)
    return f"{film.width // common}:{film.height // common}"


class _Copy:
    """One film's share of a part: the first one's pictures, in its own size."""

    def __init__(
        self,
        plan: Plan,
        film: Film,
        file: BinaryIO,
        marks: Sequence[BinaryIO],
        threads: int,
    ) -> None:
        self._film = film
        self._same = (film.width, film.height) == (
            plan.films[0].width,
            plan.films[0].height,
        )
        self._writer = encoding.PartWriter(film, plan.rate, file, threads=threads)
        self._stamp: Stamp | None = None
        if film.mark is not None:
            self._stamp = _stamps(plan, marks, film)[film.mark]

    def write(self, canvas: Canvas, shown: VideoFrame) -> VideoFrame:
        """Add a picture of the first film; return what was made of it."""
        if not self._same:
            canvas = fitted(shown, self._film.width, self._film.height)
        if self._stamp is not None:
            canvas = canvas.copy()
            self._stamp.on(canvas)
        frame = canvas.frame()
        self._writer.write(frame)
        return frame

    def close(self) -> None:
        """End the file."""
        self._writer.close()


def _stamps(plan: Plan, files: Sequence[BinaryIO], film: Film) -> list[Stamp]:
    return [
        watermark(file, mark, film.width, film.height)
        for file, mark in zip(files, plan.marks, strict=True)
    ]
