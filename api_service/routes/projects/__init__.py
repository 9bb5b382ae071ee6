"""Routes of video projects, for the clients of the Quiz System.

They are served under ``/`` and under ``/api``: half of the clients were built with the
one base address, half with the other. A module's paths are those under ``/``.
"""

from flask import Blueprint, Flask, request

from api_service.routes.projects import (
    exports,
    job_events,
    jobs,
    materials,
    overviews,
    scenes,
    service,
    storage,
    subtitles,
    transcripts,
    videos,
)
from common.assets import names

BLUEPRINTS: tuple[Blueprint, ...] = (
    service.bp,
    overviews.bp,
    videos.bp,
    materials.bp,
    exports.bp,
    storage.bp,
    jobs.bp,
    job_events.bp,
    transcripts.bp,
    scenes.bp,
    subtitles.bp,
)

TWIN = "api_"  # what the names of the blueprints under /api begin with


def serve_again(app: Flask) -> None:
    """Serve all of them under ``/api``, too, and let no path pass for a project."""
    app.before_request(_refuse_paths)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(
            blueprint,
            name=f"{TWIN}{blueprint.name}",
            url_prefix=f"/api{blueprint.url_prefix or ''}",
        )


def _refuse_paths() -> None:
    """Check the project of every route that has one, so that none can forget it."""
    project_id = (request.view_args or {}).get("project_id")
    if project_id is not None:
        names.project_id(project_id)
