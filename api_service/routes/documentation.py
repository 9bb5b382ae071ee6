"""The API's own documentation; it works without the internet."""

from pathlib import Path
from typing import cast

from flask import Blueprint, current_app, render_template_string, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from api_service import openapi
from api_service.context import deps

bp = Blueprint("documentation", __name__)

_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Pegasus API</title>
  <link rel="stylesheet" href="/docs/assets/css/swagger-ui.css">
  <link rel="icon" href="data:,">
</head>
<body>
  <main id="api"></main>
  <noscript>The description is at <a href="/openapi.json">/openapi.json</a>.</noscript>
  <script src="/docs/assets/js/swagger-ui-bundle.js"></script>
  <script>
    SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true });
  </script>
</body>
</html>
"""


@bp.get("/openapi.json")
def description() -> ResponseReturnValue:
    """Return the OpenAPI 3.1 document."""
    _require_shown()
    app = current_app
    if "openapi" not in app.extensions:  # made once, when first asked for
        app.extensions["openapi"] = openapi.document(app)
    return cast("dict[str, object]", app.extensions["openapi"])


@bp.get("/docs")
def page() -> ResponseReturnValue:
    """Show the API to a person."""
    _require_shown()
    return render_template_string(_PAGE)


@bp.get("/docs/assets/<path:name>")
def asset(name: str) -> ResponseReturnValue:
    """Return a part of the page."""
    _require_shown()
    return send_from_directory(_assets(), name, max_age=86_400)


def _require_shown() -> None:
    """Say that there is nothing where strangers are not to read it."""
    if not deps().settings.shows_documentation:
        raise NotFound


def _assets() -> Path:
    from importlib.util import find_spec  # noqa: PLC0415

    spec = find_spec("flask_openapi_swagger")
    assert spec is not None  # noqa: S101 - the api extra installs it
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent / "templates" / "swagger"
