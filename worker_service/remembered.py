"""Paid answers of a job: asked once, within the budget, and written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from common import budget, ledger, tracing
from common.providers.llm import Reply
from common.spending import set_aside
from common.usage import Estimate
from worker_service.work import Work


@dataclass(frozen=True, slots=True)
class Remembered:
    """Saves each paid answer under its job and step; see ``llm.Remember``."""

    work: Work[Any]

    def __call__(
        self, step: str, call: Callable[[], Reply], most: Estimate
    ) -> dict[str, Any]:
        """Return the saved answer of the step, or ask for it and save it."""
        work, job_id = self.work, self.work.lease.job_id
        key = ledger.key(need="llm", job_id=job_id, step=step)
        with work.deps.db.begin() as session:
            saved = ledger.recall(session, key)
        if saved is not None:
            return saved
        work.pulse.check()
        span = tracing.span("llm.ask", "client", step=step)
        with set_aside(work.deps, most) as held, span:
            reply = call()
        used = reply.usage
        with work.deps.db.begin() as session:
            ledger.record(session, key, reply.document, usage=used, job_id=job_id)
            budget.settle(session, held, used.cost_usd_micros)
        return reply.document
