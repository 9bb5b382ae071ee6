"""Which video a text names: its id, or any of the addresses that people copy."""

import re
from urllib.parse import SplitResult, parse_qs, urlsplit

_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_PRINTED = re.compile(r"[\x21-\x7e]{1,2048}")  # what an address consists of
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_HOSTS = frozenset({"youtube.com", "m.youtube.com", "music.youtube.com"})
_SHORT_HOST = "youtu.be"
_FOLDERS = frozenset({"shorts", "live", "embed"})
_IN_FOLDER = 2  # parts of a path: the folder and the id


def video_id(text: str) -> str:
    """Return the 11 characters that stand for the video.

    Raises:
        ValueError: the text names no video; it says why in the clients' words.
    """
    sent = text.strip()
    if not sent:
        raise ValueError("video_id cannot be empty")
    if "list=" in sent:
        raise ValueError("playlist URLs are not supported")
    found = sent if _ID.fullmatch(sent) else _from_address(sent)
    if found is None or not _ID.fullmatch(found):
        raise ValueError("video_id must be a valid YouTube video ID")
    return found


def _from_address(sent: str) -> str | None:
    if not _PRINTED.fullmatch(sent):  # urlsplit would drop a line break in it
        return None
    try:
        address = urlsplit(sent if _SCHEME.match(sent) else f"https://{sent}")
        return _named_by(address)
    except ValueError:  # brackets that are no IPv6 address
        return None


def _named_by(address: SplitResult) -> str | None:
    host = (address.hostname or "").removeprefix("www.")
    parts = [part for part in address.path.split("/") if part]
    if host == _SHORT_HOST and len(parts) == 1:
        return parts[0]
    if host not in _HOSTS:
        return None
    if address.path == "/watch":
        return next(iter(parse_qs(address.query).get("v", [])), None)
    if len(parts) == _IN_FOLDER and parts[0] in _FOLDERS:
        return parts[1]
    return None
