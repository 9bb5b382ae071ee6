"""People sign in with Google: real tokens, checked with certificates of a server."""

import json
import time
from dataclasses import replace
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from common.models import User
from common.providers import identity
from common.providers.identity import google_certificates
from common.providers.identity.google_people import GooglePeople
from tests.api.guards import bearer, with_settings
from tests.api.people import person
from tests.api.test_parallel import together
from tests.conftest import make_api
from tests.loopback.google_signer import GoogleSigner

CLIENT_ID = "1234-abc.apps.googleusercontent.com"
SUBJECT = "108000000000000000001"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="module")
def google_server():
    with GoogleSigner() as signer:
        yield signer


@pytest.fixture
def google(google_server):
    yield google_server
    google_server.down = False


@pytest.fixture
def knowing(api, deps, google):
    """The API of a deployment that knows Google; its certificates are not there yet."""
    people = GooglePeople(CLIENT_ID, certs_url=google.certs_url)
    settings = with_settings(deps, login_rate_limit=1000).settings
    api.application.extensions["deps"] = replace(deps, people=people, settings=settings)
    return api


def credential(google, email="ann@example.com", **claims):
    said = {"sub": SUBJECT, "name": "Ann Bee", "picture": "https://p.example/a"}
    audience = claims.pop("audience", CLIENT_ID)
    return google.token(email=email, audience=audience, **said | claims)


def sign_in(api, token):
    return api.post("/v2/auth/google", json={"credential": token})


def users(db):
    with db.begin() as session:
        return session.scalars(select(User).order_by(User.id)).all()


def refused(reply):
    return reply.status_code, reply.json["error"]["message"]


def test_who_is_new_gets_an_account(knowing, db, google):
    reply = sign_in(knowing, credential(google))
    assert (reply.status_code, list(reply.json)) == (200, ["token"])
    [user] = users(db)
    assert (user.email, user.name, user.google_subject, user.password_hash) == (
        "ann@example.com",
        "Ann Bee",
        SUBJECT,
        None,
    )
    me = knowing.get("/v2/users/me", headers=bearer(reply.json["token"])).json
    assert (me["id"], me["profile_image_url"]) == (user.id, "https://p.example/a")


def test_who_comes_again_has_the_same_account(knowing, db, google):
    sign_in(knowing, credential(google))
    later = credential(
        google, "new@example.com", name="Another", picture="https://p.example/b"
    )
    assert sign_in(knowing, later).status_code == 200
    [user] = users(db)
    assert (user.email, user.name) == ("ann@example.com", "Ann Bee")
    assert user.picture_url == "https://p.example/b"
    assert sign_in(knowing, credential(google, picture=None)).status_code == 200
    assert users(db)[0].picture_url == "https://p.example/b"


def test_an_address_is_stored_in_one_spelling(knowing, db, google):
    sign_in(knowing, credential(google, "Ann@Example.COM", name=None))
    assert [(u.email, u.name) for u in users(db)] == [("ann@example.com", "ann")]


@pytest.mark.parametrize("verified", [True, False])
def test_nobody_takes_over_an_account_with_a_password(knowing, db, google, verified):
    kept = CHEAP.hash("correct horse")
    person(db, password_hash=kept, name="Ann", picture_url="https://p.example/own")
    reply = sign_in(knowing, credential(google, email_verified=verified))
    assert reply.status_code == (409 if verified else 401)
    assert "token" not in reply.json
    [user] = users(db)
    assert (user.password_hash, user.google_subject) == (kept, None)
    assert (user.name, user.picture_url) == ("Ann", "https://p.example/own")


def test_who_registers_first_gets_nothing_of_who_signs_in_later(knowing, db, google):
    """The one who owns the address is refused, rather than joined to a stranger."""
    kept = CHEAP.hash("the stranger's")
    person(db, password_hash=kept)
    assert sign_in(knowing, credential(google)).status_code == 409
    assert users(db)[0].google_subject is None


def test_who_registers_later_is_refused(knowing, db, google):
    sign_in(knowing, credential(google))
    sent = {"email": "ANN@example.com", "password": "x" * 9, "name": "Mallory"}
    assert knowing.post("/v2/auth/register", json=sent).status_code == 409
    assert users(db)[0].password_hash is None


def test_an_address_that_was_given_to_another_person_stays_the_first_one_s(
    knowing, db, google
):
    sign_in(knowing, credential(google))
    reply = sign_in(knowing, credential(google, sub="2"))
    assert reply.status_code == 409
    assert [user.google_subject for user in users(db)] == [SUBJECT]


BAD: dict[str, dict[str, Any]] = {
    "another audience": {"audience": "5678-def.apps.googleusercontent.com"},
    "no audience": {"aud": None},
    "our id and more": {"audience": CLIENT_ID + ".example"},
    "several audiences": {"aud": [CLIENT_ID, "other"]},
    "another issuer": {"iss": "https://accounts.example"},
    "nearly the issuer": {"iss": "https://accounts.google.com.example"},
    "no issuer": {"iss": None},
    "expired": {"exp": int(time.time()) - 60, "iat": int(time.time()) - 3600},
    "no end": {"exp": None},
    "begins later": {"iat": int(time.time()) + 3600},
    "an address that is not verified": {"email_verified": False},
    "an address that is verified in words": {"email_verified": "true"},
    "nothing on the address": {"email_verified": None},
    "no subject": {"sub": None},
    "a subject that is a number": {"sub": 7},
    "an empty subject": {"sub": ""},
    "an address that is none": {"email": "ann"},
    "an address of nobody": {"email": "ann@printer.local"},
}


@pytest.mark.parametrize("case", BAD)
def test_what_google_did_not_say_to_us_counts_for_nothing(knowing, db, google, case):
    reply = sign_in(knowing, credential(google, **BAD[case]))
    assert refused(reply) == (401, "Invalid Google credential")
    assert users(db) == []


def _forged(google):
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    claims = google.claims(email="ann@example.com", audience=CLIENT_ID)
    return key, claims


@pytest.mark.parametrize("how", ["its own key", "our public key", "no key", "junk"])
def test_what_google_did_not_sign_counts_for_nothing(knowing, db, google, how):
    key, claims = _forged(google)
    named = {"kid": google.key_id}
    token = {
        "its own key": lambda: jwt.encode(claims, key, "RS256", headers=named),
        "our public key": lambda: credential(google).rpartition(".")[0] + ".AAAA",
        "no key": lambda: jwt.encode(claims, "", "none", headers=named),
        "junk": lambda: "junk",
    }[how]()
    assert refused(sign_in(knowing, token)) == (401, "Invalid Google credential")
    assert users(db) == []


def test_who_tells_no_address_is_told_so(knowing, db, google):
    token = google.sign(_without_email(google))
    assert refused(sign_in(knowing, token)) == (
        400,
        "Email is required for Google Sign-In",
    )
    assert users(db) == []


def _without_email(google):
    claims = google.claims(email="", audience=CLIENT_ID)
    del claims["email"]
    return json.dumps(claims).encode()


@pytest.mark.parametrize("sent", [{}, {"credential": ""}, {"credential": 1}])
def test_a_credential_must_be_sent(knowing, sent):
    assert knowing.post("/v2/auth/google", json=sent).status_code == 422


def test_an_outage_of_google_is_none_of_the_person_s_fault(knowing, db, google):
    google.down = True
    reply = sign_in(knowing, credential(google))
    assert reply.status_code == 503
    assert reply.json["error"]["code"] == "PROVIDER_UNAVAILABLE"
    assert "Retry-After" in reply.headers
    assert users(db) == []


def test_a_server_that_does_not_answer_is_an_outage(api, deps, db, google):
    people = GooglePeople(CLIENT_ID, certs_url="http://127.0.0.1:9/certs")
    api.application.extensions["deps"] = replace(deps, people=people)
    assert sign_in(api, credential(google)).status_code == 503
    assert users(db) == []


def test_certificates_are_fetched_once(knowing, google):
    before = google.fetches
    for n in range(3):
        sign_in(knowing, credential(google, f"p{n}@example.com", sub=f"{n}"))
    assert google.fetches == before + 1
    google.down = True  # and keep while their server is away
    assert sign_in(knowing, credential(google)).status_code == 200


def test_a_new_key_is_found(knowing, google, monkeypatch):
    sign_in(knowing, credential(google))
    monkeypatch.setattr(google_certificates, "_PAUSE_SECONDS", 0)
    google.rotate("loopback-2")
    assert sign_in(knowing, credential(google)).status_code == 200


def test_of_parallel_sign_ins_one_makes_the_account(
    committed_deps, committed_db, google
):
    people = GooglePeople(CLIENT_ID, certs_url=google.certs_url)
    deps = replace(with_settings(committed_deps, login_rate_limit=100), people=people)
    app = make_api(deps).application
    token = credential(google)
    replies = together(lambda _: sign_in(app.test_client(), token))
    assert {reply.status_code for reply in replies} == {200}
    assert len(users(committed_db)) == 1


def test_without_a_client_id_nobody_signs_in(api, deps, google):
    assert deps.people is None
    assert refused(sign_in(api, credential(google))) == (
        500,
        "Google OAuth not configured",
    )


def test_the_settings_say_for_whom_tokens_must_be(settings, google):
    assert identity.people_from_settings(settings) is None
    named = settings.model_copy(
        update={"google_client_id": CLIENT_ID, "oidc_certs_url": google.certs_url}
    )
    people = identity.people_from_settings(named)
    assert people is not None
    found = people.person(credential(google))
    assert (found.subject, found.email) == (SUBJECT, "ann@example.com")


def test_a_name_that_a_database_cannot_hold_is_not_taken(knowing, db, google):
    token = credential(google, name="A\0B", picture="https://p.example/\0")
    assert sign_in(knowing, token).status_code == 200
    [user] = users(db)
    assert (user.name, user.picture_url) == ("ann", None)


def test_sign_ins_from_one_address_are_counted(knowing, deps, google):
    limited = with_settings(knowing.application.extensions["deps"], login_rate_limit=1)
    knowing.application.extensions["deps"] = limited
    statuses = [sign_in(knowing, "junk").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
