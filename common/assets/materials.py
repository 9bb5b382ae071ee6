"""What films are made with beside films: music, pictures for watermarks, subtitles."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import BinaryIO, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import objects
from common.assets import names, rows
from common.errors import BadRequest, InvalidInput, TooLarge
from common.media.check import check_open
from common.models import Asset, Recording
from common.timeline import captions

Kind = Literal["audio", "picture", "text"]

_SOUND: Kind = "audio"
_PICTURE: Kind = "picture"
_TEXT: Kind = "text"
# The ends of names that are taken: what each is, and what it is sent as.
_TAKEN: dict[str, tuple[Kind, str]] = {
    ".aac": (_SOUND, "audio/aac"),
    ".flac": (_SOUND, "audio/flac"),
    ".m4a": (_SOUND, "audio/mp4"),
    ".mp3": (_SOUND, "audio/mpeg"),
    ".ogg": (_SOUND, "audio/ogg"),
    ".opus": (_SOUND, "audio/ogg"),
    ".wav": (_SOUND, "audio/wav"),
    ".jpeg": (_PICTURE, "image/jpeg"),
    ".jpg": (_PICTURE, "image/jpeg"),
    ".png": (_PICTURE, "image/png"),
    ".webp": (_PICTURE, "image/webp"),
    ".srt": (_TEXT, "application/x-subrip"),
    ".vtt": (_TEXT, "text/vtt"),
}
_BEGINS = {  # as (place, bytes); the renderer's child looks closer
    "image/jpeg": (0, b"\xff\xd8\xff"),
    "image/png": (0, b"\x89PNG\r\n\x1a\n"),
    "image/webp": (8, b"WEBP"),
}
MOST_PICTURE_BYTES = 10 * 1024 * 1024  # a logo; a photo of 4K has 5


@dataclass(frozen=True, slots=True)
class Material:
    """A file that is stored and was looked into."""

    project_id: str
    asset_id: UUID
    recording_id: UUID
    object_key: str
    filename: str
    size_bytes: int
    sha256: str


def kind(filename: str) -> Kind:
    """Return what a file is by its name.

    Raises:
        BadRequest: it is none of what we take.
    """
    return _taken(filename)[0]


def examine(file: BinaryIO, filename: str, size_bytes: int) -> None:
    """Check that a file is what its name says.

    Raises:
        InvalidInput: it is not.
        TooLarge: it is larger than anything of its kind.
    """
    sort, mime_type = _taken(filename)
    if sort == _SOUND:
        check_open(file)
        return
    if size_bytes > (captions.MAX_BYTES if sort == _TEXT else MOST_PICTURE_BYTES):
        raise TooLarge("The file is too large for what it is.")
    content = file.read()
    if sort == _TEXT:
        captions.parse(content)
        return
    place, begin = _BEGINS[mime_type]
    if content[place : place + len(begin)] != begin:
        raise InvalidInput(
            "The file is not the picture that its name says.", code="media_mislabelled"
        )


def save(session: Session, material: Material) -> Asset:
    """Make the file a part of its project; one that is there already is returned.

    The object is spared only if it is new: else it goes as it was doomed to.
    """
    sort, mime_type = _taken(material.filename)
    category = "music" if sort == _SOUND else "source"
    name = _stored_name(material)
    path = names.relative_path(category, material.project_id, name)
    rows.lock(session, material.project_id)
    known = session.scalar(select(Asset).where(Asset.relative_path == path))
    if known is not None:
        return known
    session.add(
        Recording(
            id=material.recording_id,
            kind=sort,
            object_key=material.object_key,
            original_filename=material.filename,
            size_bytes=material.size_bytes,
            sha256=material.sha256,
        )
    )
    session.flush()
    asset = Asset(
        id=material.asset_id,
        project_id=material.project_id,
        recording_id=material.recording_id,
        filename=name,
        original_filename=material.filename,
        relative_path=path,
        mime_type=mime_type,
        size_bytes=material.size_bytes,
        category=category,
        status="ready",
        about={"kind": sort, "size_bytes": material.size_bytes},
    )
    session.add(asset)
    session.flush()
    objects.spare(session, [material.object_key])
    return asset


def _taken(filename: str) -> tuple[Kind, str]:
    end = _end(filename)
    if end not in _TAKEN:
        raise BadRequest(
            f"Unsupported format '{end}'. Allowed formats: {', '.join(sorted(_TAKEN))}",
            code="type_unsupported",
        )
    return _TAKEN[end]


def _end(filename: str) -> str:
    return PurePosixPath(filename.replace("\\", "/")).suffix.lower()


def _stored_name(material: Material) -> str:
    """Return the file's name in addresses: the same for the same file."""
    told = f"{material.project_id}\0{material.filename}\0{material.sha256}"
    readable = names.readable(PurePosixPath(material.filename.replace("\\", "/")).stem)
    return (
        f"{readable}-{sha256(told.encode()).hexdigest()[:16]}{_end(material.filename)}"
    )
