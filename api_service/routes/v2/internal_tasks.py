"""Tasks of helpers outside: they come for one, and bring back what they found.

A task's number names one claim of a job, see ``PullTask``: so a helper whose claim has
lapsed cannot end that of another.
"""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

from flask import Blueprint
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from api_service import brought
from api_service.auth import Forbidden
from api_service.brought import Language, Lines, Metadata
from api_service.context import body, deps, query, reading
from api_service.live.streams import streams, watcher
from api_service.openapi import describes
from api_service.rate_limits import client_address
from api_service.routes.v2.schemas import path_id
from common import jobs, videos
from common.errors import BadRequest, NotFound
from common.jobs import GiveBack, Lease, LeaseLost, VideoMetadata, VideoTranscript
from common.models import Job, JobState, PullTask

bp = Blueprint("v2_internal_tasks", __name__, url_prefix="/v2/internal/tasks")

_LONGEST_WAIT_SECONDS = 60
_LEASE_SECONDS = 120  # a helper gives no sign of life: all the time that it has
_TRY_AGAIN_SECONDS = 5  # while others may have claimed and died without a trace
_FIRST_DELAY_SECONDS = 15  # until the second try; then four times as long
_WORDS = {JobState.QUEUED: "pending", JobState.FAILED: "failed"}


class TasksQuery(BaseModel):
    """Which tasks, and how many seconds to wait for one; more than 60 are 60."""

    type: Annotated[str, Field(json_schema_extra={"enum": ["metadata", "transcript"]})]
    timeout: Annotated[int, Field(ge=1)] = 30


class TaskDetails(BaseModel):
    """What the task is about."""

    video_id: str


class Task(BaseModel):
    """A task that the caller has for two minutes. ``claim`` may be sent back."""

    task_id: int
    task_type: Literal["fetch_metadata", "fetch_transcript"]
    task_details: TaskDetails
    retry_count: int
    message: str
    claim: str


class Result(BaseModel):
    """What the caller found, or why it found nothing."""

    video_id: Annotated[str, Field(max_length=100)]
    success: bool
    transcript: Lines | None = None
    metadata: Metadata | None = None
    error_message: Annotated[str, Field(max_length=20_000)] | None = None
    language: Language | None = None
    claim: Annotated[str, Field(max_length=100)] | None = None


class Submitted(BaseModel):
    """What has become of the task: pending is tried again."""

    message: str
    task_id: int
    status: Literal["completed", "pending", "failed"]


class _Claimed(NamedTuple):
    """A task, and the claim that it is, while that lasts."""

    task_id: int
    kind: str
    video_id: str
    lease: Lease | None


@bp.get("")
@describes(query=TasksQuery, gives=Task, errors=(400,), also={204: None})
def claim() -> ResponseReturnValue:
    """Hand out a task, as soon as there is one; 204 without a body if none comes."""
    wanted = query(TasksQuery)
    if wanted.type not in {VideoMetadata.kind, VideoTranscript.kind}:
        raise BadRequest("Invalid task type")
    give_back = streams().take_place()  # it takes a thread as a stream does
    try:
        task = _wait_for_task(wanted.type, min(wanted.timeout, _LONGEST_WAIT_SECONDS))
    finally:
        give_back()
    return ("", 204) if task is None else task


@bp.post("/<task_id>/result")
@describes(body=Result, gives=Submitted, errors=(400, 404))
def submit(task_id: str) -> ResponseReturnValue:
    """Take what was found, or have the task tried again later, three times in all."""
    claimed = _claimed(path_id("task_id", task_id))
    sent = body(Result, most_bytes=brought.MOST_BYTES)
    lease = _require_fit(claimed, sent)
    try:
        state = _take(claimed, lease, sent)
    except LeaseLost:
        raise BadRequest("Task is not in progress") from None
    return {
        "message": "Task result submitted successfully",
        "task_id": claimed.task_id,
        "status": _WORDS.get(state, "completed"),
    }


def _wait_for_task(kind: str, seconds: float) -> dict[str, Any] | None:
    """Return a task; without a connection or a transaction while there is none."""
    if (task := _next_task(kind)) is not None:
        return task
    news = watcher(_look).watch(kind, seconds, idle_seconds=_TRY_AGAIN_SECONDS)
    for first in news:
        if first != "" and (task := _next_task(kind)) is not None:
            return task
    return None


def _next_task(kind: str) -> dict[str, Any] | None:
    with deps().db.begin() as session:
        owner = f"helper:{client_address()}"
        lease = jobs.pull(session, kind, owner=owner, seconds=_LEASE_SECONDS)
        if lease is None:
            return None
        task = PullTask(
            job_id=lease.job_id, epoch=lease.epoch, video_id=lease.payload["video_id"]
        )
        session.add(task)
        session.flush()
    return {
        "task_id": task.id,
        "task_type": f"fetch_{kind}",
        "task_details": {"video_id": task.video_id},
        "retry_count": lease.attempt,
        "message": "Task retrieved successfully",
        "claim": str(lease.token),
    }


def _look(session: Session, kinds: Collection[str]) -> Mapping[str, str]:
    """Return the job of each kind that waits longest, "" where none does."""
    waiting = (
        select(Job.kind, Job.id)
        .ext(distinct_on(Job.kind))
        .where(
            Job.queue == "pull",
            Job.state == JobState.QUEUED,
            Job.kind.in_(kinds),
            Job.available_at <= func.now(),
        )
        .order_by(Job.kind, Job.available_at, Job.id)
    )
    found = {row.kind: str(row.id) for row in session.execute(waiting)}
    return {kind: found.get(kind, "") for kind in kinds}


def _claimed(task_id: int) -> _Claimed:
    """Return the task of this number.

    Raises:
        NotFound: there is none.
    """
    with reading() as session:
        row = session.execute(
            select(PullTask, Job.kind)
            .join(Job, Job.id == PullTask.job_id)
            .where(PullTask.id == task_id)
        ).first()
        if row is None:
            raise NotFound("Task not found")
        task, kind = row
        lease = jobs.held(session, task.job_id, task.epoch)
    return _Claimed(task.id, kind, task.video_id, lease)


def _require_fit(claimed: _Claimed, sent: Result) -> Lease:
    """Return the claim that the result belongs to.

    Raises:
        BadRequest: it belongs to none, or is of the wrong kind.
    """
    if sent.video_id != claimed.video_id:
        raise BadRequest("Task video_id mismatch")
    if claimed.lease is None:
        raise BadRequest("Task is not in progress")
    if sent.claim is not None and sent.claim != str(claimed.lease.token):
        raise Forbidden("Task belongs to a different worker")
    if claimed.kind == VideoTranscript.kind and sent.metadata is not None:
        raise BadRequest("Metadata payload is not valid for transcript tasks")
    if claimed.kind == VideoMetadata.kind and sent.transcript is not None:
        raise BadRequest("Transcript payload is not valid for metadata tasks")
    return claimed.lease


def _take(claimed: _Claimed, lease: Lease, sent: Result) -> JobState:
    if not sent.success:
        return _fail(claimed, lease, sent.error_message or "Unknown error occurred")
    if claimed.kind == VideoMetadata.kind:
        if not sent.metadata:
            return _fail(claimed, lease, "The helper sent no metadata.")
        return _take_metadata(claimed, lease, sent.metadata)
    transcript = brought.heard(sent.transcript or [], sent.language)
    if not transcript.segments:
        return _fail(claimed, lease, "The helper sent no transcript.")
    key = brought.keep(claimed.video_id, lease.run, sent.transcript or [])
    with deps().db.begin() as session:
        video = videos.ensure(session, claimed.video_id)
        jobs.succeed(session, lease, {"videoId": claimed.video_id})
        asked = brought.take(session, video, lease.job_id, (key, transcript))
    return _sent(asked)


def _take_metadata(
    claimed: _Claimed, lease: Lease, about: Mapping[str, Any]
) -> JobState:
    with deps().db.begin() as session:
        video = videos.ensure(session, claimed.video_id)
        jobs.succeed(session, lease, {"videoId": claimed.video_id})
        asked = videos.take_metadata(session, deps().settings, video, about)
    return _sent(asked)


def _sent(asked: list[UUID]) -> JobState:
    if asked:
        jobs.drain(deps().db, deps().queue.send, job_ids=asked, limit=len(asked))
    return JobState.SUCCEEDED


def _fail(claimed: _Claimed, lease: Lease, why: str) -> JobState:
    """Give the task back for another try, or for good and tell the video's clients."""
    reason = brought.storable(why)
    delay = _FIRST_DELAY_SECONDS * 4 ** (lease.attempt - 1)
    given = GiveBack("fetch_failed", reason, delay_seconds=delay)
    with deps().db.begin() as session:
        videos.ensure(session, claimed.video_id)
        state = jobs.give_back(session, lease, given)
        if state == JobState.FAILED:
            videos.give_up(session, claimed.kind, claimed.video_id, reason)
    return state
