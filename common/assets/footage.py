"""The files that a timeline names: rows of its project, and nothing else.

A name is an asset's id or its ``relative_path``; it is compared with those of the
project, so that neither another project's file nor a path of the machine is reached.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from common.errors import NotFound
from common.models import Asset, Recording
from common.timeline.planning import templates
from common.timeline.request import Subtitles, Timeline


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the project, as it is stored."""

    asset_id: UUID
    recording_id: UUID
    object_key: str


@dataclass(frozen=True, slots=True)
class Footage:
    """The file of each clip, in their order, and those that are called by a name."""

    clips: tuple[Source, ...]
    named: Mapping[str, Source]


def find(session: Session, project_id: str, timeline: Timeline) -> Footage:
    """Return the files of a timeline; one statement.

    Raises:
        NotFound: the project has no such file; the message says which.
    """
    wanted = dict(_named(timeline))
    found = _files(session, project_id, timeline, wanted)
    for name, missing in wanted.items():
        if _known_as(name) not in found:
            raise NotFound(missing(name))
    clips = [str(clip.asset_id) for clip in timeline.clips]
    for id_ in clips:
        if id_ not in found:
            raise NotFound(f"Video asset '{id_}' not found in repository")
    return Footage(
        clips=tuple(found[id_] for id_ in clips),
        named={name: found[_known_as(name)] for name in wanted},
    )


def _named(timeline: Timeline) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Yield each file name, with what is said if there is no such file."""
    if timeline.background_music is not None:
        yield timeline.background_music.track, "Background music '{}' not found".format
    marks = [timeline.default_watermark, *(c.watermark for c in timeline.clips)]
    marks += [template.watermark for template in templates(timeline)]
    for mark in marks:
        if mark is not None:
            yield mark.path, "Watermark asset '{}' not found".format
    texts = [timeline.global_subtitles, *(clip.subtitles for clip in timeline.clips)]
    for text in texts:
        if (path := file_of(text)) is not None:
            yield path, "Subtitle file '{}' not found".format


def file_of(subtitles: Subtitles | None) -> str | None:
    """Return which file subtitles come from; None if from none."""
    if subtitles is None or subtitles.source == "transcript":
        return None
    return subtitles.path


def _files(
    session: Session, project_id: str, timeline: Timeline, wanted: Mapping[str, object]
) -> dict[str, Source]:
    """Return the project's files among those wanted, by id and by address."""
    ids = {clip.asset_id for clip in timeline.clips}
    ids |= {id_ for name in wanted if (id_ := _uuid(name)) is not None}
    query = (
        select(Asset.id, Asset.relative_path, Recording.id, Recording.object_key)
        .join(Recording, Recording.id == Asset.recording_id)
        .where(
            Asset.project_id == project_id,
            or_(Asset.id.in_(ids), Asset.relative_path.in_(list(wanted))),
            Recording.object_key.is_not(None),
        )
    )
    found = {}
    for asset_id, path, recording_id, key in session.execute(query):
        found[path] = found[str(asset_id)] = Source(asset_id, recording_id, key or "")
    return found


def _known_as(name: str) -> str:
    """Return an id as we write it, and any other name as it is."""
    return str(_uuid(name) or name)


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
