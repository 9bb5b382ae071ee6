"""What is written of a project's file that came in, in one transaction."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common import objects
from common.assets import names
from common.media.films.check import Seen
from common.models import Asset, Recording, Thumbnail

FIRST = -1  # the number of the picture that stands for a file

_NOW = timedelta(0)
_TRIED = 100  # names at once; so many copies of one file are rare
# Of the locks with two numbers, 4 is that of projects: who adds a file and who wipes
# all of them come one after the other.
_LOCK = text("select pg_advisory_xact_lock(4, hashtext(:project_id))")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A film that is stored, was looked into, and whose picture is stored as well."""

    project_id: str
    asset_id: UUID
    recording_id: UUID
    object_key: str
    picture_key: str
    filename: str
    size_bytes: int
    sha256: str
    seen: Seen


def lock(session: Session, project_id: str) -> None:
    """Wait until nobody else adds files to the project, or removes all of them."""
    session.execute(_LOCK, {"project_id": project_id})


def save(session: Session, arrival: Arrival) -> Asset:
    """Make the file a part of its project; both objects are spared."""
    lock(session, arrival.project_id)
    name = _free_name(session, arrival)
    session.add(
        Recording(
            id=arrival.recording_id,
            kind="video",
            object_key=arrival.object_key,
            original_filename=arrival.filename,
            size_bytes=arrival.size_bytes,
            sha256=arrival.sha256,
        )
    )
    session.flush()
    asset = Asset(
        id=arrival.asset_id,
        project_id=arrival.project_id,
        recording_id=arrival.recording_id,
        filename=name,
        original_filename=arrival.filename,
        relative_path=names.relative_path("source", arrival.project_id, name),
        mime_type=names.mime_type(name),
        size_bytes=arrival.size_bytes,
        category="source",
        status="ready",
        about=arrival.seen.film.shown(arrival.size_bytes),
    )
    session.add(asset)
    session.flush()
    put_picture(session, asset, arrival.picture_key, len(arrival.seen.picture))
    objects.spare(session, [arrival.object_key])
    return asset


def put_picture(session: Session, asset: Asset, key: str, size_bytes: int) -> None:
    """Give a file this picture; the one before goes. The new one is spared."""
    before = session.scalar(
        select(Thumbnail.object_key).where(
            Thumbnail.asset_id == asset.id, Thumbnail.clip_index == FIRST
        )
    )
    path = names.relative_path(
        "thumbnail", asset.project_id, names.beside(asset.filename, ".jpg")
    )
    values = {"object_key": key, "relative_path": path, "size_bytes": size_bytes}
    session.execute(
        insert(Thumbnail)
        .values(asset_id=asset.id, clip_index=FIRST, **values)
        .on_conflict_do_update(
            index_elements=[Thumbnail.asset_id, Thumbnail.clip_index], set_=values
        )
    )
    objects.spare(session, [key])
    if before is not None and before != key:
        objects.doom(session, [before], after=_NOW)


def _free_name(session: Session, arrival: Arrival) -> str:
    """Return the first of the file's names that no file of the project has."""
    project = arrival.project_id
    stored = names.stored_names(project, arrival.filename, arrival.sha256)
    while True:
        paths = {
            names.relative_path("source", project, name): name
            for name in islice(stored, _TRIED)
        }
        taken = set(
            session.scalars(
                select(Asset.relative_path).where(Asset.relative_path.in_(paths))
            )
        )
        if free := [name for path, name in paths.items() if path not in taken]:
            return free[0]
