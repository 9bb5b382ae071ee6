"""From a delivered task to a handler, and from its outcome to an HTTP status.

The queue reads only the status. 200: never send this task again; every retry is ours
and is already promised in the outbox. 503: this process can do nothing now.
"""

import logging
import os
import socket
from http import HTTPStatus
from typing import Any
from uuid import UUID

from sqlalchemy import extract, select
from sqlalchemy.exc import SQLAlchemyError

from common import events, jobs, logs
from common.db import reading
from common.db.outage import is_away
from common.deps import Deps
from common.errors import (
    AppError,
    BudgetExhausted,
    ProviderAuthError,
    ProviderBusy,
)
from common.jobs import Busy, GiveBack, Lease, LeaseLost
from common.models import Job, JobState
from worker_service.handlers import HANDLERS, after_failure, fail_rescued
from worker_service.heartbeat import Cancelled, Draining, Heart
from worker_service.work import Waiting, Work, lock_subject

log = logging.getLogger(__name__)

_BUSY_DELAY_SECONDS = 10  # when a provider says "too many requests" and not how long


def run_job(job_id: UUID, seq: int, deps: Deps, heart: Heart) -> HTTPStatus:
    """Run one job if it is there to be run; return the status for the queue."""
    if heart.draining.is_set():
        return HTTPStatus.SERVICE_UNAVAILABLE
    try:
        lease = _claim(job_id, seq, deps, heart)
    except SQLAlchemyError as exc:  # no job can be claimed without the database
        log.warning("database unavailable", extra={"error": type(exc).__name__})
        return HTTPStatus.SERVICE_UNAVAILABLE
    if lease is not None:
        with logs.bind(job_id=str(job_id), job_type=lease.kind, **_about(lease)):
            _run(lease, deps, heart)
    jobs.drain(deps.db, deps.queue.send)
    events.drain(deps.db, deps.events.publish)
    return HTTPStatus.OK


def _claim(job_id: UUID, seq: int, deps: Deps, heart: Heart) -> Lease | None:
    owner = f"{socket.gethostname()}:{os.getpid()}"
    seconds = heart.lease_seconds
    try:
        with deps.db.begin() as session:
            return jobs.claim(session, job_id, seq, owner=owner, seconds=seconds)
    except Busy:
        with deps.db.begin() as session:
            jobs.watch(session, job_id, seq)
        return None
    except LeaseLost:  # its owner is dead: rescue it now, not at the next sweep
        with deps.db.begin() as session:
            fail_rescued(session, jobs.rescue(session, job_id))
        return None  # the rescue promised a task; ``drain`` sends it


def _run(lease: Lease, deps: Deps, heart: Heart) -> None:
    log.info("job.run.start", extra={"attempt": lease.attempt, "epoch": lease.epoch})
    with heart.hold(lease) as pulse:
        try:
            handler = HANDLERS[lease.kind]
            payload = handler.payload.model_validate(lease.payload)
            handler.run(Work(payload, lease, pulse, deps))
        except LeaseLost:
            log.warning("job.lease_lost")
        except Exception as exc:  # noqa: BLE001 - the one place that may, with api errors
            _give_back(lease, exc, deps, heart)
        else:
            heart.count(bug=False)
            log.info("job.run.completed")
            _tell_end(lease, deps)


def _tell_end(lease: Lease, deps: Deps) -> None:
    """Log that the job is done, if it is: the promises count these lines.

    A run also ends well when it leaves the rest to others, or to a later run.
    """
    done = select(extract("epoch", Job.finished_at - Job.created_at)).where(
        Job.id == lease.job_id,
        Job.state == JobState.SUCCEEDED,
        Job.lease_epoch == lease.epoch,
    )
    try:
        with reading(deps.db) as session:
            took = session.scalar(done)
    except SQLAlchemyError as exc:  # the job is done all the same
        log.warning("database unavailable", extra={"error": type(exc).__name__})
        return
    if took is not None:
        log.info(
            "job.updated",
            extra={
                "job_type": lease.kind,
                "status": JobState.SUCCEEDED,
                "seconds": round(float(took), 3),
            },
        )


def _give_back(lease: Lease, exc: Exception, deps: Deps, heart: Heart) -> None:
    reason = _reason(exc)
    expected = (AppError, Draining, Cancelled, Waiting)
    unexpected = not (isinstance(exc, expected) or _away(exc))
    log.log(
        logging.ERROR if unexpected or reason.code == "provider_auth" else logging.INFO,
        "job.run.failed",
        extra={"error": reason.code, "detail": reason.detail},
        exc_info=exc if unexpected else None,
    )
    heart.count(bug=unexpected)
    try:
        with deps.db.begin() as session:
            lock_subject(session, lease.payload)
            state = jobs.give_back(session, lease, reason)
            if state == JobState.FAILED:
                after_failure(session, lease.job_id, lease.kind, lease.payload)
    except LeaseLost:
        log.warning("job.lease_lost")
    except SQLAlchemyError as failed:
        if not is_away(failed):
            raise
        log.warning("job not given back: its lease will lapse")
    else:
        log.info("job.updated", extra={"job_type": lease.kind, "status": state})


def _reason(exc: Exception) -> GiveBack:
    """Return what an exception means for its job. The only retry policy there is."""
    match exc:
        case Draining():
            reason = GiveBack("shutdown", counted=False, delay_seconds=0)
        case Cancelled():
            reason = GiveBack("cancelled", "Cancelled.", counted=False, delay_seconds=0)
        case Waiting():
            delay = exc.delay_seconds
            reason = GiveBack("waiting", str(exc), counted=False, delay_seconds=delay)
        case ProviderBusy() | BudgetExhausted():
            delay = exc.retry_after_seconds or _BUSY_DELAY_SECONDS
            reason = GiveBack(exc.code, str(exc), counted=False, delay_seconds=delay)
        case ProviderAuthError():
            reason = GiveBack(exc.code, str(exc), permanent=True)
        case AppError():
            reason = GiveBack(exc.code, str(exc), permanent=not exc.retryable)
        case SQLAlchemyError() if is_away(exc):
            text = "The database was not available."
            reason = GiveBack("database_unavailable", text, counted=False)
        case _:  # a bug of ours; its text may hold anything, so it stays in the log
            text = f"Internal error ({type(exc).__name__})."
            reason = GiveBack("internal_error", text)
    return reason


def _away(exc: Exception) -> bool:
    return isinstance(exc, SQLAlchemyError) and is_away(exc)


def _about(lease: Lease) -> dict[str, Any]:
    """Return what the job is about, for its log lines."""
    lecture_id = lease.payload.get("lecture_id")
    return {"lecture_id": lecture_id} if lecture_id else {}
