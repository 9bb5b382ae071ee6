"""Which web pages may call: those of ``PLC_CORS_ORIGINS``, by exact comparison.

On the paths of video projects also those of ``CORS_ORIGINS``, and no others: their
pages send cookies along, and would be refused where ``*`` may.
"""

from flask import Flask, Response, request

from api_service import quiz

_DAY_SECONDS = 86_400


def listed(origins: str) -> set[str]:
    """Return the origins of a setting."""
    return {origin.strip().rstrip("/") for origin in origins.split(",")} - {""}


def register(app: Flask, origins: str, project_origins: str) -> None:
    """Answer preflights and mark answers for the allowed origins.

    ``*`` means any page, and then without credentials: clients authenticate with a
    header of their own, which needs none.
    """
    everywhere = listed(origins)
    on_projects = listed(project_origins) | (everywhere - {"*"})

    def preflight() -> Response | None:
        asked = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or not asked:
            return None
        response = Response("OK", mimetype="text/plain")
        response.headers["Access-Control-Allow-Methods"] = (
            "GET, POST, PUT, PATCH, DELETE, OPTIONS"
        )
        response.headers["Access-Control-Allow-Headers"] = request.headers.get(
            "Access-Control-Request-Headers", ""
        )
        response.headers["Access-Control-Max-Age"] = str(_DAY_SECONDS)
        return response

    def mark(response: Response) -> Response:
        allowed = on_projects if quiz.is_asked() else everywhere
        origin = request.headers.get("Origin")
        if "*" not in allowed:  # caches keep the answers of different pages apart
            response.vary.add("Origin")
        if origin is None:
            return response
        if "*" in allowed:
            response.headers["Access-Control-Allow-Origin"] = "*"
        elif origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = (
            "x-request-id, Retry-After, Range"
        )
        return response

    app.before_request(preflight)
    app.after_request(mark)
