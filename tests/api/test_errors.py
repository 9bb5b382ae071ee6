"""Every failure is the one error document, whatever went wrong."""

from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import sessionmaker

from common import db as database
from common.db import driver
from tests import factories
from tests.conftest import make_api

BUG = "the bug's own words"


class BrokenStorage:
    """A provider with a bug in it."""

    def uri(self, key):
        raise ZeroDivisionError(BUG)


def assert_document(reply, status, code):
    """Check the form that all families of clients read."""
    assert reply.status_code == status
    assert reply.content_type == "application/json"
    assert set(reply.json) == {"detail", "message", "error", "request_id"}
    assert set(reply.json["error"]) == {"code", "message", "details"}
    assert reply.json["error"]["code"] == code
    assert reply.json["message"] == reply.json["error"]["message"]
    assert reply.json["request_id"] == reply.headers["x-request-id"]
    if isinstance(reply.json["detail"], list):
        assert reply.json["error"]["details"] == reply.json["detail"]
    else:
        assert reply.json["detail"] == reply.json["message"]
        assert reply.json["error"]["details"] is None


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/lectures/l1/nothing", "/favicon.ico"]
)
def test_an_unknown_path_is_not_found(api, path):
    reply = api.get(path)
    assert_document(reply, 404, "not_found")
    assert reply.json["detail"] == "Not Found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/health", {"GET"}),
        ("PUT", "/lectures", {"GET"}),
        ("GET", "/lectures/l1/generate", {"POST"}),
        ("POST", "/lectures/l1/artifacts", {"GET"}),
        ("PATCH", "/presets/exam-mode", {"GET"}),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(api, method, path, allowed):
    reply = api.open(path, method=method)
    assert_document(reply, 405, "method_not_allowed")
    assert reply.json["detail"] == "Method Not Allowed"
    assert allowed <= set(reply.headers["Allow"].split(", "))
    assert method not in reply.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/lectures/", "/lectures"),
        ("/presets/exam-mode/", "/presets/exam-mode"),
        ("/lectures/?limit=1&offset=2", "/lectures?limit=1&offset=2"),
        ("/lectures/l1/artifacts///", "/lectures/l1/artifacts"),
    ],
)
def test_a_slash_too_many_leads_to_the_path_without(api, path, target):
    reply = api.get(path)
    assert reply.status_code == 307  # keeps method and body
    assert reply.headers["Location"] == target
    assert reply.headers["x-request-id"]


def test_a_slash_too_many_after_nothing_known_is_not_found(api):
    assert_document(api.get("/nothing/"), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "//evil.example/",
            "//evil.example//",
            "/%2Fevil.example/",
            "/%5Cevil.example/",
        ),
        *("/lectures/%0d%0aSet-Cookie:%20a=b/", "//lectures/", "//presets"),
    ],
)
def test_a_redirect_never_leaves_this_host(api, path):
    reply = api.get(path)
    target = reply.headers.get("Location", "/")
    assert not target.startswith(("//", "/\\"))
    assert target.removeprefix("http://localhost").startswith("/")
    assert "Set-Cookie" not in reply.headers


def test_what_a_route_refuses_is_told_in_its_own_words(api):
    reply = api.get("/lectures/none")
    assert_document(reply, 404, "not_found")
    assert reply.json["detail"] == "Lecture not found."


def test_a_parameter_that_is_not_valid_is_listed(api):
    reply = api.get("/lectures?limit=-1&offset=x")
    assert_document(reply, 422, "validation_error")
    assert [one["loc"] for one in reply.json["detail"]] == [
        ["query", "limit"],
        ["query", "offset"],
    ]


def test_a_json_body_over_a_mebibyte_is_not_read(api, db):
    factories.lecture(db)
    body = b'{"course_id": "' + b"x" * 1024 * 1024 + b'"}'
    reply = api.post("/lectures/l1/generate", data=body)
    assert_document(reply, 413, "request_entity_too_large")


@pytest.mark.parametrize("path", ["/lectures/l1", "/lectures", "/lectures/l1/summary"])
def test_a_bug_says_nothing_of_itself(deps, db, path):
    factories.lecture(db)
    api: Any = make_api(replace(deps, storage=BrokenStorage()))
    reply = api.get(path, headers={"x-request-id": "find-me"})
    assert_document(reply, 500, "internal_error")
    assert reply.json["detail"] == "Internal Server Error"
    assert reply.json["request_id"] == "find-me"
    assert BUG not in reply.text
    assert "ZeroDivision" not in reply.text


def test_a_bug_is_in_the_log_with_its_words(deps, db, caplog):
    factories.lecture(db)
    make_api(replace(deps, storage=BrokenStorage())).get("/lectures/l1")
    [record] = [one for one in caplog.records if one.levelname == "ERROR"]
    assert BUG in str(record.exc_info[1])


def test_sql_that_is_wrong_is_our_bug_and_not_called_an_outage(deps, db):
    factories.lecture(db)
    with db.begin() as session:  # undone with all else when the test ends
        session.execute(text("alter table lectures rename column title to renamed"))
    reply = make_api(deps).get("/lectures/l1")
    assert_document(reply, 500, "internal_error")
    assert "renamed" not in reply.text
    assert "select" not in reply.text.lower()


def cut(db, pool):
    """End the only connection of a pool, from the server's side, and wait for it."""
    with pool.begin() as session:
        pid = session.scalar(text("select pg_backend_pid()"))
    with db.begin() as session:
        gone = text("select pg_terminate_backend(:pid, 5000)")
        assert session.scalar(gone, {"pid": pid})


def test_a_connection_that_was_cut_is_replaced(
    committed_deps, database_url, monkeypatch
):
    monkeypatch.setattr(driver, "_TRUSTED_SECONDS", 0)  # as if it had been idle
    pool = database.connect(database_url, pool_size=1)
    api = make_api(replace(committed_deps, db=pool))
    cut(committed_deps.db, pool)
    assert api.get("/lectures").status_code == 200
    pool.kw["bind"].dispose()


def test_a_connection_that_is_cut_under_a_request_is_an_outage(
    committed_deps, database_url
):
    engine = database.engine(database_url, pool_size=1, max_overflow=0)
    pool = sessionmaker(engine)  # without the ping before use
    cut(committed_deps.db, pool)
    reply: Any = make_api(replace(committed_deps, db=pool)).get("/lectures")
    assert_document(reply, 503, "unavailable")
    engine.dispose()


def test_a_pool_without_a_free_connection_is_an_outage(committed_deps, database_url):
    engine = database.engine(
        database_url, pool_size=1, max_overflow=0, pool_timeout=0.05
    )
    api = make_api(replace(committed_deps, db=sessionmaker(engine)))
    with engine.connect():
        reply = api.get("/lectures")
    assert_document(reply, 503, "unavailable")
    assert int(reply.headers["Retry-After"]) > 0
    engine.dispose()


@pytest.mark.parametrize("sqlstate", ["57P01", "57P03", "53300"])
def test_a_database_that_restarts_or_is_full_is_an_outage(deps, db, sqlstate):
    """The server's own words, raised by the server itself."""

    class Failing(BytesIO):
        def uri(self, key):
            with db.begin() as session:
                session.execute(
                    text(f"do $$ begin raise sqlstate '{sqlstate}'; end $$")
                )

    factories.lecture(db)
    reply: Any = make_api(replace(deps, storage=Failing())).get("/lectures/l1")
    assert_document(reply, 503, "unavailable")


@pytest.mark.parametrize(
    "path",
    [
        *("/lectures/a%00b", "/lectures/a%00b/summary", "/lectures/a%00b/progress"),
        *("/lectures/a%00b/jobs", "/lectures/a%00b/transcript", "/lectures/%00/media"),
        *("/exports/a%00b/pdf", "/exports/l1/%00", "/lectures/%ff%fe"),
    ],
)
def test_an_id_that_no_row_can_have_is_not_found(api, path):
    assert_document(api.get(path), 404, "not_found")


@pytest.mark.parametrize("verb", ["transcribe", "generate", "export"])
def test_nothing_is_asked_of_an_id_that_no_row_can_have(api, verb):
    assert_document(api.post(f"/lectures/a%00b/{verb}", json={}), 404, "not_found")
