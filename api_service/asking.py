"""Asking for work: the job is written, promised and sent, or the live one is named."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from api_service import idempotency
from api_service.context import deps, reading
from api_service.people.owners import may_see
from api_service.views import job_status
from common import jobs
from common.errors import NotFound
from common.jobs import Payload
from common.models import Job, JobState, Lecture

Prepare = Callable[[Session], tuple[Payload, dict[str, str]]]
"""Checks the request in a transaction; returns the job and what else to answer."""

_MOST_SECONDS = 60  # for a few statements, of which each may wait 30 s for a lock


def lecture(session: Session, lecture_id: str, text: str) -> Lecture:
    """Return a lecture, locked, so that nobody deletes it before its job is written.

    Raises:
        NotFound: with ``text``.
    """
    found = session.get(Lecture, lecture_id, with_for_update=True)
    if found is None or not may_see(found.owner_id):
        raise NotFound(text)
    return found


def ask(
    operation: str, fingerprint: Mapping[str, object], prepare: Prepare
) -> dict[str, Any]:
    """Write a job and send its task; return what clients are told.

    When the queue is down the job waits in the outbox, and the answer is the same. A
    request that repeats an ``Idempotency-Key`` gets the first one's answer.
    """
    with idempotency.attempt(operation, fingerprint, seconds=_MOST_SECONDS) as attempt:
        if attempt.answer is not None:
            return attempt.answer
        with deps().db.begin() as session:
            payload, extra = prepare(session)
            job_id, created = jobs.enqueue(session, payload)
            state = JobState.QUEUED if created else _state(session, job_id)
            body = _body(job_id, payload, state, created=created) | extra
            attempt.save(session, body)
    if created:
        jobs.drain(deps().db, deps().queue.send, job_ids=[job_id])
    return body if attempt.key else _as_it_is_now(job_id, body)


def _body(
    job_id: UUID, payload: Payload, state: str | None, *, created: bool
) -> dict[str, Any]:
    body = {
        "jobId": str(job_id),
        "status": job_status(state or JobState.QUEUED),
        "jobType": payload.kind,
    }
    return body if created else body | {"deduplicated": True}


def _as_it_is_now(job_id: UUID, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer with the job's present status: it may be done by now.

    It may also be gone, with its lecture; then it was as the answer says.
    """
    with reading() as session:
        state = _state(session, job_id)
    return dict(body) if state is None else {**body, "status": job_status(state)}


def _state(session: Session, job_id: UUID) -> str | None:
    return session.scalar(select(Job.state).where(Job.id == job_id))
