"""Look into a project's file: its facts, a picture of it, a small copy for previews."""

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from common import object_keys, objects
from common.assets import films, names, rows
from common.errors import NotFound, UnreadableMedia
from common.ids import new_id
from common.jobs import Ingest
from common.jobs.payloads import asset_subject
from common.media.films.check import Seen, check, preview
from common.models import Asset, Job, Recording
from worker_service.work import Work

_TAKEN_IN, _SEEN, _PICTURED, _COPIED = 10, 35, 60, 85  # percent
_MOST_COPY_BYTES = 512 * 1024 * 1024  # the disk of a worker may be memory
_LARGER = "A copy for previews would be larger than the file, or take too long."


@dataclass(frozen=True, slots=True)
class _Source:
    """The file as it was when the job began; ``copy_path``: where its copy would be."""

    asset_id: UUID
    project_id: str
    filename: str
    object_key: str
    size_bytes: int
    copy_path: str


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy that is stored, and doomed until it has its row."""

    asset_id: UUID
    recording_id: UUID
    object_key: str
    size_bytes: int
    sha256: str
    seen: Seen


def run(work: Work[Ingest]) -> None:
    """Write down what is in the file.

    Safe to run twice: each run stores below its own name, and a copy that is there is
    not made again.
    """
    source = _source(work)
    work.say("Validating ingest request", asset_id=str(source.asset_id))
    work.save({}, progress=_TAKEN_IN)
    seen = films.examine(work.deps, source.object_key, source.filename)
    work.say("Validating source media", codec=seen.film.codec)
    work.save({}, progress=_SEEN)
    picture = films.picture_key(source.project_id, source.asset_id, work.lease.run)
    _doom(work, picture)
    films.keep_picture(work.deps, picture, seen)
    work.say("Extracting technical metadata", duration=seen.film.seconds)
    work.save({}, progress=_PICTURED)
    copy, note = _copied(work, source, seen)
    work.say("Registering asset in catalog")
    work.save({}, progress=_COPIED)
    _finish(work, source, _Found(seen, picture, copy, note))


def failed(session: Session, payload: Ingest) -> None:
    """Show people that the file cannot be used, and why."""
    asset = session.get(Asset, payload.asset_id, with_for_update=True)
    if asset is None:
        return
    why = session.execute(
        select(Job.error_code, Job.error_detail)
        .where(Job.subject == asset_subject(asset.id), Job.kind == payload.kind)
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(1)
    ).one()
    asset.status = "failed"
    asset.about = {**asset.about, "error": {"code": why[0], "message": why[1]}}


@dataclass(frozen=True, slots=True)
class _Found:
    """What a run has found and stored."""

    seen: Seen
    picture_key: str
    copy: _Copy | None
    note: str | None


def _finish(work: Work[Ingest], source: _Source, found: _Found) -> None:
    about = found.seen.film.shown(source.size_bytes)
    result: dict[str, Any] = {
        "asset_id": str(source.asset_id),
        "checksum": work.payload.checksum,
        "notes": "Ingest pipeline completed",
        "metadata": about,
        "proxy": found.copy
        and {
            "asset_id": str(found.copy.asset_id),
            "relative_path": source.copy_path,
        },
        "proxy_note": found.note,
    }
    said: tuple[str, dict[str, Any]] = ("Ingest processing complete", {})
    with work.finish(result, said=said) as session:
        asset = session.get(Asset, source.asset_id, with_for_update=True)
        if asset is None:
            raise NotFound("Asset not found")
        kept = {key: value for key, value in asset.about.items() if key != "error"}
        asset.status, asset.about = "ready", {**kept, **about}
        rows.put_picture(session, asset, found.picture_key, len(found.seen.picture))
        if found.copy is not None:
            _register(session, asset, source.copy_path, found.copy)


def _source(work: Work[Ingest]) -> _Source:
    with work.deps.db.begin() as session:
        row = session.execute(
            select(Asset, Recording.object_key)
            .join(Recording, Recording.id == Asset.recording_id)
            .where(
                Asset.id == work.payload.asset_id,
                Asset.project_id == work.payload.project_id,
            )
        ).first()
    if row is None or row.object_key is None:
        raise NotFound("Asset not found")
    asset: Asset = row.Asset
    name = names.beside(asset.filename, "-preview.mp4")
    return _Source(
        asset_id=asset.id,
        project_id=asset.project_id,
        filename=asset.filename,
        object_key=row.object_key,
        size_bytes=asset.size_bytes,
        copy_path=names.relative_path("proxy", asset.project_id, name),
    )


def _copied(
    work: Work[Ingest], source: _Source, seen: Seen
) -> tuple[_Copy | None, str | None]:
    """Make a small copy if one is of use; else say why there is none."""
    if seen.film.plays_everywhere:
        return None, "The file is small and plays everywhere."
    with work.deps.db.begin() as session:
        there = select(Asset.id).where(Asset.relative_path == source.copy_path)
        if session.scalar(there) is not None:
            return None, "The copy of an earlier run is kept."
    with tempfile.TemporaryFile(dir=_folder(work)) as file:
        target = cast("BinaryIO", file)
        try:
            if not _encoded(work, source, seen, target):
                return None, _LARGER
            small = check(target)
        except UnreadableMedia as exc:
            return None, f"No copy for previews could be made: {exc}"
        return _stored(work, source, small, target), None


def _encoded(work: Work[Ingest], source: _Source, seen: Seen, target: BinaryIO) -> bool:
    told = _PICTURED

    def tell(seconds: float | None) -> None:
        nonlocal told
        work.pulse.check()
        share = min(1.0, (seconds or 0) / seen.film.seconds)
        percent = _PICTURED + int((_COPIED - _PICTURED) * share)
        if percent > told:
            told = percent
            work.save({}, progress=percent)

    with work.deps.storage.read(source.object_key) as stream:
        return preview(
            stream,
            target,
            threads=work.deps.settings.ffmpeg_threads,
            most_bytes=min(source.size_bytes, _MOST_COPY_BYTES),
            tell=tell,
        )


def _stored(work: Work[Ingest], source: _Source, seen: Seen, target: BinaryIO) -> _Copy:
    recording_id = new_id()
    key = object_keys.project_file(source.project_id, recording_id, "preview.mp4")
    _doom(work, key)
    target.seek(0)
    stored = work.deps.storage.write(key, target)
    return _Copy(
        asset_id=new_id(),
        recording_id=recording_id,
        object_key=key,
        size_bytes=stored.size_bytes,
        sha256=stored.sha256,
        seen=seen,
    )


def _register(session: Session, asset: Asset, path: str, copy: _Copy) -> None:
    """Make the copy a file of the project; it is spared."""
    name = path.rpartition("/")[2]
    session.add(
        Recording(
            id=copy.recording_id,
            kind="video",
            object_key=copy.object_key,
            original_filename=name,
            size_bytes=copy.size_bytes,
            sha256=copy.sha256,
        )
    )
    session.flush()
    session.add(
        Asset(
            id=copy.asset_id,
            project_id=asset.project_id,
            recording_id=copy.recording_id,
            filename=name,
            original_filename=name,
            relative_path=path,
            mime_type=names.mime_type(name),
            size_bytes=copy.size_bytes,
            category="proxy",
            status="ready",
            source_asset_ids=[asset.id],
            about=copy.seen.film.shown(copy.size_bytes),
        )
    )
    made = {
        "asset_id": str(copy.asset_id),
        "category": "proxy",
        "path": path,
        "created_at": datetime.now(UTC).isoformat(),
    }
    earlier = asset.about.get("derivatives", [])
    asset.about = {**asset.about, "derivatives": [*earlier, made]}
    objects.spare(session, [copy.object_key])


def _doom(work: Work[Ingest], key: str) -> None:
    """Have an object removed one day, unless the run that stores it ends well."""
    with work.deps.db.begin() as session:
        objects.doom(session, [key], after=objects.GRACE)


def _folder(work: Work[Ingest]) -> Path | None:
    """Return where a copy grows: on the storage's own disk, as /tmp may be memory."""
    settings = work.deps.settings
    if settings.storage_mode != "local":
        return None
    folder = settings.storage_dir / ".incoming"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
