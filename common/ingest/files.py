"""Which files are taken, and how large they may be."""

import os
from typing import BinaryIO, Literal

from common import object_keys
from common.documents.check import check as check_document
from common.errors import InvalidInput, TooLarge, UnreadableMedia
from common.media.check import check_open
from common.settings import Settings

Kind = Literal["audio", "pdf", "video"]  # video: a film for a project

_TYPELESS = frozenset(("", "application/octet-stream"))  # then the name has to tell
_RECORDINGS = frozenset(
    ("application/mp4", "application/ogg", "application/x-matroska")
)


def kind_of(filename: str, content_type: str) -> Kind:
    """Return what a file says that it is; what is no PDF counts as a recording."""
    pdf = media_type(content_type) == "application/pdf"
    return "pdf" if pdf or filename.lower().endswith(".pdf") else "audio"


def media_type(content_type: str) -> str:
    """Return a content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def require_known(filename: str, content_type: str) -> None:
    """Refuse a file that does not even say that it is a recording or a document.

    Raises:
        InvalidInput: type and name say that it is something else.
    """
    said = media_type(content_type)
    if said.startswith(("audio/", "video/")) or said in _RECORDINGS:
        return
    if said == "application/pdf" or kind_of(filename, said) == "pdf":
        return
    if said in _TYPELESS and object_keys.has_known_suffix(filename):
        return
    raise InvalidInput(
        "Only recordings and PDF documents are taken.", code="type_unsupported"
    )


def limit_bytes(settings: Settings, kind: Kind) -> int:
    """Return the most that a file of this kind may have."""
    if kind == "pdf":
        return settings.max_pdf_upload_bytes
    if kind == "video":
        return settings.upload_max_bytes
    return settings.max_audio_upload_bytes


def require_within(settings: Settings, kind: Kind, size_bytes: int) -> None:
    """Refuse a file that is too large.

    Raises:
        TooLarge: it is over the limit.
    """
    limit = limit_bytes(settings, kind)
    if size_bytes > limit:
        what = "The file exceeds the" if kind == "video" else "Audio file exceeds"
        raise TooLarge(f"{what} upload limit of {limit} bytes.")


def examine(kind: Kind, stream: BinaryIO) -> None:
    """Look into a file, from a process that may die of it.

    Args:
        kind: what it says that it is.
        stream: seekable; afterwards it may stand anywhere.

    Raises:
        UnreadableMedia: it is no recording.
        UnreadableDocument: it is no PDF with text.
        Crowded: too many others are looked into.
    """
    if not stream.seek(0, os.SEEK_END):
        raise UnreadableMedia("The file is empty.", code="media_empty")
    stream.seek(0)  # really, as nothing was read that a buffer could hold
    if kind == "pdf":
        check_document(stream)
    else:
        check_open(stream)
