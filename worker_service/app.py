"""The worker: called by our queue and our scheduler, by nobody else."""

from dataclasses import asdict
from uuid import UUID

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue

from common.deps import Deps
from common.providers import internal_calls
from worker_service import auth
from worker_service.dispatch import run_job
from worker_service.heartbeat import Heart
from worker_service.schedules import sweep


def create_app(deps: Deps, heart: Heart) -> Flask:
    """Build the worker around ``deps``; ``heart`` keeps its leases alive."""
    app = Flask(__name__)
    app.register_blueprint(_tasks(deps, heart))
    app.register_blueprint(_schedules(deps))

    @app.get("/health")
    def health() -> ResponseReturnValue:
        return {"status": "ok"}

    return app


def _tasks(deps: Deps, heart: Heart) -> Blueprint:
    bp = Blueprint("tasks", __name__, url_prefix="/tasks")
    bp.before_request(auth.only(deps.settings, internal_calls.QUEUE))

    @bp.post("/<uuid:job_id>")
    def run(job_id: UUID) -> ResponseReturnValue:
        """Run one job; the status is for the queue, see ``dispatch``."""
        seq = int(request.get_json()["seq"])
        return {}, run_job(job_id, seq, deps, heart)

    return bp


def _schedules(deps: Deps) -> Blueprint:
    bp = Blueprint("schedules", __name__, url_prefix="/schedules")
    bp.before_request(auth.only(deps.settings, internal_calls.SCHEDULER))

    @bp.post("/sweep")
    def run_sweep() -> ResponseReturnValue:
        """Mend what a crash left behind."""
        wanted = request.get_json(silent=True) or {}
        lost = float(wanted.get("lost_after_seconds", sweep.LOST_AFTER_SECONDS))
        return asdict(sweep.run(deps, lost_after_seconds=lost))

    return bp
