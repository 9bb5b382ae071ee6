"""Changing a token without a moment in which somebody is shut out."""

import pytest
from pydantic import SecretStr

from tests.api.guards import READ_TOKEN, WRITE_TOKEN, bearer, guarded
from tests.conftest import make_api

OLD = "old-" + "o" * 30
COURSE = {"title": "Algebra"}


def status(deps, method, token):
    client = make_api(deps)
    if method == "POST":
        reply = client.post("/courses", json=COURSE, headers=bearer(token))
    else:
        reply = client.get("/courses", headers=bearer(token))
    return reply.status_code


@pytest.mark.parametrize(
    ("token", "allowed"), [(WRITE_TOKEN, True), (OLD, True), ("neither", False)]
)
def test_while_it_changes_two_tokens_write(deps, token, allowed):
    both = guarded(deps, old_write_api_token=SecretStr(OLD))
    assert (status(both, "POST", token) < 300) is allowed


def test_once_it_has_changed_the_old_one_is_refused(deps):
    assert status(guarded(deps), "POST", OLD) == 403


@pytest.mark.parametrize("token", [READ_TOKEN, WRITE_TOKEN, OLD])
def test_an_old_token_reads_too(deps, token):
    both = guarded(deps, read=READ_TOKEN, old_read_api_token=SecretStr(OLD))
    assert status(both, "GET", token) == 200


def test_an_old_reader_writes_nothing(deps):
    both = guarded(deps, read=READ_TOKEN, old_read_api_token=SecretStr(OLD))
    assert status(both, "POST", OLD) == 403


def test_an_old_token_alone_guards_nothing_and_opens_nothing(deps):
    alone = guarded(
        deps, write=None, read=READ_TOKEN, old_write_api_token=SecretStr(OLD)
    )
    assert status(alone, "POST", OLD) == 403
