"""What clients of projects ask first, and what they read of a failure."""

import re
from dataclasses import replace

import pytest

from common.db import connect
from tests.api.guards import with_settings

AWAY = "postgresql://nobody@127.0.0.1:1/none"
IDS = ["..", "%2e%2e", "%2E%2E", "%252e%252e", "..%2f..", "%5c", "%EF%BC%8E%EF%BC%8E"]


def test_the_service_tells_its_name(api, deps):
    expected = {"name": "Quiz System Backend", "version": "0.1.0", "debug": False}
    assert api.get("/info").json == api.get("/api/info").json == expected
    named = with_settings(deps, app_name="Ours", app_version="9")
    api.application.extensions["deps"] = named
    assert api.get("/info").json == {"name": "Ours", "version": "9", "debug": False}


def test_health_has_the_form_that_they_know(api):
    told = api.get("/api/health").json
    assert told["status"] == "healthy"
    assert re.fullmatch(r".{10}T.{15}Z", told["timestamp"])
    assert api.get("/health").json["status"] == "ok"


def test_health_is_not_a_constant(api, deps):
    api.application.extensions["deps"] = replace(deps, db=connect(AWAY))
    reply = api.get("/api/health")
    assert reply.status_code == 503
    assert reply.json["errors"] == {}


@pytest.mark.parametrize("id_", IDS)
@pytest.mark.parametrize(
    ("method", "rest"),
    [
        *(("DELETE", "storage"), ("GET", "storage/stats"), ("GET", "videos")),
        *(("POST", "videos"), ("GET", "jobs"), ("POST", "jobs"), ("GET", "")),
    ],
)
def test_a_path_is_no_project_anywhere(api, id_, method, rest):
    path = f"/projects/{id_}/{rest}".rstrip("/")
    for prefix in ("", "/api"):
        reply = api.open(prefix + path, method=method)
        assert reply.status_code in (400, 404)  # 404: more than one part


def test_a_blank_project_is_refused_as_ever(api):
    for method, path in (("POST", "videos"), ("DELETE", "storage"), ("GET", "jobs")):
        reply = api.open(f"/projects/%20/{path}", method=method)
        assert reply.status_code == 400
        assert reply.json["detail"] == "Storage path component cannot be empty"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/projects/demo/jobs/00000000-0000-4000-8000-000000000000", 404),
        ("GET", "/projects/demo/nothing", 404),
        ("PUT", "/projects/demo/videos", 405),
        ("GET", "/projects/demo/jobs?status=x", 400),
        ("POST", "/projects/demo/jobs", 422),
    ],
)
def test_a_failure_can_be_read_by_all_clients(api, method, path, status):
    for prefix in ("", "/api"):
        reply = api.open(prefix + path, method=method)
        assert reply.status_code == status
        assert reply.content_type == "application/json"
        assert isinstance(reply.json["message"], str)
        assert "detail" in reply.json
        assert reply.json["request_id"]
        errors = reply.json["errors"]
        assert all(isinstance(text, str) for texts in errors.values() for text in texts)
        assert bool(errors) == (status == 422)


def test_other_clients_are_not_told_of_errors_by_field(api):
    assert "errors" not in api.get("/lectures?limit=x").json
    assert "errors" not in api.get("/projectsx").json


def test_a_last_slash_leads_to_the_path_without_it(api):
    reply = api.get("/projects/demo/videos/")
    assert reply.status_code == 307
    assert reply.headers["Location"].endswith("/projects/demo/videos")


def test_a_wrong_method_is_told_which_are_right(api):
    reply = api.put("/projects/demo/videos")
    assert reply.status_code == 405
    assert set(reply.headers["Allow"].split(", ")) >= {"GET", "POST"}


@pytest.mark.parametrize("path", ["/projects", "/projects/demo/videos", "/info"])
def test_head_is_get_without_the_body(api, path):
    reply = api.head(path)
    assert (reply.status_code, reply.data) == (200, b"")
