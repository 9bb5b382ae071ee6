"""Failed jobs tried anew: as new jobs, with the old ones' parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import views
from api_service.context import deps, reading
from api_service.people.owners import may_see
from common import jobs
from common.errors import BadRequest, Conflict, NotFound
from common.jobs import Export, Generation, Payload, Transcription
from common.models import Job, JobState, Lecture

_REPLAYABLE: dict[str, type[Payload]] = {
    payload.kind: payload for payload in (Transcription, Generation, Export)
}


class AlreadyReplayed(Conflict):
    """This failure was replayed before."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The job that takes the place of a failed one."""

    job_id: UUID
    failed: Job


def replay(session: Session, job_id: UUID, *, only_once: bool = False) -> Replay:
    """Write the new job, or find the live one that does the same already.

    The failed one stays as it is, but counts how often it was replayed.

    Args:
        session: the caller's transaction.
        job_id: the failed job.
        only_once: refuse one that was replayed before.

    Raises:
        NotFound: there is no such job for the caller, or its lecture is gone.
        Conflict: it has not failed, or its recording was replaced since.
        BadRequest: it is not of a kind that is replayed, or names no lecture.
        AlreadyReplayed: nothing was done.
    """
    lecture = _locked_lecture(session, job_id)
    if lecture is not None and not may_see(lecture.owner_id):
        raise NotFound("Job not found.")
    failed = session.get(Job, job_id, with_for_update=True, populate_existing=True)
    if failed is None:
        raise NotFound("Job not found.")
    if failed.state != JobState.FAILED:
        raise Conflict("Only failed jobs can be replayed.")
    if only_once and failed.replay_count:
        raise AlreadyReplayed
    payload = _payload(failed)
    if lecture is None:
        raise NotFound("Lecture not found.")
    if getattr(payload, "recording_id", lecture.recording_id) != lecture.recording_id:
        raise Conflict("The lecture has got another recording since.")
    new_id, _ = jobs.enqueue(session, payload, replayed_from=failed.id)
    failed.replay_count += 1
    return Replay(new_id, failed)


def send(replays: Sequence[Replay]) -> list[dict[str, Any]]:
    """Send the new jobs' tasks and return what clients are told."""
    ids = [one.job_id for one in replays]
    if not ids:
        return []
    jobs.drain(deps().db, deps().queue.send, job_ids=ids, limit=len(ids))
    with reading() as session:
        query = select(Job.id, Job.state).where(Job.id.in_(ids))
        states = {row.id: row.state for row in session.execute(query)}
    return [
        {
            "jobId": str(one.job_id),
            # One that is gone, with its lecture, was queued when we wrote it.
            "status": views.job_status(states.get(one.job_id, JobState.QUEUED)),
            "jobType": one.failed.kind,
            "lectureId": one.failed.payload["lecture_id"],
            "replayedFromJobId": str(one.failed.id),
        }
        for one in replays
    ]


def _locked_lecture(session: Session, job_id: UUID) -> Lecture | None:
    """Lock what the job is about, before the job itself: so does who deletes it."""
    lecture_id = select(Job.payload["lecture_id"].astext).where(Job.id == job_id)
    return session.scalar(
        select(Lecture)
        .where(Lecture.id == lecture_id.scalar_subquery())
        .with_for_update()
    )


def _payload(failed: Job) -> Payload:
    """Return the parameters that the job had."""
    if not failed.payload.get("lecture_id"):
        raise BadRequest("Job is missing lecture context.")
    payload_type = _REPLAYABLE.get(failed.kind)
    if payload_type is None:
        raise BadRequest("Replay is unsupported for this job type.")
    try:
        return payload_type.model_validate(failed.payload)
    except ValidationError as exc:  # written by another version of ours
        raise BadRequest("The job's parameters cannot be read any more.") from exc
