"""Tokens that people log in with: which ones let in, and all the others."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from datetime import UTC, datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from sqlalchemy import delete, update

from api_service import auth
from api_service.people import sessions
from common.models import LongTermToken, User
from tests import factories
from tests.api.guards import bearer, guarded, with_settings
from tests.api.people import guest, person, signed_in
from tests.conftest import ADMIN_TOKEN, SECRET_KEY

NOW = int(datetime.now(UTC).timestamp())
INVALID = "Invalid or expired token"
LONG_TERM = "Long-term tokens are not allowed for this endpoint"
MISSING = "Missing or invalid Authorization header"
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture
def ann(db):
    return person(db)


def claims(user, **changes):
    """Return what a good token says; a claim that is changed to None is left out."""
    good = {
        "user_id": user.id,
        "email": user.email,
        "name": user.name,
        "profile_image_url": None,
        "version": user.token_version,
        "iat": NOW,
        "exp": NOW + 3600,
    }
    return {k: v for k, v in (good | changes).items() if v is not None}


def token(user, key=SECRET_KEY, algorithm="HS256", headers=None, **changes):
    return jwt.encode(claims(user, **changes), key, algorithm, headers=headers)


def signed_raw(payload: bytes, header: bytes = b'{"alg":"HS256","typ":"JWT"}'):
    """Return whatever bytes with a good signature."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    head = b".".join(map(_encoded, (header, payload)))
    mark = algorithm.sign(head, algorithm.prepare_key(SECRET_KEY))
    return (head + b"." + _encoded(mark)).decode()


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def me(api, sent):
    return api.get("/v2/users/me", headers=bearer(sent))


def test_a_good_token_lets_in(api, ann):
    assert me(api, token(ann)).json["id"] == ann.id
    now = int(time.time())
    assert me(api, token(ann, iat=now + 20)).status_code == 200  # clocks differ
    assert me(api, token(ann, exp=now - 5)).status_code == 200
    lower = {"Authorization": f"bearer {token(ann)}"}
    assert api.get("/v2/users/me", headers=lower).status_code == 200


BAD = {
    "another key": lambda u: token(u, key="another-" + SECRET_KEY),
    "the key with a space": lambda u: token(u, key=SECRET_KEY + " "),
    "an empty key": lambda u: signed_raw(b"{}")[:-10] + "AAAAAAAAAA",
    "no algorithm": lambda u: token(u, key="", algorithm="none"),
    "no algorithm, in capitals": lambda u: (
        _encoded(b'{"alg":"None","typ":"JWT"}').decode()
        + "."
        + _encoded(json.dumps(claims(u)).encode()).decode()
        + "."
    ),
    "the signature cut off": lambda u: token(u).rpartition(".")[0] + ".",
    "no signature": lambda u: token(u).rpartition(".")[0],
    "another algorithm, same key": lambda u: token(u, algorithm="HS512"),
    "HS384": lambda u: token(u, algorithm="HS384"),
    "a key pair": lambda u: token(u, key=RSA, algorithm="RS256"),
    "its own key": lambda u: token(
        u, key="another-" + SECRET_KEY, headers={"jwk": {"kty": "oct", "k": "eA"}}
    ),
    "a key from elsewhere": lambda u: token(
        u, key="another-" + SECRET_KEY, headers={"jku": "http://127.0.0.1/keys"}
    ),
    "a header that must be understood": lambda u: token(
        u, headers={"crit": ["exp"], "x": 1}
    ),
    "expired": lambda u: token(u, exp=NOW - 60),
    "expired long ago": lambda u: token(u, exp=1),
    "no end": lambda u: token(u, exp=None),
    "no beginning": lambda u: token(u, iat=None),
    "begins later": lambda u: token(u, iat=NOW + 3600),
    "not valid yet": lambda u: token(u, nbf=NOW + 3600),
    "an end that is text": lambda u: token(u, exp="never"),
    "an end that is a digit's text": lambda u: token(u, exp=str(NOW + 3600)),
    "an end that is a fraction": lambda u: token(u, exp=NOW + 3600.5),
    "an endless end": lambda u: signed_raw(
        json.dumps(claims(u) | {"exp": float("inf")}).encode()
    ),
    "an end that is no number": lambda u: signed_raw(
        json.dumps(claims(u) | {"exp": float("nan")}).encode()
    ),
    "a beginning that is text": lambda u: token(u, iat="now"),
    "a beginning that is true": lambda u: token(u, iat=True),
    "a number as text": lambda u: token(u, user_id=str(u.id)),
    "a fraction": lambda u: token(u, user_id=u.id + 0.0),
    "true": lambda u: token(u, user_id=True),
    "a list": lambda u: token(u, user_id=[u.id]),
    "an object": lambda u: token(u, user_id={"id": u.id}),
    "zero": lambda u: token(u, user_id=0),
    "a negative number": lambda u: token(u, user_id=-u.id),
    "a number that no row can have": lambda u: token(u, user_id=2**31),
    "a huge number": lambda u: token(u, user_id=10**30),
    "somebody who never was": lambda u: token(u, user_id=u.id + 1000),
    "an older version": lambda u: token(u, version=u.token_version - 1),
    "a later version": lambda u: token(u, version=u.token_version + 1),
    "no version": lambda u: token(u, version=None),
    "a version as text": lambda u: token(u, version="0"),
    "another type": lambda u: token(u, type="access"),
    "a type that is a number": lambda u: token(u, type=1),
    "a list of claims": lambda u: signed_raw(b"[1]"),
    "claims that are text": lambda u: signed_raw(b'"x"'),
    "claims that are null": lambda u: signed_raw(b"null"),
    "claims that are no JSON": lambda u: signed_raw(b"{"),
    "claims that are no text": lambda u: signed_raw(b"\xff\xfe"),
    "deep claims": lambda u: signed_raw(b'{"a":' * 3000 + b"1" + b"}" * 3000),
    "a header that is no JSON": lambda u: signed_raw(b"{}", b"{"),
    "a header that is a list": lambda u: signed_raw(b"{}", b"[]"),
    "a header without an algorithm": lambda u: signed_raw(b"{}", b'{"typ":"JWT"}'),
    "an algorithm that is a number": lambda u: signed_raw(b"{}", b'{"alg":1}'),
    "a letter changed": lambda u: token(u).replace(".", ".A", 1),
    "dots": lambda u: "..",
    "a dot more": lambda u: token(u) + ".",
    "two tokens": lambda u: f"{token(u)} {token(u)}",
    "junk": lambda u: "junk",
    "odd letters": lambda u: "é.é.é",
    "a long one": lambda u: "x" * 8000,
    "Google's": lambda u: jwt.encode(
        {"iss": "https://accounts.google.com", "email": u.email, "exp": NOW + 9},
        RSA,
        "RS256",
    ),
}


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
@pytest.mark.parametrize("case", BAD)
def test_a_bad_token_lets_nobody_in(api, ann, case):
    reply = me(api, BAD[case](ann))
    assert reply.status_code == 401, reply.text
    assert reply.json["error"] == {
        "code": "UNAUTHORIZED",
        "message": INVALID,
        "details": None,
    }


@pytest.mark.filterwarnings("ignore::jwt.InsecureKeyLengthWarning")
@pytest.mark.parametrize("case", BAD)
def test_nor_anywhere_else(api, deps, db, ann, case):
    factories.lecture(db, owner_id=ann.id)
    api.application.extensions["deps"] = guarded(deps)
    headers = bearer(BAD[case](ann))
    assert api.delete("/lectures/l1", headers=headers).status_code in (401, 403)
    assert api.get("/lectures/l1", headers=headers).status_code in (401, 404)
    viewer = api.get("/v2/conversations", headers=headers | guest())
    assert viewer.status_code == 401  # not a guest, either


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (None, MISSING),
        ("", MISSING),
        ("Bearer", MISSING),
        ("Bearer ", MISSING),
        ("Basic eDp5", MISSING),
        ("Token x", MISSING),
    ],
)
def test_who_sends_none_is_told_so(api, sent, text):
    headers = {} if sent is None else {"Authorization": sent}
    reply = api.get("/v2/users/me", headers=headers)
    assert reply.status_code == 401
    assert reply.json["error"]["message"] == text


def test_a_token_of_nobody_is_named_so(api, ann):
    reply = me(api, token(ann, user_id=None))
    assert (reply.status_code, reply.json["error"]["message"]) == (
        401,
        "Invalid token payload",
    )


@pytest.mark.parametrize("kind", ["ours", "of the former service"])
def test_a_tool_s_token_is_no_session(api, db, ann, kind):
    ours = sessions.long_term_token()
    factories.save(db, LongTermToken(user_id=ann.id, sha256=sessions.digest(ours)))
    former = token(ann, type="long_term", exp=NOW + 10**9)
    reply = me(api, ours if kind == "ours" else former)
    assert (reply.status_code, reply.json["error"]["message"]) == (401, LONG_TERM)


def test_a_former_tool_s_token_without_an_end_is_none_of_ours(api, ann):
    forever = token(ann, type="long_term", exp=None, version=None)
    assert me(api, forever).status_code == 401


def test_a_deleted_person_s_session_is_over(api, db, ann):
    sent = token(ann)
    assert me(api, sent).status_code == 200
    with db.begin() as session:
        session.execute(delete(User).where(User.id == ann.id))
    assert me(api, sent).json["error"]["message"] == INVALID


def test_all_sessions_end_at_once(api, db, ann):
    old = token(ann)
    with db.begin() as session:
        session.execute(update(User).values(token_version=User.token_version + 1))
    assert me(api, old).status_code == 401
    with db.begin() as session:
        renewed = session.get(User, ann.id)
    assert me(api, token(renewed)).status_code == 200


def test_another_key_ends_all_sessions(api, deps, ann):
    sent = signed_in(deps, ann)
    other = deps.settings.model_validate(
        {
            "DATABASE_URL": deps.settings.database_url.get_secret_value(),
            "PEGASUS_INTERNAL_SECRET": "x" * 32,
            "SECRET_KEY": "changed-" + SECRET_KEY,
        }
    )
    api.application.extensions["deps"] = with_settings(
        deps, secret_key=other.secret_key
    )
    assert api.get("/v2/users/me", headers=sent).status_code == 401


def test_an_expired_session_does_not_become_nobody(api, ann, db):
    """Else what a person adds would be everybody's, and the own lectures be gone."""
    factories.lecture(db)
    expired = bearer(token(ann, exp=NOW - 60))
    assert api.get("/lectures/l1", headers=expired).status_code == 401
    assert api.post("/courses", json={"title": "T"}, headers=expired).status_code == 401


def test_who_is_known_costs_one_statement_more(api, db, ann, statements):
    factories.lecture(db)
    costs = []
    nobody: dict[str, str] = {}
    for headers in (nobody, bearer(token(ann))):
        statements.clear()
        assert api.get("/lectures", headers=headers).status_code == 200
        costs.append(len(statements))
    assert costs == [2, 3]


def test_no_token_is_written_down(api, ann, caplog):
    caplog.set_level(0)
    good, bad = token(ann), token(ann, exp=1)
    for sent in (good, bad):
        assert sent not in me(api, sent).text
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "request.complete" in logged
    assert all(part not in logged for one in (good, bad) for part in one.split(".")[1:])


# Guests, and helpers


def talks(api, headers):
    return api.get("/v2/conversations", headers=headers)


@pytest.mark.parametrize("sent", ["", "1", "x" * 15, "x" * 201, "a b" * 8, "é" * 20])
def test_a_guest_s_id_cannot_be_short(api, sent):
    reply = talks(api, {"X-Guest-Session-ID": sent})
    assert reply.status_code == 401
    assert reply.json["error"]["message"] == "Missing Auth or Guest ID"


def test_a_guest_is_known_by_the_hash_of_the_id(api):
    [sent] = guest().values()
    with api.application.test_request_context(headers=guest(), path="/v2/x"):
        found = auth._viewer()  # noqa: SLF001
    assert (found.user_id, found.guest) == (None, sessions.digest(sent))
    assert sent not in repr(found)


def test_who_has_logged_in_is_no_guest(api, deps, ann):
    headers = signed_in(deps, ann) | guest()
    with api.application.test_request_context(headers=headers, path="/v2/x"):
        found = auth._viewer()  # noqa: SLF001
    assert (found.user_id, found.guest) == (ann.id, None)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "Missing Auth or Guest ID"),
        (bearer("wiz_" + "x" * 43), "Missing Auth or Guest ID"),
        (bearer("wiz_" + "x" * 43) | guest(), LONG_TERM),
        (bearer("junk") | guest(), INVALID),
    ],
)
def test_neither_a_person_nor_a_guest(api, headers, text):
    reply = talks(api, headers)
    assert (reply.status_code, reply.json["error"]["message"]) == (401, text)


def tasks(api, headers):
    path = "/v2/internal/tasks?type=wrong"  # so that a helper who is let in waits not
    return api.get(path, headers=headers)


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({}, 401, MISSING),
        ({"Authorization": "Basic x"}, 401, MISSING),
        (bearer("wrong"), 403, "Invalid admin token"),
        (bearer(ADMIN_TOKEN[:-1]), 403, "Invalid admin token"),
        (bearer(ADMIN_TOKEN.upper()), 403, "Invalid admin token"),
    ],
)
def test_only_helpers_of_the_operator_get_in(api, headers, status, text):
    reply = tasks(api, headers)
    assert (reply.status_code, reply.json["error"]["message"]) == (status, text)


def test_two_admin_tokens_let_in_while_helpers_change_over(api, deps):
    both = with_settings(
        deps,
        admin_token=None,
        internal_admin_token=SecretStr("new-" + "n" * 30),
        old_admin_token=SecretStr(ADMIN_TOKEN),
    )
    api.application.extensions["deps"] = both
    for token_ in (ADMIN_TOKEN, "new-" + "n" * 30):
        assert tasks(api, bearer(token_)).status_code == 400
    alone = with_settings(both, internal_admin_token=None)
    api.application.extensions["deps"] = alone
    assert tasks(api, bearer(ADMIN_TOKEN)).status_code == 500


def test_the_comparison_of_an_admin_token_takes_the_same_time_whatever_was_sent(
    api, monkeypatch
):
    compared = []
    original = hmac.compare_digest

    def compare(*two):
        compared.append({len(one) for one in two})
        return original(*two)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for sent in ("x", "x" * 1000, ADMIN_TOKEN):
        tasks(api, bearer(sent))
    assert compared == [{32}] * 3
