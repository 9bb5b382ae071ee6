"""A job, the promise to send it, and keeping that promise."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Session

from common import tracing
from common.db import Db
from common.errors import ProviderUnavailable
from common.ids import new_id
from common.jobs.payloads import Payload

log = logging.getLogger(__name__)

_INSERT = text("""
with j as (
  insert into jobs (id, kind, subject, queue, payload, dedupe_key, parent_id,
                    max_attempts, retry_delay_seconds, project_id, replayed_from,
                    traceparent)
  values (:id, :kind, :subject, :queue, :payload, :dedupe_key, :parent_id,
          :max_attempts, :retry_delay_seconds, :project_id, :replayed_from,
          :traceparent)
  on conflict (dedupe_key)
    where dedupe_key is not null and state in ('queued', 'running', 'waiting')
  do nothing
  returning id, dispatch_seq, queue, lane),
o as (
  insert into job_outbox (job_id, dispatch_seq, queue, lane)
  select id, dispatch_seq, queue, lane from j where queue <> 'pull')
select id from j
""").bindparams(bindparam("payload", type_=JSONB))

_LIVE = text("""
select id from jobs
 where dedupe_key = :dedupe_key and state in ('queued', 'running', 'waiting')
""")

_TAKE = """
with c as (
  select id, job_id from job_outbox
   where locked_until < now() {only}
   order by not_before, id limit :limit for update skip locked)
update job_outbox o
   set locked_until = now() + interval '30 seconds', tries = tries + 1
  from c join jobs j on j.id = c.job_id where o.id = c.id
returning o.id, o.job_id, o.dispatch_seq, o.queue, o.lane, o.not_before, j.traceparent
"""
_TAKE_ANY = text(_TAKE.format(only=""))
_TAKE_THESE = text(_TAKE.format(only="and job_id = any(:job_ids)")).bindparams(
    bindparam("job_ids", type_=ARRAY(Uuid))
)
_SENT = text("delete from job_outbox where id = any(:ids)")
_NOT_SENT = text("""
update job_outbox
   set locked_until = now() + make_interval(secs => least(30, 2 * tries)),
       last_error = :error
 where id = any(:ids)
""")


@dataclass(frozen=True, slots=True)
class Task:
    """One ring of the bell for a job; the job itself is in the database."""

    job_id: UUID
    dispatch_seq: int
    queue: str
    lane: str
    not_before: datetime
    traceparent: str | None = None  # of what asked for the job, for the worker's spans

    @property
    def name(self) -> str:
        """Unique per dispatch, so that sending twice makes one task.

        Hashed, because sequential names slow a whole Cloud Tasks queue down.
        """
        return sha256(f"{self.job_id}:{self.dispatch_seq}".encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Terms:
    """How a job is to be done, where who asks for it has a say in that.

    Args:
        project_id: the video project that it belongs to.
        max_attempts: instead of its payload's.
        retry_delay_seconds: between two tries; None: exponential with jitter.
    """

    project_id: str | None = None
    max_attempts: int | None = None
    retry_delay_seconds: float | None = None


_USUAL = Terms()


def enqueue(  # noqa: PLR0913 - all by name, and most callers give one
    session: Session,
    payload: Payload,
    *,
    terms: Terms = _USUAL,
    parent_id: UUID | None = None,
    dedupe_key: str | None = None,
    replayed_from: UUID | None = None,
) -> tuple[UUID, bool]:
    """Write a job and the promise to send it, in the caller's transaction.

    A job of the queue ``pull`` is sent to nobody: see ``common.jobs.pull``.

    Returns:
        The id of the live job, and whether it is new: a live job with the same
        ``dedupe_key`` (the payload's own, unless given) is returned instead.
    """
    values: dict[str, Any] = {
        "kind": payload.kind,
        "subject": payload.subject,
        "queue": payload.queue,
        "payload": payload.model_dump(mode="json"),
        "dedupe_key": dedupe_key or payload.dedupe_key,
        "parent_id": parent_id,
        "max_attempts": terms.max_attempts or payload.max_attempts,
        "retry_delay_seconds": terms.retry_delay_seconds,
        "project_id": terms.project_id,
        "replayed_from": replayed_from,
    }
    with tracing.span("job.enqueue", "producer", job_type=payload.kind):
        values["traceparent"] = tracing.traceparent()
        return _insert(session, payload, values)


def _insert(
    session: Session, payload: Payload, values: dict[str, Any]
) -> tuple[UUID, bool]:
    key = {"dedupe_key": values["dedupe_key"]}
    while True:
        job_id = new_id()
        if session.execute(_INSERT, values | {"id": job_id}).first():
            log.info("job.created", extra=_about(job_id, payload))
            return job_id, True
        # The job that was in the way may have ended since: then try again.
        if live := session.execute(_LIVE, key).scalar():
            return live, False


def _about(job_id: UUID, payload: Payload) -> dict[str, object]:
    about = {"job_id": str(job_id), "job_type": payload.kind, "status": "queued"}
    lecture_id = getattr(payload, "lecture_id", None)
    return about | ({"lecture_id": lecture_id} if lecture_id else {})


def drain(
    db: Db,
    send: Callable[[Task], None],
    *,
    job_ids: Sequence[UUID] | None = None,
    limit: int = 50,
) -> int:
    """Send what was promised, of these jobs or of all; return how many were sent.

    No transaction is open while sending. A promise that cannot be kept now stays, and
    the rest of the batch with it: the queue is down for all of them alike.
    """
    promises = _take(db, job_ids, limit)
    sent: list[int] = []
    error = None
    for outbox_id, task in promises.items():
        try:
            _send(task, send)
        except ProviderUnavailable as exc:
            log.warning("job.dispatch_failed", extra={"job_id": str(task.job_id)})
            error = str(exc)[:500]
            break
        log.info("job.dispatch", extra={"job_id": str(task.job_id)})
        sent.append(outbox_id)
    unsent = [outbox_id for outbox_id in promises if outbox_id not in sent]
    with db.begin() as session:
        if sent:
            session.execute(_SENT, {"ids": sent})
        if unsent:
            session.execute(_NOT_SENT, {"ids": unsent, "error": error})
    return len(sent)


def _send(task: Task, send: Callable[[Task], None]) -> None:
    """Send one task, as a part of what asked for its job and not of who sends it."""
    parent = tracing.parse(task.traceparent)
    if parent is None:
        send(task)
        return
    with tracing.span("job.send", "producer", parent=parent, queue=task.queue):
        send(replace(task, traceparent=tracing.traceparent()))


def _take(db: Db, job_ids: Sequence[UUID] | None, limit: int) -> dict[int, Task]:
    """Lock a batch for ourselves and return it by outbox id, what is due first.

    A queue that refuses tasks before their hour thus holds up none that are due.
    """
    with db.begin() as session:
        if job_ids is None:
            rows = session.execute(_TAKE_ANY, {"limit": limit})
        else:
            values = {"limit": limit, "job_ids": list(job_ids)}
            rows = session.execute(_TAKE_THESE, values)
        ordered = sorted(rows, key=lambda row: (row.not_before, row.id))
        return {row[0]: Task(*row[1:]) for row in ordered}
