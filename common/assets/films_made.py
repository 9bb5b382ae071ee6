"""Films that were made of others of their project: what is written of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from common import objects
from common.assets import names, rows
from common.models import Asset, Recording, Thumbnail


@dataclass(frozen=True, slots=True)
class Made:
    """A stored film. ``about`` is its metadata, as clients know it."""

    asset_id: UUID
    recording_id: UUID
    object_key: str
    project_id: str
    category: str
    label: str
    filename: str
    size_bytes: int
    sha256: str
    seconds: float
    about: dict[str, Any]
    source_asset_ids: Sequence[UUID]

    @property
    def relative_path(self) -> str:
        """Its address."""
        return names.relative_path(self.category, self.project_id, self.filename)

    def shown(self) -> dict[str, Any]:
        """Return it as the result of its job names it."""
        return {
            "asset_id": str(self.asset_id),
            "name": self.label,
            "category": self.category,
            "relative_path": self.relative_path,
            "metadata": self.about,
        }


@dataclass(frozen=True, slots=True)
class Picture:
    """A stored picture of such a film; ``clip`` is None if it stands for the film."""

    asset_id: UUID
    object_key: str
    relative_path: str
    size_bytes: int
    clip: int | None
    seconds: float
    context: str

    def shown(self) -> dict[str, Any]:
        """Return it as the result of its job names it."""
        return {
            "path": self.relative_path,
            "clip_index": self.clip,
            "timestamp": self.seconds,
            "context": self.context,
        }


def save(session: Session, films: Iterable[Made], pictures: Iterable[Picture]) -> None:
    """Make the films a part of their project, which is locked; all is spared."""
    kept = []
    for film in films:
        kept.append(film.object_key)
        session.add(
            Recording(
                id=film.recording_id,
                kind="video",
                object_key=film.object_key,
                original_filename=film.filename,
                size_bytes=film.size_bytes,
                sha256=film.sha256,
            )
        )
        session.flush()
        session.add(
            Asset(
                id=film.asset_id,
                project_id=film.project_id,
                recording_id=film.recording_id,
                filename=film.filename,
                original_filename=film.filename,
                relative_path=film.relative_path,
                mime_type=names.mime_type(film.filename),
                size_bytes=film.size_bytes,
                category=film.category,
                status="ready",
                source_asset_ids=list(film.source_asset_ids),
                about=film.about,
            )
        )
        session.flush()
    shown = [_thumbnail(picture) for picture in pictures]
    if shown:
        session.execute(insert(Thumbnail), shown)
    objects.spare(session, [*kept, *(row["object_key"] for row in shown)])


def file_name(label: str, asset_id: UUID, at: datetime, end: str) -> str:
    """Return what a film is called, e.g. ``timeline_20250101t123000_0a1b2c3d4e.mp4``.

    The end of its id keeps two of the same second apart.
    """
    return f"{names.readable(label)}_{at:%Y%m%dt%H%M%S}_{asset_id.hex[-10:]}{end}"


def _thumbnail(picture: Picture) -> dict[str, Any]:
    return {
        "asset_id": picture.asset_id,
        "clip_index": rows.FIRST if picture.clip is None else picture.clip,
        "object_key": picture.object_key,
        "relative_path": picture.relative_path,
        "size_bytes": picture.size_bytes,
    }
