"""Asking for work: the job is written, promised and sent, or the live one is named."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from api_service.context import deps
from api_service.views import job_status
from common import jobs
from common.errors import NotFound
from common.jobs import Payload
from common.models import Job, Lecture


def lecture(session: Session, lecture_id: str, text: str) -> Lecture:
    """Return a lecture, locked, so that nobody deletes it before its job is written.

    Raises:
        NotFound: with ``text``.
    """
    found = session.get(Lecture, lecture_id, with_for_update=True)
    if found is None:
        raise NotFound(text)
    return found


def ask(session: Session, payload: Payload) -> tuple[UUID, bool]:
    """Write the job in the caller's transaction; see ``jobs.enqueue``."""
    return jobs.enqueue(session, payload)


def answer(job_id: UUID, payload: Payload, *, created: bool) -> dict[str, Any]:
    """Send the job's task and return what clients are told.

    When the queue is down the job waits in the outbox, and the answer is the same.
    """
    if created:
        jobs.drain(deps().db, deps().queue.send, job_ids=[job_id])
    with deps().db.begin() as session:
        state = session.get_one(Job, job_id).state
    body = {
        "jobId": str(job_id),
        "status": job_status(state),
        "jobType": payload.kind,
    }
    return body if created else body | {"deduplicated": True}
