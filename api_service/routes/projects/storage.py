"""Stored files of projects: fetched, counted, wiped."""

from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Row, Select, literal, select
from sqlalchemy.orm import Session

from api_service.context import deps, reading
from api_service.openapi import describes
from api_service.people.actors import deletion_order
from api_service.routes.projects.videos import ours
from api_service.transfers import files
from common.assets import deleting, names, sizes
from common.assets.rows import FIRST
from common.assets.sizes import Size
from common.errors import NotFound
from common.models import Asset, Recording, Thumbnail

bp = Blueprint("project_storage", __name__)

_MIB = 1024 * 1024
_MISSING = "File not found"
_NO_ASSET = "Asset not found"


class SizeOut(BaseModel):
    """What one part of the storage holds."""

    bytes: int
    megabytes: float
    file_count: int


class Sizes(BaseModel):
    """All parts of the storage."""

    uploads: SizeOut
    processed: SizeOut
    thumbnails: SizeOut
    exports: SizeOut
    music: SizeOut


class StorageStats(BaseModel):
    """How much a project keeps, or all of them. ``root`` names no folder of ours."""

    root: Literal["storage"] | None
    project_id: str | None
    categories: Sizes


@bp.get("/storage/stats")
@describes(gives=StorageStats)
def stats() -> ResponseReturnValue:
    """Return how much all projects keep."""
    with reading() as session:
        found = sizes.read(session)
    return {"root": "storage", "project_id": None, "categories": _shown(found)}


@bp.get("/projects/<project_id>/storage/stats")
@describes(gives=StorageStats)
def project_stats(project_id: str) -> ResponseReturnValue:
    """Return how much a project keeps; zeros if there is no such project."""
    with reading() as session:
        found = sizes.read(session, project_id)
    return {"root": None, "project_id": project_id, "categories": _shown(found)}


@bp.delete("/projects/<project_id>/storage")
@describes(gives="text/plain", status=204)
def wipe(project_id: str) -> ResponseReturnValue:
    """Delete all that a project has: files, transcripts, scenes and jobs."""
    with deps().db.begin() as session:
        deleting.wipe(session, project_id, deletion_order())
    return "", 204


@bp.get("/projects/<project_id>/videos/<asset_id>/media")
@describes(gives="*/*", errors=(404, 416))
def media(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Play a file; ranges are served.

    Where it lies in a bucket, the answer is a redirect to it, good for some minutes.
    """
    return _send(_files().where(*ours(project_id, asset_id)), _NO_ASSET)


@bp.get("/projects/<project_id>/videos/<asset_id>/thumbnail")
@describes(gives="image/jpeg", errors=(404, 416))
def thumbnail(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Return the picture that stands for a file."""
    first = Thumbnail.clip_index == FIRST
    return _send(_pictures().where(first, *ours(project_id, asset_id)), _NO_ASSET)


@bp.get("/storage/<path:relative_path>")
@describes(gives="*/*", errors=(404, 416))
def stored(relative_path: str) -> ResponseReturnValue:
    """Return the file that has this address; ranges are served.

    The address is looked up as it is, among those that were told. It is never a path.
    """
    if "\0" in relative_path:  # PostgreSQL could not even look for it
        raise NotFound(_MISSING)
    is_file: ColumnElement[bool] = Asset.relative_path == relative_path
    is_picture: ColumnElement[bool] = Thumbnail.relative_path == relative_path
    wanted = _files().where(is_file).union_all(_pictures().where(is_picture))
    return _send(select(wanted.subquery()), _MISSING)


def _files() -> Select[*tuple[Any, ...]]:
    return select(
        Asset.filename.label("name"),
        Recording.object_key.label("key"),
        Asset.size_bytes.label("size_bytes"),
        Asset.created_at.label("at"),
    ).join(Recording, Recording.id == Asset.recording_id)


def _pictures() -> Select[*tuple[Any, ...]]:
    return select(
        literal("picture.jpg").label("name"),
        Thumbnail.object_key.label("key"),
        Thumbnail.size_bytes.label("size_bytes"),
        Thumbnail.created_at.label("at"),
    ).join(Asset, Asset.id == Thumbnail.asset_id)


def _send(wanted: Select[*tuple[Any, ...]], missing: str) -> ResponseReturnValue:
    with reading() as session:
        row = _first(session, wanted)
    if row is None or row.key is None:
        raise NotFound(missing)
    kind = names.mime_type(row.name)
    if request.method == "GET" and (
        url := files.link(
            row.key, missing=missing, filename=row.name, content_type=kind
        )
    ):
        response = redirect(url, 302)
        response.headers["Cache-Control"] = "no-store"  # it is a key, for some minutes
        return response
    return files.send(
        row.key,
        missing=missing,
        size_bytes=row.size_bytes,
        etag=_etag(row.key),
        last_modified=_at(row),
        mimetype=kind,
        download_name=row.name,
    )


def _first(session: Session, wanted: Select[*tuple[Any, ...]]) -> Row[Any] | None:
    return session.execute(wanted).first()


def _at(row: Row[Any]) -> datetime:
    at: datetime = row.at
    return at


def _etag(key: str) -> str:
    """Return what changes whenever the file does: its key, which names one object."""
    return sha256(key.encode()).hexdigest()[:32]


def _shown(found: dict[str, Size]) -> dict[str, dict[str, float]]:
    return {
        part: {
            "bytes": size.size_bytes,
            "megabytes": round(size.size_bytes / _MIB, 2),
            "file_count": size.files,
        }
        for part, size in found.items()
    }
