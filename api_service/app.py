"""The public API, put together."""

from flask import Flask
from werkzeug.routing import Map, PathConverter, UnicodeConverter

from api_service import auth, cors, errors, rate_limits, request_log, vidwiz
from api_service.live import streams
from api_service.routes import BLUEPRINTS, projects
from api_service.transfers import incoming
from api_service.transfers.incoming import UploadRequest
from common.deps import Deps


def create_app(deps: Deps) -> Flask:
    """Build the API around ``deps``."""
    app = Flask(__name__, static_folder=None)
    app.request_class = UploadRequest
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["default"] = _Segment
    app.url_map.converters["path"] = _Path
    app.extensions["deps"] = deps
    request_log.register(app)
    cors.register(app, deps.settings.cors_origins, deps.settings.project_origins)
    errors.register(app)
    vidwiz.register(app)
    auth.register(app)
    rate_limits.register(app)
    incoming.register(app)
    streams.register(app, deps.settings.max_streams)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    projects.serve_again(app)
    return app


class _Path(PathConverter):
    """Some parts of a path; a slash behind the last is one too many, as elsewhere."""

    regex = r"[^/](?:.*?[^/])?"


class _Segment(UnicodeConverter):
    """A part of a path, without NUL: PostgreSQL could not even look for it."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map)
        self.regex = r"[^/\x00]+"
