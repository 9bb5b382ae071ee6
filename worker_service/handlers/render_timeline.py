"""Make films of a project's clips: the timeline, its proxy, and the exports."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

from common import jobs, objects, subtitles
from common.assets import films_made, footage, names, rows
from common.assets.films_made import Made, Picture
from common.assets.footage import Footage
from common.errors import AppError, Conflict, TooLarge
from common.ids import new_id
from common.jobs import TimelineExport
from common.timeline import captions, encoders, request
from common.timeline.plan import Line, Plan
from common.timeline.planning import plan
from common.timeline.request import Subtitles, Timeline
from common.timeline.studio import Studio
from common.transcript import Segment
from worker_service.heartbeat import Cancelled
from worker_service.reels import Reel
from worker_service.work import Work

_NOW = timedelta(0)
_PREPARED, _PLANNED, _REGISTERING = 5, 10, 95  # percent of the work


def run(work: Work[TimelineExport]) -> None:
    """Render the timeline and make its films files of the project.

    Long ones take several requests: each part and each film is stored and saved, and
    the next request goes on from there. Safe to run twice: each run writes objects of
    its own, and only those of the one that ends the job get rows.
    """
    timeline = request.read(work.payload.timeline)
    with work.deps.db.begin() as session:
        found = footage.find(session, work.payload.project_id, timeline)
    reel = _reel(work, timeline, found)
    try:
        reel.render()
        reel.join()
        _publish(reel)
    except (AppError, Cancelled) as exc:
        if _is_final(work, exc):
            with work.deps.db.begin() as session:
                objects.doom(session, reel.all_keys(), after=_NOW)
        raise


def _is_final(work: Work[TimelineExport], exc: AppError | Cancelled) -> bool:
    """Return whether nobody comes back for what was made so far."""
    used_up = work.lease.attempt >= work.lease.max_attempts
    return isinstance(exc, Cancelled) or not exc.retryable or used_up


def _reel(work: Work[TimelineExport], timeline: Timeline, found: Footage) -> Reel:
    """Return the reel as an earlier try left it, or a new one."""
    done = dict(work.lease.checkpoint)
    if "plan" not in done:
        work.say("Starting timeline composition", clips=len(timeline.clips))
        work.save({}, progress=_PREPARED)
        made = _planned(work, timeline, found)
        music = timeline.background_music
        done = {
            "plan": made.model_dump(mode="json"),
            "music": music.track if music else None,
            "asset_ids": [str(new_id()) for _ in made.films],
            "made_at": datetime.now(UTC).isoformat(),
            "parts": [],
            "pictures": {},
            "films": {},
        }
        work.save(done, progress=_PLANNED)
        work.say(
            "Rendering clips",
            seconds=round(float(made.seconds), 3),
            parts=len(made.parts),
            films=len(made.films),
        )
    return Reel(work, Plan.model_validate(done["plan"]), found, done)


def _planned(work: Work[TimelineExport], timeline: Timeline, found: Footage) -> Plan:
    keys = list(dict.fromkeys(source.object_key for source in found.clips))
    with ExitStack() as stack:
        files = [stack.enter_context(work.deps.storage.read(key)) for key in keys]
        looked = Studio(lambda _frames: work.pulse.check()).look(files)
    seen = dict(zip(keys, looked, strict=True))
    made = plan(timeline, [seen[source.object_key] for source in found.clips])
    encoders.require(film.container for film in made.films)
    burnt, track = _lines(work, timeline, found, made)
    return made.model_copy(update={"burnt": burnt, "track": track})


def _lines(
    work: Work[TimelineExport], timeline: Timeline, found: Footage, made: Plan
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Return the lines that are burnt into the pictures, and those beside them."""
    clips = [clip.subtitles for clip in timeline.clips]
    whole = timeline.global_subtitles
    said = _said(work, [*clips, whole], found)
    lines: dict[str, list[Line]] = {"burn": [], "track": []}
    for number, source in enumerate(found.clips):
        for wanted in (clips[number], whole):
            if wanted is not None and wanted.source == "transcript":
                heard = _heard(said[source.recording_id], made, number)
                lines[wanted.mode] += captions.lines(made, heard, wanted, span=number)
    for place, wanted in (*enumerate(clips), (None, whole)):
        if wanted is not None and wanted.source == "file":
            read = _file(work, wanted, found)
            lines[wanted.mode] += captions.lines(made, read, wanted, span=place)
    burnt, track = (
        tuple(sorted(lines[mode], key=lambda line: line.start_ms))
        for mode in ("burn", "track")
    )
    return burnt, track


def _said(
    work: Work[TimelineExport], wanted: Sequence[Subtitles | None], found: Footage
) -> Mapping[UUID, Sequence[Segment]]:
    """Return what is said in the clips that are to show it, by recording."""
    *clips, whole = wanted
    sources = {
        source.recording_id
        for source, own in zip(found.clips, clips, strict=True)
        if any(one and one.source == "transcript" for one in (own, whole))
    }
    said = {}
    with work.deps.db.begin() as session:
        for recording_id in sources:  # two statements each, and few films have many
            said[recording_id] = subtitles.read(session, recording_id).edited
    if not all(said.values()):
        raise Conflict(
            "A video of the timeline has no transcript for its subtitles",
            code="transcript_missing",
        )
    return said


def _heard(segments: Sequence[Segment], made: Plan, number: int) -> Sequence[Segment]:
    """Return what is said in a clip, in time from its first frame."""
    span = made.spans[number]
    start_ms = round(span.start * 1000)
    end_ms = start_ms + round(span.frames * 1000 / made.rate)
    return captions.cut_out(segments, start_ms=start_ms, end_ms=end_ms)


def _file(
    work: Work[TimelineExport], wanted: Subtitles, found: Footage
) -> list[Segment]:
    key = found.named[wanted.path or ""].object_key
    with work.deps.storage.read(key) as file:
        content = file.read(captions.MAX_BYTES + 1)
    if len(content) > captions.MAX_BYTES:
        raise TooLarge("A subtitle file of the timeline is too large.")
    return captions.parse(content, wanted.encoding)


def _publish(reel: Reel) -> None:
    """End the job in the transaction that makes the films files of the project."""
    work, project_id = reel.work, reel.work.payload.project_id
    films = list(_films(reel))
    pictures = list(_pictures(reel, films))
    result = {
        "timeline": films[0].shown(),
        "proxy": films[1].shown(),
        "exports": [film.shown() for film in films[2:]],
        "thumbnails": [picture.shown() for picture in pictures],
    }
    work.save({}, progress=_REGISTERING)
    with work.deps.db.begin() as session:
        rows.lock(session, project_id)  # who wipes a project locks it before its jobs
        jobs.note(
            session,
            work.lease.job_id,
            "Timeline composition complete",
            outputs=len(films),
        )
        jobs.succeed(session, work.lease, result)
        films_made.save(session, films, pictures)
        objects.doom(session, reel.part_keys(), after=_NOW)


def _films(reel: Reel) -> Iterator[Made]:
    sources = list(dict.fromkeys(source.asset_id for source in reel.footage.clips))
    made_at = datetime.fromisoformat(reel.done["made_at"])
    for number, film in enumerate(reel.plan.films):
        stored = reel.done["films"][str(number)]
        asset_id = UUID(reel.done["asset_ids"][number])
        end = f".{film.container}"
        yield Made(
            asset_id=asset_id,
            recording_id=UUID(stored["recording_id"]),
            object_key=stored["object_key"],
            project_id=reel.work.payload.project_id,
            category=film.category,
            label=film.name,
            filename=films_made.file_name(film.name, asset_id, made_at, end),
            size_bytes=stored["size_bytes"],
            sha256=stored["sha256"],
            seconds=float(reel.plan.seconds),
            about=stored["about"],
            source_asset_ids=sources,
        )


def _pictures(reel: Reel, films: list[Made]) -> Iterator[Picture]:
    for shot in reel.plan.shots:
        stored = reel.done["pictures"][f"{shot.film}/{shot.name}"]
        film = films[shot.film]
        name = names.beside(film.filename, ".jpg")
        if shot.clip is not None:
            name = f"{shot.name}_{name}"
        yield Picture(
            asset_id=film.asset_id,
            object_key=stored["object_key"],
            relative_path=names.relative_path(
                "thumbnail", reel.work.payload.project_id, name
            ),
            size_bytes=stored["size_bytes"],
            clip=shot.clip,
            seconds=shot.seconds,
            context=shot.context,
        )
