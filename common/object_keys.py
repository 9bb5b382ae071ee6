"""Where each object lies in storage. No client text gets into a key unchecked.

An object is written once: what a job makes lies under the name of the run that made it
(``Lease.run``), so no run ever changes what a reader of another may have open.
"""

import re
from hashlib import sha256
from pathlib import PurePosixPath
from uuid import UUID

from common.errors import BadRequest
from common.ids import client_id

_AUDIO = (".aac", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav")
_VIDEO = (".avi", ".mkv", ".mov", ".mp4", ".webm")
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_SUFFIXES = frozenset((*_AUDIO, *_VIDEO, ".pdf"))


def recording(lecture_id: str, recording_id: UUID, filename: str) -> str:
    """Return the key of an uploaded file; only a known suffix of its name is kept."""
    suffix = _suffix(filename)
    folder = "documents" if suffix == ".pdf" else "audio"
    return f"{folder}/{_lecture(lecture_id)}/{recording_id}{suffix}"


def upload(upload_id: UUID, filename: str) -> str:
    """Return the key of a file that a client sends directly to storage.

    It stays there when a lecture gets it.
    """
    suffix = _suffix(filename)
    folder = "documents" if suffix == ".pdf" else "audio"
    return f"uploads/{folder}/{upload_id}{suffix}"


def metadata(lecture_id: str, recording_id: UUID) -> str:
    """Return the key of the document that describes an upload."""
    return f"metadata/{_lecture(lecture_id)}/{recording_id}.json"


def piece(job_id: UUID, number: int) -> str:
    """Return the key of one piece of audio on its way to a recogniser."""
    return f"pieces/{job_id}/{number:05}.flac"


def transcript(lecture_id: str, run: str) -> str:
    """Return the key of a transcript document."""
    return f"transcripts/{_lecture(lecture_id)}/{run}.json"


def asset_transcript(asset_id: UUID, run: str) -> str:
    """Return the key of the transcript document of a project's file."""
    return f"transcripts/assets/{asset_id}/{run}.json"


def captions(video_id: str, run: str) -> str:
    """Return the key of what a helper sent as the transcript of a video."""
    if not _VIDEO_ID.fullmatch(video_id):
        raise BadRequest("video_id must be 11 letters of YouTube's.", code="invalid_id")
    return f"captions/{video_id}/{run}.json"


def artifacts(lecture_id: str, run: str) -> str:
    """Return the folder of one run's artifact documents."""
    return f"artifacts/{_lecture(lecture_id)}/{run}"


def exports(lecture_id: str, run: str) -> str:
    """Return the folder of one run's exported files."""
    return f"exports/{_lecture(lecture_id)}/{run}"


def project_file(project_id: str, recording_id: UUID, filename: str) -> str:
    """Return the key of a file of a video project."""
    return f"{_project(project_id)}/files/{recording_id}{_suffix(filename)}"


def thumbnail(project_id: str, asset_id: UUID, name: str) -> str:
    """Return the key of a picture of a project's file; ``name`` is one of ours."""
    return f"{_project(project_id)}/thumbnails/{asset_id}/{name}.jpg"


def project_transcript(project_id: str, asset_id: UUID, run: str) -> str:
    """Return the key of the transcript document of a project's file."""
    return f"{_project(project_id)}/transcripts/{asset_id}/{run}.json"


def film_part(run: str, part: int, film: int) -> str:
    """Return the key of a part of a film that is being rendered."""
    return f"renders/{run}/{part:05}-{film}.mp4"


def probe(probe_id: UUID) -> str:
    """Return the key of an object that is made to be removed at once."""
    return f"probes/{probe_id}"


def has_known_suffix(filename: str) -> bool:
    """Return whether a name ends as those of recordings and documents do."""
    return _suffix(filename) in _SUFFIXES


def _suffix(filename: str) -> str:
    suffix = PurePosixPath(filename.replace("\\", "/")).suffix.lower()
    return suffix if suffix in _SUFFIXES else ".bin"


def _lecture(lecture_id: str) -> str:
    return client_id("lecture_id", lecture_id)


def _project(project_id: str) -> str:
    """Return a project's folder: clients call projects what they like."""
    return f"projects/{sha256(project_id.encode()).hexdigest()[:32]}"
