"""What VidWiz clients are told when something goes wrong, and in which order."""

from dataclasses import replace
from typing import Any

import pytest

from tests.api.guards import with_settings
from tests.api.people import ADMIN, person, signed_in
from tests.api.test_v2_accounts import ANN

PAGE = {"Origin": "https://app.example"}
BROKEN: Any = None  # a database that is a bug
NO_OBJECT = (
    "body",
    "Input should be a valid dictionary or object to extract fields from",
    "model_attributes_type",
)
FORM = "application/x-www-form-urlencoded"


def error(reply):
    assert reply.content_type == "application/json"
    assert reply.json["request_id"] == reply.headers["x-request-id"]
    assert list(reply.json["error"]) == ["code", "message", "details"]
    assert reply.json["message"] == reply.json["error"]["message"]
    return reply.json["error"]


def problem(reply):
    assert reply.status_code == 422, reply.text
    found = error(reply)
    assert found["code"] == "VALIDATION_ERROR"
    assert found["message"] == "Request validation failed"
    [one] = found["details"]
    return one["field"], one["message"], one["type"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "message"),
    [
        ("GET", "/v2/nothing", 404, "NOT_FOUND", "Not Found"),
        ("GET", "/v2/", 404, "NOT_FOUND", "Not Found"),
        ("PUT", "/v2/users/me", 405, "METHOD_NOT_ALLOWED", "Method Not Allowed"),
        ("HEAD", "/v2/users/me", 405, None, None),
        ("HEAD", "/v2/payments/products", 405, None, None),
        ("GET", "/v2/auth/login", 405, "METHOD_NOT_ALLOWED", "Method Not Allowed"),
    ],
)
def test_what_is_not_there_has_the_one_form(api, method, path, status, code, message):
    reply = api.open(path, method=method, headers=PAGE)
    assert reply.status_code == status
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    if status == 405:
        assert "HEAD" not in reply.headers["Allow"]
    if code is not None:
        assert error(reply) == {"code": code, "message": message, "details": None}


def test_a_bug_has_the_one_form_and_pages_can_read_it(api, deps):
    api.application.extensions["deps"] = replace(deps, db=BROKEN)
    reply = api.post("/v2/auth/login", json=ANN, headers=PAGE)
    assert reply.status_code == 500
    assert error(reply) == {
        "code": "INTERNAL_ERROR",
        "message": "Internal Server Error",
        "details": None,
    }
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in reply.headers
    assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]


def test_every_answer_names_its_policy(api):
    for path in ("/v2/payments/products", "/v2/users/me", "/v2/nothing"):
        reply = api.get(path)
        assert reply.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert "Referrer-Policy" not in api.get("/health").headers


def test_a_request_s_id_is_echoed(api):
    reply = api.get("/v2/nothing", headers={"X-Request-ID": "abc-1"})
    assert (reply.headers["X-Request-ID"], reply.json["request_id"]) == (
        "abc-1",
        "abc-1",
    )


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("GET", "/v2/users/me/", "/v2/users/me"),
        ("POST", "/v2/auth/login/", "/v2/auth/login"),
        ("GET", "/v2/payments/products/?a=b", "/v2/payments/products?a=b"),
    ],
)
def test_a_slash_too_many_is_redirected(api, method, path, target):
    reply = api.open(path, method=method)
    assert (reply.status_code, reply.headers["Location"]) == (307, target)


def test_a_page_may_ask_what_it_may_send(api):
    asked = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,x-guest-session-id",
    }
    reply = api.options("/v2/users/me", headers=PAGE | asked)
    assert (reply.status_code, reply.text) == (200, "OK")
    assert reply.headers["Access-Control-Allow-Headers"] == (
        "authorization,x-guest-session-id"
    )
    assert "PATCH" in reply.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("data", "content_type", "expected"),
    [
        (b"", None, ("body", "Field required", "missing")),
        (b"  ", None, ("body", "Field required", "missing")),
        (b"{bad", None, ("body.1", "JSON decode error", "json_invalid")),
        (b'{"email": nan}', None, ("body.10", "JSON decode error", "json_invalid")),
        (b"[]", "application/json", NO_OBJECT),
        (b'"x"', "application/json", NO_OBJECT),
        (b"null", "application/json", NO_OBJECT),
        (b"1", None, NO_OBJECT),
        (b"email=a&password=b", FORM, NO_OBJECT),
        (b'{"email":"a@example.com"}', "text/plain", NO_OBJECT),
    ],
)
def test_a_body_that_is_none_is_told_as_clients_know_it(
    api, data, content_type, expected
):
    reply = api.post("/v2/auth/login", data=data, content_type=content_type)
    assert problem(reply) == expected


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "application/json; charset=utf-8"]
)
def test_json_needs_no_name(api, content_type):
    raw = b'{"email":"ann@example.com","password":"wrong"}'
    reply = api.post("/v2/auth/login", data=raw, content_type=content_type)
    assert reply.status_code == 401


def test_what_was_sent_is_not_echoed(api):
    reply = api.post("/v2/auth/register", json=ANN | {"password": "s3cret"})
    assert reply.status_code == 422
    assert "s3cret" not in reply.text
    assert [set(one) for one in reply.json["detail"]] == [{"loc", "msg", "type"}]


def test_malformed_json_is_told_before_who_asks_is_known(api):
    reply = api.patch("/v2/users/me", data=b"{bad")
    assert problem(reply)[2] == "json_invalid"


def test_who_asks_must_be_known_before_a_body_is_looked_at(api, deps, db):
    for sent in (b"", b"[]", b'{"name": 7}'):
        assert api.patch("/v2/users/me", data=sent).status_code == 401
    headers = signed_in(deps, person(db))
    assert api.patch("/v2/users/me", data=b"[]", headers=headers).status_code == 422


def test_a_number_in_a_path_is_looked_at_after_who_asks(api, deps, db):
    headers = signed_in(deps, person(db))
    for path, kind in (("abc", "int_parsing"), ("0", "greater_than_equal")):
        assert api.delete(f"/v2/notes/{path}").status_code == 401
        reply = api.delete(f"/v2/notes/{path}", headers=headers)
        assert problem(reply)[::2] == ("path.note_id", kind)
    beyond = api.delete("/v2/notes/99999999999", headers=headers)
    assert beyond.status_code in (404, 422)


def test_what_is_missing_is_told_before_what_is_wrong_with_the_body(api, deps, db):
    headers = signed_in(deps, person(db))
    reply = api.patch("/v2/notes/7", json={"unknown": 1}, headers=headers)
    assert (reply.status_code, error(reply)["message"]) == (404, "Note not found")


def test_without_an_admin_token_no_helper_gets_in(api, deps):
    path = "/v2/internal/tasks?type=transcript&timeout=1"
    api.application.extensions["deps"] = with_settings(deps, admin_token=None)
    reply = api.get(path, headers=ADMIN)
    assert (reply.status_code, error(reply)["message"]) == (
        500,
        "Admin token is not configured",
    )
    assert api.get(path).status_code == 401


def test_other_clients_keep_their_own_words(api):
    assert api.get("/nothing").json["error"]["code"] == "not_found"
    [one] = api.get("/lectures?limit=no").json["detail"]
    assert one["loc"] == ["query", "limit"]
    assert one["input"] == "no"
