"""Remove recordings and transcripts that are kept no longer.

Also a command: ``python -m worker_service.schedules.retention [--dry-run]`` prints
its report as JSON. It may be stopped and started again at any point.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from common import deps as wiring
from common import ledger, logs, objects, settings
from common.deps import Deps
from common.errors import AppError
from common.jobs.payloads import lecture_subject
from common.models import LIVE_STATES, Job, Lecture, Recording, TranscriptRecord

log = logging.getLogger(__name__)

_BATCH = 100
_NOW = timedelta(0)


@dataclass
class Report:
    """What one run did, or in a dry run what it would do."""

    lecturesScanned: int = 0
    audioDeleted: int = 0
    transcriptsDeleted: int = 0
    audioDeleteFailures: int = 0
    transcriptDeleteFailures: int = 0
    lecturesUpdated: int = 0
    lecturesWouldUpdate: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """From which age in whole days something goes."""

    audio_days: int
    transcript_days: int


def run(deps: Deps, *, dry_run: bool = False) -> Report:
    """Remove what is old enough, of lectures that no job is working on.

    Rows are changed and the objects' removal is promised in one transaction per
    batch; a missing object counts as removed. What storage refuses now is removed by
    a later sweep.
    """
    limits = Limits(
        deps.settings.retention_raw_audio_days,
        deps.settings.retention_transcript_days,
    )
    report = Report()
    with deps.db.begin() as session:
        report.lecturesScanned = session.scalar(select(func.count(Lecture.id))) or 0
    after = ""
    while True:
        with deps.db.begin() as session:
            found = session.execute(_candidates(limits, after)).all()
            rows = _at_rest(session, found)
            if not dry_run:
                _forget(session, rows)
        if not found:
            return report
        after = found[-1].lecture_id
        if dry_run:
            _count(report, rows)
        else:
            report.lecturesUpdated += len(rows)
            _remove(deps, rows, report)


def _candidates(limits: Limits, after: str) -> Select[Any]:
    """Return a batch of lectures with something to remove, in the order of their ids.

    ``audio_key`` and ``transcript_key`` name what is to go, null what is not. Who
    asks for a job locks its lecture first, so none can be asked for from here on.
    """
    audio = _old_enough(limits.audio_days)
    transcript = _old_enough(limits.transcript_days)
    return (
        select(
            Lecture.id.label("lecture_id"),
            Recording.id.label("recording_id"),
            case((audio, Recording.object_key)).label("audio_key"),
            case((transcript, TranscriptRecord.object_key)).label("transcript_key"),
        )
        .join(Recording, Recording.id == Lecture.recording_id)
        .outerjoin(TranscriptRecord, TranscriptRecord.recording_id == Recording.id)
        .where(
            Lecture.id > after,
            or_(
                and_(audio, Recording.object_key.is_not(None)),
                and_(transcript, TranscriptRecord.object_key.is_not(None)),
            ),
        )
        .order_by(Lecture.id)
        .limit(_BATCH)
        .with_for_update(of=Lecture, skip_locked=True)
    )


def _at_rest(session: Session, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return those without a live job.

    Asked of locked lectures: a job could be asked for just before they were locked.
    """
    subjects = {lecture_subject(row.lecture_id): row for row in rows}
    live = set(
        session.scalars(
            select(Job.subject).where(
                Job.subject.in_(subjects), Job.state.in_(LIVE_STATES)
            )
        )
    )
    return [row for subject, row in subjects.items() if subject not in live]


def _old_enough(days: int) -> ColumnElement[bool]:
    """Return whether a lecture has this age in whole days, by the database's clock."""
    return Lecture.created_at <= func.now() - timedelta(days=days)


def _forget(session: Session, rows: Sequence[Row[Any]]) -> None:
    """Take the references away and promise the removal of the objects."""
    without_audio = [row.recording_id for row in rows if row.audio_key]
    session.execute(
        update(Recording).where(Recording.id.in_(without_audio)).values(object_key=None)
    )
    without_transcript = [row.recording_id for row in rows if row.transcript_key]
    session.execute(
        delete(TranscriptRecord).where(
            TranscriptRecord.recording_id.in_(without_transcript)
        )
    )
    unsaid = [lecture_subject(row.lecture_id) for row in rows if row.transcript_key]
    ledger.forget(session, unsaid)
    touched = [row.lecture_id for row in rows]
    session.execute(
        update(Lecture).where(Lecture.id.in_(touched)).values(updated_at=func.now())
    )
    objects.doom(session, [key for row in rows for key in _keys(row)], after=_NOW)


def _keys(row: Row[Any]) -> list[str]:
    return [key for key in (row.audio_key, row.transcript_key) if key]


def _count(report: Report, rows: Sequence[Row[Any]]) -> None:
    report.audioDeleted += sum(bool(row.audio_key) for row in rows)
    report.transcriptsDeleted += sum(bool(row.transcript_key) for row in rows)
    report.lecturesWouldUpdate += len(rows)


def _remove(deps: Deps, rows: Sequence[Row[Any]], report: Report) -> None:
    """Remove the objects now; what fails is still promised."""
    audio = [row.audio_key for row in rows if row.audio_key]
    transcripts = [row.transcript_key for row in rows if row.transcript_key]
    gone = [key for key in audio if _removed(deps, key)]
    report.audioDeleted += len(gone)
    report.audioDeleteFailures += len(audio) - len(gone)
    gone_too = [key for key in transcripts if _removed(deps, key)]
    report.transcriptsDeleted += len(gone_too)
    report.transcriptDeleteFailures += len(transcripts) - len(gone_too)
    with deps.db.begin() as session:
        objects.spare(session, [*gone, *gone_too])


def _removed(deps: Deps, key: str) -> bool:
    try:
        deps.storage.delete(key)
    except (AppError, OSError) as exc:
        log.warning("object not removed", extra={"error": str(exc)})
        return False
    return True


def main() -> int:
    """Run once and print the report as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="remove nothing")
    args = parser.parse_args()
    logs.configure()
    report = run(wiring.build(settings.load("worker")), dry_run=args.dry_run)
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
