"""Which web pages may call."""

from dataclasses import replace

import pytest

from common.settings import Settings
from tests.conftest import SECRET, make_api

PAGE = "https://app.example.org"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, idempotency-key",
}


@pytest.fixture
def listed(deps, database_url):
    """An API for two pages only."""
    settings = Settings(
        DATABASE_URL=database_url,
        PEGASUS_INTERNAL_SECRET=SECRET,
        PLC_CORS_ORIGINS=f" {PAGE}/ , http://localhost:3000",
    )
    return make_api(replace(deps, settings=settings))


def test_by_default_any_page_may_call_without_credentials(api):
    reply = api.get("/health", headers={"Origin": PAGE})
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in reply.headers


def test_pages_may_read_our_own_headers(api):
    reply = api.get("/health", headers={"Origin": PAGE})
    exposed = reply.headers["Access-Control-Expose-Headers"].lower()
    assert "x-request-id" in exposed
    assert "retry-after" in exposed


def test_what_is_not_a_page_gets_no_marks(api):
    reply = api.get("/health")
    assert not [name for name, _ in reply.headers if "Access-Control" in name]


def test_a_preflight_is_answered_ok(api):
    reply = api.options("/lectures/ingest", headers=PREFLIGHT)
    assert (reply.status_code, reply.text) == (200, "OK")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
    allowed = reply.headers["Access-Control-Allow-Headers"]
    assert allowed == PREFLIGHT["Access-Control-Request-Headers"]
    assert reply.headers["x-request-id"]


def test_a_failure_is_readable_for_pages_too(api):
    reply = api.get("/lectures/none", headers={"Origin": PAGE})
    assert reply.status_code == 404
    assert reply.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_a_listed_page_is_named_and_may_send_credentials(listed, origin):
    reply = listed.get("/health", headers={"Origin": origin})
    assert reply.headers["Access-Control-Allow-Origin"] == origin
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example.org", f"{PAGE}.evil.org", "http://app.example.org"),
        *("https://app.example.org:8443", "http://localhost:30000", "null", "*"),
        *("https://xapp.example.org", ""),
    ],
)
def test_any_other_page_gets_no_permission(listed, origin):
    for reply in (
        listed.get("/health", headers={"Origin": origin}),
        listed.options("/lectures", headers={**PREFLIGHT, "Origin": origin}),
    ):
        assert "Access-Control-Allow-Origin" not in reply.headers
        assert "Access-Control-Allow-Credentials" not in reply.headers


@pytest.mark.parametrize("origin", [PAGE, "https://evil.example.org", None])
def test_caches_keep_the_answers_of_different_pages_apart(listed, origin):
    headers = {"Origin": origin} if origin else {}
    assert "Origin" in listed.get("/health", headers=headers).headers.get("Vary", "")


PROJECT_PAGES = [
    "http://localhost:3000",
    "http://localhost:5173",
    "http://localhost:8080",
]


@pytest.mark.parametrize("page", PROJECT_PAGES)
@pytest.mark.parametrize("path", ["/projects", "/api/projects", "/storage/x", "/info"])
def test_pages_of_projects_may_call_with_credentials(api, path, page):
    for reply in (
        api.get(path, headers={"Origin": page}),
        api.options(path, headers=PREFLIGHT | {"Origin": page}),
    ):
        assert reply.headers["Access-Control-Allow-Origin"] == page
        assert reply.headers["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize(
    "page",
    [
        *(PAGE, "http://localhost:3001", "https://localhost:3000", "null"),
        *("http://localhost:3000.example.org", "http://LOCALHOST:3000"),
    ],
)
def test_other_pages_may_not_call_projects(api, page):
    for reply in (
        api.get("/projects", headers={"Origin": page}),
        api.options("/projects", headers=PREFLIGHT | {"Origin": page}),
    ):
        assert "Access-Control-Allow-Origin" not in reply.headers
        assert "Origin" in reply.headers["Vary"]


def test_who_may_call_everywhere_may_call_projects(listed):
    reply = listed.get("/projects", headers={"Origin": PAGE})
    assert reply.headers["Access-Control-Allow-Origin"] == PAGE
