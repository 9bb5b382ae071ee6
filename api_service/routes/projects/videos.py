"""Files of a project: taken in, listed, shown, deleted."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, RootModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import idempotency
from api_service.context import deps, query, reading
from api_service.errors import InvalidRequest
from api_service.openapi import describes
from api_service.people.actors import deletion_order
from api_service.routes.projects import schemas
from api_service.routes.projects.schemas import AssetRow
from api_service.transfers import parts
from api_service.transfers.parts import Part
from common import object_keys, objects
from common.assets import deleting, films, names, rows
from common.assets.rows import Arrival
from common.errors import AppError, BadRequest, InvalidInput, NotFound, UnreadableMedia
from common.ids import new_id
from common.models import Asset

bp = Blueprint("project_videos", __name__, url_prefix="/projects")

_UNFINISHED = timedelta(hours=1)  # no upload takes longer from storing to its row
_LONGEST_NAME = 1024
FIELD = "file"
_MISSING = {
    "type": "missing",
    "loc": ["body", FIELD],
    "msg": "Field required",
    "input": None,
}


class VideoForm(BaseModel):
    """The file is all that is needed."""


class Uploaded(BaseModel):
    """A file that was taken in."""

    asset_id: UUID
    filename: str
    original_filename: str
    size_bytes: int
    project_id: str
    status: Literal["ready"]
    message: str


class Assets(RootModel[list[AssetRow]]):
    """Files of a project, oldest first."""


class AssetsQuery(BaseModel):
    """Which part of the listing; all of it unless something is said."""

    limit: Annotated[int, Field(ge=0, le=2**31)] | None = None
    offset: Annotated[int, Field(ge=0, le=2**31)] = 0


@bp.post("/<project_id>/videos")
@describes(
    form=VideoForm, files=(FIELD,), gives=Uploaded, status=201, errors=(400, 409, 413)
)
def upload(project_id: str) -> ResponseReturnValue:
    """Take a film in: MP4, MOV or AVI, by name and by content.

    It is looked into before the answer, so that what is answered is ``ready``. Larger
    files than a platform lets through in one request go by way of ``POST /uploads``.
    """
    part = _part()
    named = {"project_id": project_id, "filename": part.filename}
    with idempotency.attempt("projects.videos", named) as told:
        if told.answer is not None:
            return told.answer, 201
        arrival = _stored(project_id, part)
        with deps().db.begin() as session:
            shown = answer(rows.save(session, arrival))
            told.save(session, shown)
    return shown, 201


@bp.get("/<project_id>/videos")
@describes(query=AssetsQuery, gives=Assets)
def index(project_id: str) -> ResponseReturnValue:
    """List a project's files, what was made of them included, oldest first."""
    page = query(AssetsQuery)
    mine = Asset.project_id == project_id
    order = (Asset.created_at, Asset.id)
    if page.limit is not None or page.offset:
        # What stands before the page is counted in an index, and not looked at.
        before = select(Asset.id).where(mine).order_by(*order)
        mine = Asset.id.in_(before.limit(page.limit).offset(page.offset))
    found = schemas.asset_query().where(mine).order_by(*order)
    with reading() as session:
        return [schemas.asset(row) for row in session.execute(found)]


@bp.get("/<project_id>/videos/<asset_id>")
@describes(gives=AssetRow, errors=(404,))
def get(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Return one file."""
    wanted = schemas.asset_query().where(*ours(project_id, asset_id))
    with reading() as session:
        row = session.execute(wanted).first()
    if row is None:
        raise NotFound("Asset not found")
    return schemas.asset(row)


@bp.delete("/<project_id>/videos/<asset_id>")
@describes(gives="text/plain", status=204, errors=(404,))
def delete(project_id: str, asset_id: str) -> ResponseReturnValue:
    """Delete a file, what was made of it, and all that hangs on it."""
    with deps().db.begin() as session:
        rows.lock(session, project_id)
        deleting.delete_asset(
            session, _locked(session, project_id, asset_id), deletion_order()
        )
    return "", 204


@bp.after_request
def _hang_up(response: Response) -> Response:
    """Do not wait for the rest of a body that was refused."""
    if request.method == "POST" and response.status_code >= 400:  # noqa: PLR2004
        response.headers["Connection"] = "close"
    return response


def ours(project_id: str, asset_id: str) -> tuple[Any, ...]:
    """Return what is true of the project's file with this id.

    Raises:
        NotFound: no file could have it.
    """
    try:
        id_ = UUID(asset_id)
    except ValueError:
        raise NotFound("Asset not found") from None
    return Asset.id == id_, Asset.project_id == project_id


def _locked(session: Session, project_id: str, asset_id: str) -> Asset:
    wanted = select(Asset).where(*ours(project_id, asset_id)).with_for_update()
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("Asset not found")
    return found


def _part() -> Part:
    """Return the film of the request.

    Raises:
        InvalidRequest: there is none.
        BadRequest: it is of no format that we take.
    """
    part = named_part()
    names.extension(part.filename)
    return part


def named_part() -> Part:
    """Return the file of the request, whose name can be kept.

    Raises:
        InvalidRequest: there is none.
        BadRequest: its name is too long.
    """
    limit = deps().settings.upload_max_bytes
    part = parts.arriving(FIELD, limit_bytes=limit)
    if part is None:
        raise InvalidRequest([_MISSING])
    if "\0" in part.filename:  # PostgreSQL cannot hold it
        raise InvalidInput("The file's name holds a NUL.", code="invalid_filename")
    if len(part.filename) > _LONGEST_NAME:
        raise BadRequest("The file's name is too long.", code="invalid_filename")
    return part


def _stored(project_id: str, part: Part) -> Arrival:
    """Store the file and a picture of it; they go unless they get their rows.

    Raises:
        TooLarge: it has more bytes than allowed.
        UnreadableMedia: it is no film, or another one than its name says.
    """
    asset_id, recording_id = new_id(), new_id()
    end = names.extension(part.filename)
    key = object_keys.project_file(project_id, recording_id, f"film{end}")
    picture = films.picture_key(project_id, asset_id)
    with deps().db.begin() as session:
        objects.doom(session, [key, picture], after=_UNFINISHED)
    with removed_on_failure(key, picture):
        stored = deps().storage.write(key, part.stream)
        if not stored.size_bytes:
            raise UnreadableMedia("The file is empty.", code="media_empty")
        seen = films.examine(deps(), key, part.filename)
        films.keep_picture(deps(), picture, seen)
    return Arrival(
        project_id=project_id,
        asset_id=asset_id,
        recording_id=recording_id,
        object_key=key,
        picture_key=picture,
        filename=part.filename,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        seen=seen,
    )


@contextmanager
def removed_on_failure(*keys: str) -> Iterator[None]:
    """Remove what was stored at once; what cannot be is still doomed."""
    try:
        yield
    except BaseException:
        with suppress(AppError, OSError):
            for key in keys:
                deps().storage.delete(key)
            with deps().db.begin() as session:
                objects.spare(session, keys)
        raise


def answer(asset: Asset) -> dict[str, Any]:
    """Return what is told of a file that was taken in."""
    return {
        "asset_id": str(asset.id),
        "filename": asset.filename,
        "original_filename": asset.original_filename,
        "size_bytes": asset.size_bytes,
        "project_id": asset.project_id,
        "status": asset.status,
        "message": "Upload successful",
    }
