"""People register and log in, as the contract says in 2.1."""

import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import func, select

from api_service.people import passwords
from common.models import RateWindow, User
from tests.api.guards import bearer, with_settings
from tests.api.people import person, signed_in
from tests.api.test_parallel import together
from tests.conftest import SECRET_KEY, make_api

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
REAL = passwords.HASHER
PASSWORD = "correct horse"
EMAIL = "ann@example.com"
ANN = {"email": EMAIL, "password": PASSWORD, "name": "Ann Bee"}


@pytest.fixture(autouse=True)
def _hashing_is_cheap(monkeypatch):
    monkeypatch.setattr(passwords, "HASHER", CHEAP)


def known(db, **fields):
    return person(db, EMAIL, password_hash=CHEAP.hash(PASSWORD), **fields)


def register(api, **fields):
    return api.post("/v2/auth/register", json=ANN | fields)


def login(api, email=EMAIL, password=PASSWORD, **how):
    sent = {"email": email, "password": password}
    return api.post("/v2/auth/login", json=sent, **how)


def users(db):
    with db.begin() as session:
        return session.scalars(select(User).order_by(User.id)).all()


def details(reply):
    """Return the problems that a refusal tells, by field."""
    assert reply.status_code == 422, reply.text
    error = reply.json["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["message"] == "Request validation failed"
    return {one["field"]: (one["message"], one["type"]) for one in error["details"]}


def test_who_has_registered_may_log_in(api, db):
    reply = register(api)
    assert (reply.status_code, reply.text) == (
        201,
        '{"message":"User created successfully"}\n',
    )
    reply = login(api)
    assert (reply.status_code, set(reply.json)) == (200, {"token"})
    me = api.get("/v2/users/me", headers=bearer(reply.json["token"]))
    assert me.json["email"] == EMAIL
    [user] = users(db)
    assert PASSWORD not in user.password_hash
    assert not user.ai_notes_enabled


def test_a_session_holds_what_browsers_read(api, db, settings):
    user = known(db, picture_url="https://pictures.example/ann")
    before = datetime.now(UTC).replace(microsecond=0)
    token = login(api).json["token"]
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, SECRET_KEY, algorithms=["HS256"])
    begun = datetime.fromtimestamp(claims.pop("iat"), UTC)
    assert begun >= before
    assert claims.pop("exp") == (begun + timedelta(hours=24)).timestamp()
    assert claims == {
        "user_id": user.id,
        "email": EMAIL,
        "name": "Ann Bee",
        "profile_image_url": "https://pictures.example/ann",
        "version": 0,
    }


def test_a_session_lasts_as_long_as_the_operator_says(api, deps, db):
    known(db)
    api.application.extensions["deps"] = with_settings(deps, jwt_expiry_hours=1)
    claims = jwt.decode(login(api).json["token"], SECRET_KEY, algorithms=["HS256"])
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (" Ann@Example.COM ", "ann@example.com"),
        ("Ann Bee <ann@example.com>", "ann@example.com"),
        ('"Bee, Ann" <ann@example.com>', "ann@example.com"),
        ("a.b+c_d'e@sub.example.co.uk", "a.b+c_d'e@sub.example.co.uk"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_stored_in_one_spelling(api, db, sent, stored):
    assert register(api, email=sent).status_code == 201
    assert [user.email for user in users(db)] == [stored]
    assert login(api, email=sent.upper()).status_code == 200


@pytest.mark.parametrize(
    "email",
    [
        *("ann", "", " ", "@", "ann@", "@example.com", "a@b@example.com"),
        *("ann@example", "ann@.com", "ann@example..com", "ann@-example.com"),
        *("ann@example.test", "ann@printer.local", "ann@localhost", "ann@a.invalid"),
        *(".ann@example.com", "ann.@example.com", "a..b@example.com"),
        *(
            "a b@example.com",
            "ann@exa mple.com",
            "ann\n@example.com",
            "ännä@example.com",
        ),
        *("ann@example.com\nbcc:x@example.com", "ann@exämple.com", "ann@1.2.3.4"),
        *("a" * 65 + "@example.com", "a@" + "b" * 250 + ".com", "<>", "Ann <>"),
    ],
)
def test_what_mail_cannot_reach_is_no_address(api, db, email):
    [(message, kind)] = details(register(api, email=email)).values()
    assert message.startswith("value is not a valid email address: ")
    assert kind == "value_error"
    assert users(db) == []
    assert "body.email" in details(login(api, email=email))


def test_everything_that_is_wrong_is_told_at_once(api, db):
    found = details(register(api, email="ann", password="short", name="A"))
    assert found == {
        "body.email": (
            "value is not a valid email address: An email address must have an @-sign.",
            "value_error",
        ),
        "body.password": (
            "String should have at least 7 characters",
            "string_too_short",
        ),
        "body.name": ("String should have at least 2 characters", "string_too_short"),
    }
    assert users(db) == []


NO_TEXT = ("Input should be a valid string", "string_type")


@pytest.mark.parametrize(
    ("sent", "field", "message", "kind"),
    [
        ({}, "email", "Field required", "missing"),
        ({"email": 1}, "email", *NO_TEXT),
        (ANN | {"password": None}, "password", *NO_TEXT),
        (ANN | {"password": 12345678}, "password", *NO_TEXT),
        (
            ANN | {"password": "x" * 1001},
            "password",
            "String should have at most 1000 characters",
            "string_too_long",
        ),
        (
            ANN | {"name": "x" * 101},
            "name",
            "String should have at most 100 characters",
            "string_too_long",
        ),
        (
            ANN | {"name": "   "},
            "name",
            "Value error, name cannot be empty",
            "value_error",
        ),
        (ANN | {"name": "A\0B"}, "name", "Input should be without NUL", "string_nul"),
    ],
)
def test_each_problem_is_named(api, db, sent, field, message, kind):
    found = details(api.post("/v2/auth/register", json=sent))
    assert found[f"body.{field}"] == (message, kind)
    assert users(db) == []


def test_a_lone_surrogate_is_no_text(api, db):
    raw = b'{"email":"ann@example.com","password":"1234567","name":"A\\ud800B"}'
    assert api.post("/v2/auth/register", data=raw).status_code == 422
    raw = b'{"email":"ann@example.com","password":"1234567\\ud800","name":"Ann"}'
    assert api.post("/v2/auth/register", data=raw).status_code == 422
    assert users(db) == []


def test_a_name_is_counted_before_it_is_trimmed(api, db):
    assert register(api, name="a ").status_code == 201
    assert users(db)[0].name == "a"


def test_keys_that_nobody_knows_are_ignored(api, db):
    forged = {"id": 7, "token_version": 9, "ai_notes_enabled": True, "is_admin": True}
    assert register(api, **forged).status_code == 201
    [user] = users(db)
    assert (user.token_version, user.ai_notes_enabled) == (0, False)


def test_an_address_is_registered_once(api, db):
    known(db)
    reply = register(api, email="ANN@example.com", password="another one")
    assert reply.status_code == 409
    assert reply.json["error"] == {
        "code": "CONFLICT",
        "message": "Email already exists",
        "details": None,
    }
    assert login(api).status_code == 200
    assert login(api, password="another one").status_code == 401


def test_of_parallel_registrations_one_succeeds(committed_deps, committed_db):
    app = make_api(with_settings(committed_deps, login_rate_limit=100)).application
    replies = together(lambda _: register(app.test_client()))
    statuses = sorted(reply.status_code for reply in replies)
    assert statuses == [201] + [409] * (len(replies) - 1)
    assert len(users(committed_db)) == 1


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("nobody@example.com", PASSWORD),
        (EMAIL, "wrong"),
        (EMAIL, PASSWORD + " "),
        (EMAIL, PASSWORD.upper()),
        ("google@example.com", PASSWORD),
        ("google@example.com", "None"),
    ],
)
def test_who_errs_is_not_told_in_what(api, db, email, password):
    known(db)
    person(db, "google@example.com", google_subject="1")
    reply = login(api, email=email, password=password)
    assert reply.status_code == 401
    assert reply.json["error"]["message"] == "Invalid email or password"
    assert "token" not in reply.json


def test_an_unknown_address_costs_as_much_as_a_known_one(api, db, monkeypatch):
    known(db)
    person(db, "google@example.com", google_subject="1")
    done = []

    class Counting(PasswordHasher):
        def verify(self, hash, password):  # noqa: A002 - the library's
            done.append(extract_parameters(hash))
            return super().verify(hash, password)

    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", hasher)
    for email in (EMAIL, "nobody@example.com", "google@example.com"):
        login(api, email=email, password="wrong")
    assert len(done) == 3
    assert done[0] == done[1] == done[2]


def test_what_was_kept_at_another_cost_is_kept_anew_at_the_next_login(api, db):
    old = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
    person(db, EMAIL, password_hash=old)
    assert login(api, password="wrong").status_code == 401
    assert users(db)[0].password_hash == old
    assert login(api).status_code == 200
    new = users(db)[0].password_hash
    assert extract_parameters(new).memory_cost == 8
    assert login(api).status_code == 200
    assert users(db)[0].password_hash == new


def test_without_a_secret_key_nobody_gets_in(api, deps, db):
    known(db)
    headers = signed_in(deps, known_user := users(db)[0])
    assert known_user.email == EMAIL
    api.application.extensions["deps"] = with_settings(deps, secret_key=None)
    for reply in (login(api), api.get("/v2/users/me", headers=headers)):
        assert reply.status_code == 500
        assert reply.json["error"]["message"] == "SECRET_KEY is not configured"


@pytest.mark.parametrize("path", ["login", "register"])
def test_one_account_is_tried_a_few_times_only(api, deps, db, path):
    api.application.extensions["deps"] = with_settings(
        deps, login_rate_limit=2, trusted_proxy_hops=1
    )
    known(db)

    def attempt(number, email=EMAIL):
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}  # each from elsewhere
        sent = ANN | {"email": email, "password": "wrong password"}
        return api.post(f"/v2/auth/{path}", json=sent, headers=headers)

    refused = 409 if path == "register" else 401
    assert [attempt(n).status_code for n in range(4)] == [refused, refused, 429, 429]
    reply = attempt(9)
    assert reply.json["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    wait = reply.json["error"]["details"]["reset_in_seconds"]
    assert 290 <= wait <= 300
    assert reply.headers["Retry-After"] == str(wait)
    assert attempt(9, " ANN@example.com").status_code == 429  # the same account
    assert attempt(9, "bob@example.com").status_code in (201, 401)


def test_one_address_tries_many_accounts_a_few_times_only(api, deps):
    api.application.extensions["deps"] = with_settings(deps, login_rate_limit=1)
    statuses = [
        login(
            api,
            email=f"p{n}@example.com",
            headers={"X-Forwarded-For": f"192.0.2.{n}"},  # made up: there is no proxy
        ).status_code
        for n in range(5)
    ]
    assert statuses == [401, 401, 401, 429, 429]


def test_a_refused_try_derives_nothing(api, deps, monkeypatch):
    api.application.extensions["deps"] = with_settings(deps, login_rate_limit=1)
    assert login(api).status_code == 401

    monkeypatch.setattr(passwords, "HASHER", None)
    assert login(api).status_code == 429
    register_ = api.post("/v2/auth/register", json=ANN | {"email": "bob"})
    assert register_.status_code == 422


def test_no_address_is_kept_with_the_counts(api, db):
    login(api)
    with db.begin() as session:
        keys = session.scalars(select(RateWindow.key)).all()
    assert len(keys) == 2
    assert not any("ann" in key for key in keys)


def test_the_cost_is_what_the_guidance_asks_for():
    kept = REAL.hash(PASSWORD)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert CHEAP.hash(PASSWORD) != CHEAP.hash(PASSWORD)


def test_only_the_password_itself_matches():
    kept = passwords.derive(PASSWORD)
    assert passwords.matches(PASSWORD, kept)
    assert not passwords.matches(PASSWORD + "x", kept)


def test_no_password_matches_where_there_is_none(monkeypatch):
    class Agreeing(PasswordHasher):
        def verify(self, hash, password):  # noqa: A002 - the library's
            return True

    monkeypatch.setattr(passwords, "HASHER", Agreeing(1, 8, 1))
    assert passwords.matches("anything", CHEAP.hash("something"))  # even then
    assert not passwords.matches("anything", None)


def test_only_a_few_passwords_are_looked_at_at_once(monkeypatch):
    at_once, most = [], []

    class Slow(PasswordHasher):
        def hash(self, password, *, salt=None):
            at_once.append(1)
            most.append(len(at_once))
            time.sleep(0.005)
            at_once.pop()
            return ""

    monkeypatch.setattr(passwords, "HASHER", Slow())
    together(lambda _: passwords.derive("x"), times=16)
    assert len(most) == 16
    assert max(most) <= 4


def test_registering_needs_the_same_statements_however_many_there_are(
    api, db, statements
):
    for n in range(3):
        person(db, f"p{n}@example.com")
    statements.clear()
    register(api)
    assert len(statements) == 3, statements  # two counts and the row
    statements.clear()
    login(api)
    assert len(statements) == 3, statements
    with db.begin() as session:
        assert session.scalar(select(func.count(User.id))) == 4
