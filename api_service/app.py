"""The public API, put together."""

from flask import Flask
from werkzeug.routing import Map, UnicodeConverter

from api_service import auth, cors, errors, rate_limits, request_log
from api_service.incoming import UploadRequest
from api_service.routes import BLUEPRINTS
from common.deps import Deps


def create_app(deps: Deps) -> Flask:
    """Build the API around ``deps``."""
    app = Flask(__name__, static_folder=None)
    app.request_class = UploadRequest
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["default"] = _Segment
    app.extensions["deps"] = deps
    request_log.register(app)
    cors.register(app, deps.settings.cors_origins)
    errors.register(app)
    auth.register(app)
    rate_limits.register(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    return app


class _Segment(UnicodeConverter):
    """A part of a path, without NUL: PostgreSQL could not even look for it."""

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map)
        self.regex = r"[^/\x00]+"
