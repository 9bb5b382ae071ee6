"""YouTube, as a helper asks it; both libraries are loaded when they are needed."""

import importlib
from collections.abc import Iterable
from typing import Any

_LIBRARIES = {"metadata": "yt_dlp", "transcript": "youtube_transcript_api"}
_KEYS = (
    *("id", "title", "uploader", "upload_date", "duration", "view_count"),
    *("like_count", "channel_url", "description", "thumbnail"),
)
_ALSO = ("channel", "uploader_url", "duration_string")  # clients show them, too
_LANGUAGES = ("en", "hi")  # in this order, as clients have always had them
_DESCRIPTION_CHARACTERS = 5000  # YouTube allows no more


class NotThere(Exception):
    """YouTube does not give it: private, no captions, or this address is blocked."""


class LibraryMissing(SystemExit):
    """A library is not installed; the text says how to get it."""


def metadata(video_id: str) -> dict[str, Any]:
    """Return what is known of a video.

    Raises:
        NotThere: with the reason.
    """
    library = _library("metadata")
    options = {"quiet": True, "no_warnings": True, "skip_download": True}
    address = f"https://www.youtube.com/watch?v={video_id}"
    try:
        with library.YoutubeDL(options) as loader:
            found = loader.extract_info(address, download=False)
    except library.utils.YoutubeDLError as exc:
        raise NotThere(_reason(exc)) from exc
    return {"metadata": reduced(found or {})}


def transcript(video_id: str) -> dict[str, Any]:
    """Return the captions of a video, and their language.

    Raises:
        NotThere: with the reason.
    """
    library = _library("transcript")
    try:
        found = library.YouTubeTranscriptApi().fetch(video_id, languages=_LANGUAGES)
    except library.CouldNotRetrieveTranscript as exc:
        raise NotThere(_reason(exc)) from exc
    except OSError as exc:  # what its HTTP library raises is one
        raise NotThere(f"YouTube cannot be reached ({type(exc).__name__}).") from exc
    lines = renamed(found.to_raw_data())
    return {"transcript": lines, "language": found.language_code}


def reduced(found: dict[str, Any]) -> dict[str, Any]:
    """Return of all that is known what Pegasus shows."""
    kept = {key: found.get(key) for key in _KEYS}
    kept |= {key: found[key] for key in _ALSO if found.get(key)}
    if isinstance(kept["description"], str):
        kept["description"] = kept["description"][:_DESCRIPTION_CHARACTERS]
    return kept


def renamed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return captions as Pegasus has them: ``offset`` is when a line starts."""
    return [
        {"text": one["text"], "offset": one["start"], "duration": one["duration"]}
        for one in lines
    ]


def require(kinds: Iterable[str]) -> None:
    """Make sure that what these kinds of tasks need is installed.

    Raises:
        LibraryMissing: it is not.
    """
    for kind in kinds:
        _library(kind)


def _library(kind: str) -> Any:  # noqa: ANN401 - it may be missing
    module = _LIBRARIES[kind]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name != module:
            raise
        package = module.replace("_", "-")
        raise LibraryMissing(
            f"{package} is not installed: pip install {package}"
        ) from None


def _reason(exc: Exception) -> str:
    """Return the first line of what a library says; the rest is advice."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return lines[0][:500] if lines else type(exc).__name__
