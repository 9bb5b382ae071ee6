"""How much a project, or all of them, keep in storage: told by rows, not by a walk."""

from dataclasses import dataclass

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.orm import Session

from common.assets.names import FOLDERS
from common.models import Asset, Thumbnail


@dataclass(frozen=True, slots=True)
class Size:
    """What one part of the storage holds."""

    size_bytes: int = 0
    files: int = 0


def read(session: Session, project_id: str | None = None) -> dict[str, Size]:
    """Return the size of each part, all of them, in their order; one statement."""
    found = dict.fromkeys(FOLDERS.values(), Size())
    for category, size_bytes, files in session.execute(_query(project_id)):
        before = found[FOLDERS[category]]
        found[FOLDERS[category]] = Size(
            before.size_bytes + int(size_bytes), before.files + files
        )
    return found


def _query(project_id: str | None) -> Select[str, int, int]:
    kept = select(Asset.category, func.sum(Asset.size_bytes), func.count()).group_by(
        Asset.category
    )
    pictures = select(
        literal("thumbnail"),
        func.coalesce(func.sum(Thumbnail.size_bytes), 0),
        func.count(),
    )
    if project_id is not None:
        kept = kept.where(Asset.project_id == project_id)
        pictures = pictures.join(Asset, Asset.id == Thumbnail.asset_id).where(
            Asset.project_id == project_id
        )
    return select(union_all(kept, pictures).subquery())
