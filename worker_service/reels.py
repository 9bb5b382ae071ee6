"""A timeline on its way to films: parts and films in storage, and what is done of it.

What is done is kept in the job's checkpoint, so that no try repeats it: ``parts`` (the
runs that rendered them), ``pictures`` (by film and name) and ``films`` (by number).
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO, cast
from uuid import UUID

from common import object_keys, objects
from common.assets.footage import Footage
from common.ids import new_id
from common.jobs import TimelineExport
from common.timeline.orders import Join, Part
from common.timeline.plan import Plan, Shot, Span
from common.timeline.studio import Studio
from worker_service.work import Waiting, Work

ENOUGH_SECONDS = 240.0  # then the job is given back: with one more order, 8 minutes
_NOW = timedelta(0)
_TELL_SECONDS = 1.0  # between two entries of progress
_RENDERING = (10, 60)  # percent of the work that is done before, and that it is
_JOINED = (75, 80)  # after the timeline, and after its proxy
_EXPORTS = (82, 10)  # before the exports, and all of them


@dataclass(slots=True)
class Reel:
    """One timeline in the making. ``done`` is the checkpoint, as it grows."""

    work: Work[TimelineExport]
    plan: Plan
    footage: Footage
    done: dict[str, Any]
    steps: int = 0  # done in this request
    began: float = field(default_factory=time.monotonic)

    def render(self) -> None:
        """Render and store every part that is not there yet.

        Raises:
            Waiting: enough was done in this request; the next one goes on.
        """
        for number, (first, end) in enumerate(self.plan.parts):
            if number >= len(self.done["parts"]):
                self._pause()
                self._render(number, first, end)

    def join(self) -> None:
        """Put each film together that is not there yet, and store it.

        Raises:
            Waiting: as ``render`` does.
        """
        for number in range(len(self.plan.films)):
            if str(number) not in self.done["films"]:
                self._pause()
                self._join(number)

    def part_keys(self) -> list[str]:
        """Return the keys of all parts: nobody needs them any more at the end."""
        return [
            key
            for part, run in enumerate(self.done["parts"])
            for key in self._part_keys(run, part)
        ]

    def all_keys(self) -> list[str]:
        """Return the keys of all that was stored."""
        kept = [*self.done["pictures"].values(), *self.done["films"].values()]
        return [*self.part_keys(), *(one["object_key"] for one in kept)]

    def _render(self, number: int, first: int, end: int) -> None:
        plan = self.plan
        spans = [s for s in plan.spans if s.first < end and s.end > first]
        shots = [shot for shot in plan.shots if first <= shot.frame < end]
        order = Part(
            plan=plan,
            first=first,
            end=end,
            clips=tuple(span.clip for span in spans),
            shots=tuple(shots),
            threads=self.work.deps.settings.ffmpeg_threads,
        )
        with ExitStack() as stack:
            files = [*self._clips(stack, spans)]
            files += [self._named(stack, mark.path) for mark in plan.marks]
            written = [_temporary(stack) for _ in (*plan.films, *shots)]
            Studio(self._watch(first)).render(order, files, written)
            self._keep(number, shots, written)
        done = {"parts": self.done["parts"], "pictures": self.done["pictures"]}
        self.work.save(done, progress=self._percent(end))

    def _keep(
        self, number: int, shots: Sequence[Shot], written: Sequence[BinaryIO]
    ) -> None:
        """Store what was rendered; only the checkpoint that follows makes it count."""
        run = self.work.lease.run
        pictures = [self._picture_key(shot) for shot in shots]
        keys = [*self._part_keys(run, number), *pictures]
        self._doom(keys)
        sizes = [
            self.work.deps.storage.write(key, file).size_bytes
            for key, file in zip(keys, _from_start(written), strict=True)
        ]
        self.done["parts"] = [*self.done["parts"], run]
        for shot, key, size in zip(
            shots, pictures, sizes[len(self.plan.films) :], strict=True
        ):
            kept = {"object_key": key, "size_bytes": size}
            self.done["pictures"][f"{shot.film}/{shot.name}"] = kept

    def _join(self, number: int) -> None:
        plan, film = self.plan, self.plan.films[number]
        spans = [span for span in plan.spans if span.sound]
        parts = self.done["parts"]
        order = Join(
            plan=plan,
            film=number,
            parts=len(parts),
            clips=tuple(span.clip for span in spans),
        )
        recording_id = new_id()  # another one for each try: it names the object
        key = object_keys.project_file(
            self.work.payload.project_id, recording_id, f"film.{film.container}"
        )
        with ExitStack() as stack:
            files = [
                self._open(stack, object_keys.film_part(run, part, number))
                for part, run in enumerate(parts)
            ]
            files += self._clips(stack, spans)
            if self.music is not None:
                files.append(self._named(stack, self.music))
            written = _temporary(stack)
            about = Studio(self._watch(plan.frames)).join(order, files, written)
            self._doom([key])
            stored = self.work.deps.storage.write(key, *_from_start([written]))
        self.done["films"][str(number)] = {
            "recording_id": str(recording_id),
            "object_key": key,
            "size_bytes": stored.size_bytes,
            "sha256": stored.sha256,
            "about": about,
        }
        percent = _joined_percent(number, len(plan.films))
        self.work.save({"films": self.done["films"]}, progress=percent)

    @property
    def music(self) -> str | None:
        """The name of the music's file."""
        named: str | None = self.done["music"]
        return named

    def _clips(self, stack: ExitStack, spans: Sequence[Span]) -> list[BinaryIO]:
        """Open the file of each clip for itself: each is read at places of its own."""
        sources = self.footage.clips
        return [self._open(stack, sources[span.clip].object_key) for span in spans]

    def _named(self, stack: ExitStack, name: str) -> BinaryIO:
        return self._open(stack, self.footage.named[name].object_key)

    def _open(self, stack: ExitStack, key: str) -> BinaryIO:
        return stack.enter_context(self.work.deps.storage.read(key))

    def _part_keys(self, run: str, part: int) -> list[str]:
        films = range(len(self.plan.films))
        return [object_keys.film_part(run, part, film) for film in films]

    def _picture_key(self, shot: Shot) -> str:
        asset_id = UUID(self.done["asset_ids"][shot.film])
        name = f"{self.work.lease.run}.{shot.name}"
        return object_keys.thumbnail(self.work.payload.project_id, asset_id, name)

    def _doom(self, keys: Sequence[str]) -> None:
        with self.work.deps.db.begin() as session:
            objects.doom(session, keys, after=objects.GRACE)

    def _pause(self) -> None:
        """Ask whether to go on, and whether in this request."""
        self.work.pulse.check()
        if self.steps and time.monotonic() - self.began > ENOUGH_SECONDS:
            raise Waiting(0)
        self.steps += 1

    def _watch(self, before: int) -> Callable[[int], None]:
        """Return what notes how far it is, and ends the work if it is not wanted."""
        told = time.monotonic()

        def watch(frames: int) -> None:
            nonlocal told
            self.work.pulse.check()
            if frames and time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                self.work.save({}, progress=self._percent(before + frames))

        return watch

    def _percent(self, frames: int) -> int:
        before, share = _RENDERING
        return before + share * frames // self.plan.frames


def _joined_percent(number: int, films: int) -> int:
    if number < len(_JOINED):
        return _JOINED[number]
    before, share = _EXPORTS
    return before + share * (number - 1) // (films - 2)


def _temporary(stack: ExitStack) -> BinaryIO:
    """Return a file without a name: nothing is left of it, whatever happens."""
    return cast("BinaryIO", stack.enter_context(tempfile.TemporaryFile()))


def _from_start(files: Sequence[BinaryIO]) -> list[BinaryIO]:
    for file in files:
        file.seek(0)
    return list(files)
