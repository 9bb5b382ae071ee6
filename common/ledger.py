"""Paid calls: what was answered is kept, and what it used is written down.

The answer and its ledger row are saved the moment they arrive, in one transaction of
their own, so a job that dies later never pays for the same step again.
"""

import json
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from common.models import ProviderResult, UsageEntry
from common.usage import Usage


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
    """Save an answer and what it used. A second answer is paid for, but not kept."""
    session.execute(
        insert(ProviderResult)
        .values(key=result_key, document=document)
        .on_conflict_do_nothing()
    )
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
