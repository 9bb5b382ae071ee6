"""A client announces a file and is told where to send it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from common import object_keys
from common.assets import names
from common.deps import Deps
from common.errors import AppError
from common.ids import new_id
from common.ingest import Wishes, files
from common.models import Upload, UploadState
from common.settings import Settings
from common.uploads.rows import LIFE, digest_of, from_now

# One transaction at a time counts and adds. Of the locks with two numbers, 2 is ours.
_LOCK = text("select pg_advisory_xact_lock(2, 0)")
_RETRY_SECONDS = 60.0  # uploads end one by one; asking more often helps nobody


class TooManyUploads(AppError):
    """Too many uploads are open. Please retry later."""

    status = 429
    code = "too_many_uploads"
    retry_after_seconds = _RETRY_SECONDS


@dataclass(frozen=True, slots=True)
class Announced:
    """What a client wants to send.

    Args:
        filename: as the client calls it; no part of any path but its suffix.
        content_type: what it says that it is.
        size_bytes: exactly; None: it will send all in one request.
        wishes: what is to become of it once it is there, if anything.
        project_id: the project that is to have it, instead of a lecture.
        origin: the web page that sends it, if a browser does.
        owner_id: whose it is; None: everybody's.
        client: who sends it, a person or an address: how many one may have is limited.
    """

    filename: str
    content_type: str
    size_bytes: int | None = None
    wishes: Wishes | None = None
    project_id: str | None = None
    origin: str | None = None
    owner_id: int | None = None
    client: str | None = None

    @property
    def kind(self) -> files.Kind:
        """What it counts as."""
        if self.project_id is not None:
            return "video"
        return files.kind_of(self.filename, self.content_type)


@dataclass(frozen=True, slots=True)
class Opened:
    """Where to send it. ``url`` is a credential and is told once."""

    upload: Upload
    url: str


def open_upload(deps: Deps, announced: Announced) -> Opened:
    """Refuse a file that could not be used, or open a place for it.

    Raises:
        InvalidInput: it is of no kind that we take.
        BadRequest: the same, of a film for a project.
        TooLarge: it would be over the limit.
        TooManyUploads: others must end first.
        Unavailable: the storage cannot be reached.
    """
    if announced.project_id is None:
        files.require_known(announced.filename, announced.content_type)
    else:
        names.extension(announced.filename)
    files.require_within(deps.settings, announced.kind, announced.size_bytes or 0)
    token = secrets.token_urlsafe(32)
    upload = _row(announced, token)
    with deps.db.begin() as session:
        _require_room(session, deps.settings, upload.client)
        session.add(upload)
        session.flush()
        session.refresh(upload)  # for what the database has filled in
    with _forgotten_on_failure(deps, upload.id):
        url = _open_session(deps, upload, announced.origin)
    with deps.db.begin() as session:
        session.execute(
            update(Upload).where(Upload.id == upload.id).values(session=upload.session)
        )
    public = deps.settings.public_url.rstrip("/")
    ours = f"{public}/uploads/{upload.id}/content?token={token}"
    return Opened(upload, url or ours)


def _row(announced: Announced, token: str) -> Upload:
    upload_id = new_id()
    name = "document.pdf" if announced.kind == "pdf" else announced.filename
    wishes = announced.wishes
    return Upload(
        id=upload_id,
        object_key=object_keys.upload(upload_id, name),
        filename=announced.filename,
        content_type=files.media_type(announced.content_type),
        kind=announced.kind,
        owner_id=announced.owner_id,
        client=digest_of(announced.client) if announced.client else None,
        size_bytes=announced.size_bytes,
        token_sha256=digest_of(token),
        state=UploadState.OPEN,
        lecture=wishes.model_dump() if wishes else None,
        project_id=announced.project_id,
        expires_at=from_now(LIFE),
    )


def _require_room(session: Session, settings: Settings, client: str | None) -> None:
    """Refuse more than there may be: of all clients, and of this one.

    Else one of them could take all places, for as long as an upload lives.
    """
    session.execute(_LOCK)
    of_client = func.count().filter(Upload.client == client)
    query = select(func.count(), of_client).where(
        Upload.state == UploadState.OPEN, Upload.expires_at > func.clock_timestamp()
    )
    of_all, of_one = session.execute(query).one()
    if of_all >= settings.max_open_uploads:
        raise TooManyUploads
    if client is not None and of_one >= settings.max_open_uploads_of_one:
        raise TooManyUploads("You have too many uploads open: complete or abort some.")


@contextmanager
def _forgotten_on_failure(deps: Deps, upload_id: UUID) -> Iterator[None]:
    """Give the place back that the upload took."""
    try:
        yield
    except AppError:
        with deps.db.begin() as session:
            session.execute(delete(Upload).where(Upload.id == upload_id))
        raise


def _open_session(deps: Deps, upload: Upload, origin: str | None) -> str | None:
    """Note the storage's session; return where the client sends to, if not to us."""
    key, kind = upload.object_key, upload.content_type
    if upload.size_bytes is None:
        upload.session = deps.storage.put_url(key, content_type=kind, origin=origin)
        return upload.session
    upload.session = deps.storage.start_upload(
        key, size_bytes=upload.size_bytes, content_type=kind, origin=origin
    )
    return deps.storage.upload_url(upload.session)
