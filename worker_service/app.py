"""The worker: called by our queue and our scheduler, by nobody else."""

from dataclasses import asdict
from typing import TypeVar
from uuid import UUID

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import BadRequest

from common.deps import Deps
from common.providers import identity
from worker_service import auth, events, health, request_trace
from worker_service.dispatch import run_job
from worker_service.heartbeat import Heart
from worker_service.schedules import retention, sweep

M = TypeVar("M", bound=BaseModel)


class TaskIn(BaseModel):
    """What the queue sends: which dispatch of the job this is."""

    seq: int = Field(ge=1, lt=2**31, strict=True)  # a PostgreSQL integer


class SweepIn(BaseModel):
    """What the scheduler sends, if anything."""

    lost_after_seconds: float = Field(
        sweep.LOST_AFTER_SECONDS, ge=0, le=86_400, allow_inf_nan=False
    )


class RetentionIn(BaseModel):
    """What the scheduler sends, if anything."""

    dry_run: bool = False


def create_app(deps: Deps, heart: Heart) -> Flask:
    """Build the worker around ``deps``; ``heart`` keeps its leases alive."""
    app = Flask(__name__)
    request_trace.register(app, deps.settings.google_cloud_project)
    health.register(app, deps)
    app.register_blueprint(_tasks(deps, heart))
    app.register_blueprint(_schedules(deps))
    app.register_blueprint(_events(deps))
    return app


def _tasks(deps: Deps, heart: Heart) -> Blueprint:
    bp = Blueprint("tasks", __name__, url_prefix="/tasks")
    bp.before_request(auth.only(deps.identity, identity.QUEUE))

    @bp.post("/<uuid:job_id>")
    def run(job_id: UUID) -> ResponseReturnValue:
        """Run one job; the status is for the queue, see ``dispatch``."""
        return {}, run_job(job_id, _body(TaskIn).seq, deps, heart)

    return bp


def _schedules(deps: Deps) -> Blueprint:
    bp = Blueprint("schedules", __name__, url_prefix="/schedules")
    bp.before_request(auth.only(deps.identity, identity.SCHEDULER))

    @bp.post("/sweep")
    def run_sweep() -> ResponseReturnValue:
        """Mend what a crash left behind."""
        lost_after = _body(SweepIn).lost_after_seconds
        return asdict(sweep.run(deps, lost_after_seconds=lost_after))

    @bp.post("/retention")
    def run_retention() -> ResponseReturnValue:
        """Remove recordings and transcripts that are kept no longer."""
        return asdict(retention.run(deps, dry_run=_body(RetentionIn).dry_run))

    return bp


def _events(deps: Deps) -> Blueprint:
    bp = Blueprint("events", __name__, url_prefix="/events")
    bp.before_request(auth.only(deps.identity, identity.EVENTS))

    @bp.post("/<name>")
    def receive(name: str) -> ResponseReturnValue:
        """Take a pushed message; the status is for Pub/Sub, see ``events``."""
        request.max_content_length = events.MAX_BYTES
        return "", events.deliver(name, request.get_data(), deps)

    return bp


def _body(model: type[M]) -> M:
    """Return the JSON body; an absent one is ``{}``."""
    try:
        return model.model_validate_json(request.get_data() or b"{}")
    except ValidationError as exc:
        raise BadRequest from exc
