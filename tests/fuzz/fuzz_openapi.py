"""Every operation of /openapi.json, called with what its schema allows, and forbids.

Not part of the tests: ``scripts/fuzz [EXAMPLES]`` runs it. No answer may be a 5xx, and
each must be one that the document describes; schemathesis has all its checks on.
"""

import os

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ignored_auth,
    positive_data_acceptance,
)
from sqlalchemy.orm import sessionmaker

from api_service.app import create_app
from common.settings import Settings
from tests import factories
from tests.conftest import SECRET, make_deps

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
EXCLUDED = {
    # A document cannot say that these need a real recording, or the lecture's course.
    positive_data_acceptance: {
        "POST /lectures/ingest",
        "POST /lectures/{lecture_id}/generate",
        # Nor which addresses mail can reach, and which texts may name a project.
        "POST /v2/auth/register",
        "POST /v2/auth/login",
        "POST /uploads",
        "POST /upload/signed-url",
        "POST /v2/conversations",  # and which texts name a video
        # Nor that these need a real film, or one that is there.
        *(
            f"POST {base}/projects/{{project_id}}/{noun}"
            for base in ("", "/api")
            for noun in ("videos", "materials", "jobs", "exports")
        ),
    },
    # A lecture may be called "ingest", too; so other methods are allowed there.
    # So does every path under a video: its id may be an address with slashes.
    allow_header_conformance: {
        "POST /lectures/ingest",
        "POST /v2/internal/videos/{video_id}/metadata",
        "POST /v2/internal/videos/{video_id}/summary",
        "POST /v2/internal/videos/{video_id}/transcript",
    },
    # Its clients know this answer where nobody can sign in with Google.
    not_a_server_error: {"POST /v2/auth/google"},
    # Guests may make up their own id, as their clients have always done.
    ignored_auth: {
        "GET /v2/conversations",
        "POST /v2/conversations",
        "GET /v2/conversations/{conversation_id}",
        "GET /v2/conversations/{conversation_id}/messages",
        "POST /v2/conversations/{conversation_id}/messages",
        "GET /v2/videos/{video_id}/stream",
    },
}
KNOWN = {"lecture_id": "l1", "course_id": "c1", "preset_id": "exam-mode"}
LENIENT = {
    "max_open_uploads": 10**9,
    "max_open_uploads_of_one": 10**9,
    "write_rate_limit_max_requests": 10**9,
    "google_cloud_project": "lectures-test",
    "openai_api_key": SecretStr("never-used"),  # jobs are queued, and never run
}


def build():
    """Return the app, for its document; each test hands in its own ``deps``."""
    settings = Settings(
        DATABASE_URL="postgresql://nowhere", PEGASUS_INTERNAL_SECRET=SECRET
    )
    return create_app(make_deps(sessionmaker(), settings, None, None, None))


def whole(environ, start_response):
    """Read each answer to its end and close it, as a server does."""
    answer = APP(environ, start_response)
    try:
        return [b"".join(answer)]
    finally:
        answer.close()


APP = build()
schema = schemathesis.openapi.from_wsgi("/openapi.json", whole)


@schema.hook
def map_path_parameters(_context, parameters):
    """Have half of all paths lead somewhere."""
    found = {
        name: KNOWN[name] if name in KNOWN and len(str(value)) % 2 else value
        for name, value in (parameters or {}).items()
    }
    if "project_id" in found:  # no path may name one, as no schema can say
        found["project_id"] = f"demo{len(str(found['project_id'])) % 2}"
    return found


@pytest.fixture(autouse=True)
def one_whole_lecture(deps, settings):
    """Make one lecture that has everything, so that not every answer is a 404."""
    object.__setattr__(deps, "settings", settings.model_copy(update=LENIENT))
    APP.extensions["deps"] = deps
    lecture = factories.lecture(deps.db)
    factories.media(deps.storage, lecture)
    factories.transcript(deps.db, deps.storage, lecture, "One.", "Two.")
    factories.artifact(deps.db)
    factories.export(deps.db)
    for kind in factories.QUEUES:
        factories.job(deps.db, kind=kind, state="failed")


@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=False,
    suppress_health_check=list(HealthCheck),
)
def test_no_answer_that_is_not_described(case):
    label = case.operation.label
    excluded = [check for check, labels in EXCLUDED.items() if label in labels]
    case.call_and_validate(excluded_checks=excluded)
