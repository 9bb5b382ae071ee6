"""What projects and their files are called: by clients, and in addresses.

Nothing of it is ever a path: objects lie under keys of ours (``common.object_keys``),
and addresses are looked up in the database.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import PurePosixPath
from urllib.parse import unquote

from common.errors import BadRequest

# The containers that are taken, by the ends of names, and what each is sent as.
CONTAINERS = {".avi": "avi", ".mov": "mp4", ".mp4": "mp4"}
# Which part of the storage a category counts as, in the order of the statistics.
FOLDERS = {
    "source": "uploads",
    "processed": "processed",
    "proxy": "processed",
    "thumbnail": "thumbnails",
    "export": "exports",
    "music": "music",
}
MIME_TYPES = {
    ".avi": "video/x-msvideo",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".jpg": "image/jpeg",
}

_LONGEST_ID = 200
_LONGEST_STEM = 80
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_MOST_DECODINGS = 8  # what is still encoded after so many was not meant as a name


def project_id(value: str) -> str:
    """Return ``value`` if it may name a project: any text that could be no path.

    Raises:
        BadRequest: it is blank, too long, or would be a path once it were decoded.
    """
    if not value.strip():
        raise BadRequest("Storage path component cannot be empty", code="invalid_id")
    plain = unicodedata.normalize("NFKC", _decoded(value))
    controls = any(unicodedata.category(c) in ("Cc", "Cs") for c in plain)
    if (
        len(value) > _LONGEST_ID
        or controls
        or not plain.strip(" .")
        or any(c in plain for c in "/\\\N{REPLACEMENT CHARACTER}")
    ):
        raise BadRequest(
            f"project_id must be 1 to {_LONGEST_ID} characters of any script,"
            " and no path.",
            code="invalid_id",
        )
    return value


def folder(project: str) -> str:
    """Return what stands for a project in addresses; no two projects share it.

    A plain id is its own folder. Others have a dot in theirs, which plain ones never
    have, before a hash of the whole id.
    """
    if _PLAIN.fullmatch(project):
        return project
    return f"{readable(project, 32)}.{sha256(project.encode()).hexdigest()[:32]}"


def extension(filename: str) -> str:
    """Return the lower-case end of a film's name; one without any is an ``.mp4``.

    Raises:
        BadRequest: it is of no format that we take.
    """
    found = PurePosixPath(_last_part(filename)).suffix.lower() or ".mp4"
    if found not in CONTAINERS:
        allowed = ", ".join(sorted(CONTAINERS))
        raise BadRequest(
            f"Unsupported video format '{found}'. Allowed formats: {allowed}",
            code="type_unsupported",
        )
    return found


def stored_names(project: str, filename: str, digest: str) -> Iterator[str]:
    """Yield names for a file, the one to be preferred first.

    The same file gets the same names in the same project; the second copy of it gets
    the second one.

    Args:
        project: whose it is.
        filename: as its client calls it, of any script.
        digest: SHA-256 of its bytes.
    """
    end = extension(filename)
    stem = PurePosixPath(_last_part(filename)).stem
    plain = readable(stem)
    for number in count():
        told = "\0".join((project, filename, digest, str(number)))
        yield f"{plain}-{sha256(told.encode()).hexdigest()[:10]}{end}"


def relative_path(category: str, project: str, name: str) -> str:
    """Return the address of a project's file below ``/storage``."""
    return f"{FOLDERS[category]}/{folder(project)}/{name}"


def beside(name: str, end: str) -> str:
    """Return the name of something made of a file, e.g. ``talk-0a1b2c3d4e.jpg``."""
    return PurePosixPath(name).stem + end


def mime_type(name: str) -> str:
    """Return what a file is sent as; what its client called it does not matter."""
    return MIME_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def _decoded(value: str) -> str:
    for _ in range(_MOST_DECODINGS):
        value, before = unquote(value), value
        if value == before:
            return value
    return "/"  # refused


def readable(text: str, most: int = _LONGEST_STEM) -> str:
    """Return what is left of a text in the letters of addresses, in lower case."""
    return _ODD.sub("-", text).lower()[:most].strip(".") or "-"


def _last_part(filename: str) -> str:
    return filename.replace("\\", "/").rpartition("/")[2]
