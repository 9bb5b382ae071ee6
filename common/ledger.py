"""Paid calls: what was answered is kept, and what it used is written down.

The answer and its ledger row are saved the moment they arrive, in one transaction of
their own, so a job that dies later never pays for the same step again. Answers are
kept for some days only: they repeat what was said in lectures. The ledger stays.
"""

import json
from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from common.models import Job, ProviderResult, UsageEntry
from common.usage import Usage

# Longer than a job can wait and be tried (one day), and a week-end of an outage.
KEPT = timedelta(days=7)


def key(**parts: object) -> str:
    """Return the key of a question: a hash of everything its answer depends on."""
    canonical = json.dumps(parts, sort_keys=True, default=str, ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest()


def recall(session: Session, result_key: str) -> dict[str, Any] | None:
    """Return the saved answer, None if the question was never answered."""
    result = session.get(ProviderResult, result_key)
    return None if result is None else result.document


def record(
    session: Session,
    result_key: str,
    document: dict[str, Any],
    *,
    usage: Usage,
    job_id: UUID,
) -> None:
    """Save an answer and what it used. A second answer is paid for, but not kept.

    In the same transaction belongs ``budget.settle``.
    """
    session.execute(
        insert(ProviderResult)
        .values(key=result_key, document=document, job_id=job_id)
        .on_conflict_do_nothing()
    )
    charge(session, usage=usage, job_id=job_id)


def charge(session: Session, *, usage: Usage, job_id: UUID) -> None:
    """Write down what a call used, under its job or, for a talk, its own id."""
    session.add(
        UsageEntry(
            job_id=job_id,
            provider=usage.provider,
            model=usage.model,
            audio_ms=usage.audio_ms,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd_micros=usage.cost_usd_micros,
        )
    )


def supersede(
    session: Session, result_key: str, document: dict[str, Any], *, job_id: UUID
) -> None:
    """Keep this answer in the place of an earlier one to the same question."""
    new = {"document": document, "job_id": job_id}
    session.execute(
        insert(ProviderResult)
        .values(key=result_key, **new)
        .on_conflict_do_update(index_elements=["key"], set_=new)
    )


def forget(session: Session, subjects: Iterable[str]) -> None:
    """Drop the answers to all jobs about these subjects, and to those jobs' parts."""
    about = list(subjects)
    part = aliased(Job)
    asked = select(Job.id).where(Job.subject.in_(about))
    parts = (
        select(part.id)
        .join(Job, Job.id == part.parent_id)
        .where(Job.subject.in_(about))
    )
    session.execute(
        delete(ProviderResult).where(
            ProviderResult.job_id.in_(asked.union_all(parts).scalar_subquery())
        )
    )


def forget_old(session: Session) -> None:
    """Drop the answers that are kept no longer."""
    session.execute(
        delete(ProviderResult).where(
            ProviderResult.created_at < func.clock_timestamp() - KEPT
        )
    )
