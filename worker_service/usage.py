"""What a job has used of outside services, as its clients read it."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from common.models import Job, UsageEntry

_MICROS = 1_000_000


def used_by(session: Session, job_id: UUID) -> dict[str, Any]:
    """Return the sums of this job and its parts, all tries together.

    ``cost_usd`` is None when no price is known.
    """
    ours = select(Job.id).where(or_(Job.id == job_id, Job.parent_id == job_id))
    sums = select(
        func.count(UsageEntry.id),
        func.coalesce(func.sum(UsageEntry.input_tokens), 0),
        func.coalesce(func.sum(UsageEntry.output_tokens), 0),
        func.coalesce(func.sum(UsageEntry.audio_ms), 0),
        func.sum(UsageEntry.cost_usd_micros),
    ).where(UsageEntry.job_id.in_(ours))
    requests, read, written, audio_ms, cost = session.execute(sums).one()
    return {
        "requests": requests,
        "total_tokens": int(read + written),
        "prompt_tokens": int(read),
        "completion_tokens": int(written),
        "audio_seconds": float(audio_ms) / 1000,
        "cost_usd": None if cost is None else float(cost) / _MICROS,
    }
