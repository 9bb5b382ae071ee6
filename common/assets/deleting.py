"""A file or a whole project goes: rows at once, objects by the sweep, with evidence."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, delete, func, select, union_all
from sqlalchemy.orm import Session

from common import deletions, jobs, ledger, objects
from common.assets import rows
from common.deletions import Order
from common.jobs.payloads import asset_subject
from common.models import (
    LIVE_STATES,
    Asset,
    Job,
    Recording,
    Thumbnail,
    TranscriptRecord,
)

_NOW = timedelta(0)
_BATCH = 1_000  # files in one statement


def delete_asset(session: Session, asset: Asset, order: Order) -> None:
    """Remove a file, which is locked, and what was made of it and of nothing else.

    Its transcript, scenes, pictures and jobs go with it. Running jobs lose their row,
    and with it the right to write: nothing can come back.
    """
    ids = {asset.id, *_made_of(session, asset)}
    counts = _delete(session, ids)
    deletions.record(session, "asset", str(asset.id), order, {**counts})


def wipe(session: Session, project_id: str, order: Order) -> None:
    """Remove all files and jobs of a project; one that has none is left as it is."""
    rows.lock(session, project_id)
    found = session.scalars(
        select(Asset.id)
        .where(Asset.project_id == project_id)
        .order_by(Asset.id)
        .with_for_update()
    ).all()
    mine = Job.project_id == project_id
    count = _delete_jobs(session, select(Job.id).where(mine))
    counts = {"assets": 0, "jobs": count, "objects": 0}
    for start in range(0, len(found), _BATCH):
        gone = _delete(session, found[start : start + _BATCH])
        counts = {name: counts[name] + gone[name] for name in counts}
    if found or count:
        deletions.record(session, "project", project_id, order, {**counts})


def _made_of(session: Session, asset: Asset) -> set[UUID]:
    """Return the files that have no source left once this one is gone."""
    derived = session.execute(
        select(Asset.id, Asset.source_asset_ids).where(
            Asset.project_id == asset.project_id,
            func.cardinality(Asset.source_asset_ids) > 0,
        )
    ).all()
    present = set(
        session.scalars(select(Asset.id).where(Asset.id.in_(_sources(derived))))
    )
    gone = {asset.id}
    while True:
        more = {
            row.id
            for row in derived
            if row.id not in gone
            and gone & set(row.source_asset_ids)
            and not (set(row.source_asset_ids) & present) - gone
        }
        if not more:
            return gone - {asset.id}
        gone |= more


def _sources(derived: Iterable[object]) -> set[UUID]:
    return {id_ for row in derived for id_ in row.source_asset_ids}  # type: ignore[attr-defined]  # rows of a query


def _delete(session: Session, asset_ids: Collection[UUID]) -> dict[str, int]:
    """Remove these files: so many statements, however many rows there are."""
    keys = session.scalars(_objects(asset_ids)).all()
    subjects = [asset_subject(id_) for id_ in asset_ids]
    ledger.forget(session, subjects)
    gone = _delete_jobs(session, select(Job.id).where(Job.subject.in_(subjects)))
    recordings = session.scalars(
        delete(Asset).where(Asset.id.in_(asset_ids)).returning(Asset.recording_id)
    ).all()
    session.execute(delete(Recording).where(Recording.id.in_(recordings)))
    objects.doom(session, keys, after=_NOW)
    return {"assets": len(asset_ids), "jobs": gone, "objects": len(keys)}


def _objects(asset_ids: Collection[UUID]) -> Select[str]:
    """Return the query for the keys of all objects of these files."""
    own = Asset.id.in_(asset_ids)
    found = union_all(
        select(Recording.object_key)
        .join(Asset, Asset.recording_id == Recording.id)
        .where(own, Recording.object_key.is_not(None)),
        select(TranscriptRecord.object_key)
        .join(Asset, Asset.recording_id == TranscriptRecord.recording_id)
        .where(own),
        select(Thumbnail.object_key).where(Thumbnail.asset_id.in_(asset_ids)),
    ).subquery()
    return select(found.c.object_key)


def _delete_jobs(session: Session, which: Select[UUID]) -> int:
    """Cancel what is live, so that its history says so, then remove the rows."""
    live = which.where(Job.state.in_(LIVE_STATES)).order_by(Job.id)
    for job_id in session.scalars(live).all():  # as many as the queue takes, at most
        jobs.cancel(session, job_id)
    gone = session.scalars(
        delete(Job).where(Job.id.in_(which.scalar_subquery())).returning(Job.id)
    )
    return len(gone.all())
