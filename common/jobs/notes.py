"""Lines that a person reads to see how a project's job goes.

What happens to the job itself (started, failed, cancelled) the database writes, see
migration 0010; handlers add what they are doing.
"""

from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

_NOTE = text("select job_note(:job_id, :level, :message, :details)").bindparams(
    bindparam("details", type_=JSONB)
)


def note(
    session: Session,
    job_id: UUID,
    message: str,
    *,
    level: str = "INFO",
    **details: object,
) -> None:
    """Add a line to a job's log, which keeps the newest 200.

    Args:
        session: the caller's transaction.
        job_id: a job that exists.
        message: what its clients show.
        level: ``INFO``, ``WARNING`` or ``ERROR``.
        details: plain values, for whoever looks closer.
    """
    values = {"job_id": job_id, "level": level, "message": message, "details": details}
    session.execute(_NOTE, values)
