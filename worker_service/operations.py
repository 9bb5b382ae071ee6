"""Operations that a vendor works on for a job, and the end of those that nobody wants.

A job that is cancelled or deleted while it waits is run by nobody any more, so nobody
would stop what it has begun, or write down what that cost. The sweep does.
"""

import logging
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from common import budget, ledger
from common.db import reading
from common.deps import Deps
from common.errors import AppError, ProviderError
from common.models import LIVE_STATES, BatchOperation, Job
from common.providers.speech import Heard, Pending, Speech
from common.usage import Usage

log = logging.getLogger(__name__)

_BATCH = 20  # each minute; an outage would hold up the sweep otherwise
_ASKED_FOR = timedelta(days=1)  # then the vendor has forgotten it, or us


def forget(session: Session, name: str) -> bool:
    """Note that an operation's outcome is saved; False if it was before."""
    gone = delete(BatchOperation).where(BatchOperation.name == name)
    return session.execute(gone.returning(BatchOperation.name)).first() is not None


def end_unwanted(deps: Deps) -> int:
    """Cancel the operations of jobs that are over, and write down what they cost.

    May be called again and by several at once: of each operation one row is written.

    Returns:
        How many were ended; the others are asked for again later.
    """
    asked_for = exists().where(
        Job.id == BatchOperation.job_id,
        Job.state.in_(LIVE_STATES),
        Job.checkpoint["operation"].astext == BatchOperation.name,
    )
    query = select(BatchOperation).where(~asked_for)
    with reading(deps.db) as session:
        unwanted = session.scalars(
            query.order_by(BatchOperation.created_at).limit(_BATCH)
        ).all()
    return sum(_is_ended(deps, one) for one in unwanted)


def _is_ended(deps: Deps, one: BatchOperation) -> bool:
    try:
        speech = deps.speech(one.provider, one.model)
        outcome = _stopped(speech, one)
    except AppError as exc:
        about = {"job_id": str(one.job_id), "error": exc.code}
        log.warning("operation not cancelled", extra=about)
        if datetime.now(UTC) - one.created_at < _ASKED_FOR:
            return False
        outcome = Pending(0)
    with deps.db.begin() as session:
        if forget(session, one.name):
            _write_down(session, one, outcome)
    return True


def _stopped(speech: Speech, one: BatchOperation) -> Heard | Pending | ProviderError:
    """Return how the operation stood when it was stopped, if it was not done before."""
    if speech.batch is None:
        return Pending(0)
    found = speech.batch.poll(one.name, length_ms=one.length_ms, language=one.language)
    if isinstance(found, Pending):
        speech.batch.cancel(one.name)
    return found


def _write_down(
    session: Session, one: BatchOperation, outcome: Heard | Pending | ProviderError
) -> None:
    """Count what it cost; where nobody can tell, what was set aside stays spent."""
    if isinstance(outcome, ProviderError) and not outcome.may_cost:
        if one.held is not None:
            budget.release(session, one.held)
        return
    usage = Usage(one.provider, one.model, audio_ms=one.length_ms)
    if isinstance(outcome, Heard):
        usage = outcome.usage
    ledger.charge(session, usage=usage, job_id=one.job_id)
    budget.settle(session, one.held, usage.cost_usd_micros)
