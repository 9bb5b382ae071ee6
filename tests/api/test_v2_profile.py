"""A person's own account, and the one token for tools."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from api_service.people import sessions
from api_service.routes.v2.schemas import moment
from common.models import LongTermToken, User
from tests.api.guards import bearer
from tests.api.people import person, signed_in
from tests.api.test_parallel import together
from tests.conftest import make_api


@pytest.fixture
def ann(db):
    return person(db, created_at=datetime(2026, 11, 20, 20, 59, 11, 999999, UTC))


@pytest.fixture
def headers(deps, ann):
    return signed_in(deps, ann)


def change(api, headers, **fields):
    return api.patch("/v2/users/me", json=fields, headers=headers)


def test_a_profile_is_spelled_as_clients_know_it(api, ann, headers):
    reply = api.get("/v2/users/me", headers=headers)
    assert reply.text == (
        f'{{"id":{ann.id},"email":"ann@example.com","name":"Ann Bee",'
        '"profile_image_url":null,"ai_notes_enabled":false,"token_exists":false,'
        '"credits_balance":100,"long_term_token":null,'
        '"created_at":"2026-11-20T20:59:11+0000"}\n'
    )


def test_a_profile_costs_one_statement_beside_the_session(api, headers, statements):
    statements.clear()
    api.get("/v2/users/me", headers=headers)
    assert len(statements) == 2, statements


def test_times_are_utc_whatever_the_server_s_zone():
    kolkata = timezone(timedelta(hours=5, minutes=30))
    at = datetime(2026, 11, 21, 2, 29, 12, 5, kolkata)
    assert moment(at) == "2026-11-20T20:59:12+0000"


def test_a_person_changes_name_and_wishes(api, headers):
    before = api.get("/v2/users/me", headers=headers).json
    reply = change(api, headers, name="  Ann B. Bee ", ai_notes_enabled=True)
    assert reply.status_code == 200
    assert reply.json == before | {"name": "Ann B. Bee", "ai_notes_enabled": True}
    assert list(reply.json) == list(before)
    assert api.get("/v2/users/me", headers=headers).json == reply.json


@pytest.mark.parametrize(
    "sent", [{}, {"name": None}, {"ai_notes_enabled": None}, {"email": "x@y.example"}]
)
def test_what_is_not_sent_stays(api, headers, sent):
    before = api.get("/v2/users/me", headers=headers).json
    reply = change(api, headers, **sent)
    assert (reply.status_code, reply.json) == (200, before)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("A", "Value error, Name must be at least 2 characters long"),
        (" A ", "Value error, Name must be at least 2 characters long"),
        ("", "Value error, Name must be at least 2 characters long"),
        ("x" * 101, "Value error, Name must be less than 100 characters"),
        (7, "Input should be a valid string"),
        ("A\0B", "Input should be without NUL"),
    ],
)
def test_a_bad_name_changes_nothing(api, db, headers, name, message):
    reply = change(api, headers, name=name, ai_notes_enabled=True)
    assert reply.status_code == 422
    [problem] = reply.json["error"]["details"]
    assert (problem["field"], problem["message"]) == ("body.name", message)
    with db.begin() as session:
        user = session.scalars(select(User)).one()
    assert (user.name, user.ai_notes_enabled) == ("Ann Bee", False)


@pytest.mark.parametrize("value", ["true", "yes", 1, True])
def test_words_for_yes_are_understood(api, headers, value):
    assert change(api, headers, ai_notes_enabled=value).json["ai_notes_enabled"] is True


def test_a_word_for_neither_is_refused(api, headers):
    [problem] = change(api, headers, ai_notes_enabled="maybe").json["error"]["details"]
    assert problem == {
        "field": "body.ai_notes_enabled",
        "message": "Input should be a valid boolean, unable to interpret input",
        "type": "bool_parsing",
    }


def test_nobody_changes_another(api, deps, db, headers):
    bob = person(db, "bob@example.com")
    change(api, headers, name="Mallory")
    assert api.get("/v2/users/me", headers=signed_in(deps, bob)).json["name"] == (
        "Ann Bee"
    )


# The token for tools


def test_a_tool_s_token_is_shown_once(api, db, ann, headers):
    reply = api.post("/v2/auth/tokens", headers=headers)
    assert (reply.status_code, list(reply.json)) == (200, ["message", "token"])
    assert reply.json["message"] == "Long-term token generated successfully"
    token = reply.json["token"]
    assert re.fullmatch(r"wiz_[\w-]{43}", token)
    with db.begin() as session:
        row = session.scalars(select(LongTermToken)).one()
    assert row.sha256 == sessions.digest(token)
    assert token not in str(vars(row))
    shown = api.get("/v2/users/me", headers=headers)
    assert shown.json["token_exists"] is True
    assert shown.json["long_term_token"] is None
    assert token not in shown.text
    assert change(api, headers).json["token_exists"] is True


def test_there_is_one_token_at_a_time(api, headers):
    first = api.post("/v2/auth/tokens", headers=headers).json["token"]
    reply = api.post("/v2/auth/tokens", headers=headers)
    assert reply.status_code == 400
    assert reply.json["error"]["code"] == "BAD_REQUEST"
    assert reply.json["error"]["message"] == (
        "A long-term token already exists. Please revoke the existing token before"
        " generating a new one."
    )
    assert first not in reply.text


def test_of_parallel_requests_one_gets_a_token(committed_deps, committed_db):
    app = make_api(committed_deps).application
    headers = signed_in(committed_deps, person(committed_db))
    replies = together(
        lambda _: app.test_client().post("/v2/auth/tokens", headers=headers)
    )
    assert sorted(r.status_code for r in replies) == [200] + [400] * 15


def test_a_revoked_token_is_over_at_once(api, headers):
    token = api.post("/v2/auth/tokens", headers=headers).json["token"]
    note = {"timestamp": "1:23", "text": "Mine."}
    path = "/v2/videos/dQw4w9WgXcQ/notes"
    assert api.post(path, json=note, headers=bearer(token)).status_code == 201
    reply = api.delete("/v2/auth/tokens", headers=headers)
    assert (reply.status_code, reply.json) == (
        200,
        {"message": "Long-term token revoked successfully"},
    )
    refused = api.post(path, json=note, headers=bearer(token))
    assert refused.status_code == 401
    assert refused.json["error"]["message"] == "Invalid or revoked long-term token"
    again = api.delete("/v2/auth/tokens", headers=headers)
    assert (again.status_code, again.json["error"]["message"]) == (
        404,
        "No long-term token found",
    )
    new = api.post("/v2/auth/tokens", headers=headers).json["token"]
    assert new != token


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/users/me"),
        ("PATCH", "/v2/users/me"),
        ("POST", "/v2/auth/tokens"),
        ("DELETE", "/v2/auth/tokens"),
        ("GET", "/v2/videos"),
    ],
)
def test_a_tool_may_write_notes_and_nothing_else(api, headers, method, path):
    token = api.post("/v2/auth/tokens", headers=headers).json["token"]
    reply = api.open(path, method=method, headers=bearer(token))
    assert reply.status_code == 401
    assert reply.json["error"]["message"] == (
        "Long-term tokens are not allowed for this endpoint"
    )


def test_a_tool_s_token_is_seen_at_work(api, db, headers):
    token = api.post("/v2/auth/tokens", headers=headers).json["token"]
    api.post("/v2/videos/dQw4w9WgXcQ/notes", json={}, headers=bearer(token))
    with db.begin() as session:
        assert session.scalars(select(LongTermToken)).one().last_used_at is not None


def test_there_is_nothing_for_sale(api):
    reply = api.get("/v2/payments/products")
    assert (reply.status_code, reply.text) == (200, '{"products":[]}\n')
