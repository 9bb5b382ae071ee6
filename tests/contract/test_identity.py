"""What the worker may expect of any proof of who rings."""

import json
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from common.errors import ProviderUnavailable
from common.providers import identity, internal_calls
from common.providers.identity import BadToken, Stranger, google_certificates
from common.providers.identity.google import GoogleIdentity
from common.providers.identity.secret import SharedSecret
from common.settings import InvalidEnvironment, load
from tests.conftest import SECRET
from tests.loopback.certificates import Authority
from tests.loopback.google_project import EVENTS, SCHEDULER, TASKS, WORKER_URL, known_to
from tests.loopback.google_signer import GoogleSigner

ROLES = [identity.QUEUE, identity.SCHEDULER, identity.EVENTS]
GOOGLE = dict(zip(ROLES, (TASKS, SCHEDULER, EVENTS), strict=True))
OURS = dict(
    zip(
        ROLES,
        (internal_calls.QUEUE, internal_calls.SCHEDULER, internal_calls.EVENTS),
        strict=True,
    )
)


@pytest.fixture(scope="module")
def module_signer():
    with GoogleSigner() as signer:
        yield signer


@pytest.fixture
def signer(module_signer):
    yield module_signer
    module_signer.down = False


@pytest.fixture
def google(signer, settings):
    return GoogleIdentity.from_settings(known_to(signer, settings))


@pytest.fixture(params=["secret", "google"])
def proof(request, signer, google):
    """An identity, and what signs tokens for a role or an e-mail."""
    if request.param == "google":
        return google, lambda who, audience=WORKER_URL, **claims: signer.token(
            email=GOOGLE.get(who, who), audience=audience, **claims
        )
    return SharedSecret(SecretStr(SECRET), audience=WORKER_URL), signed


def signed(who, audience=WORKER_URL, **claims):
    now = int(time.time())
    said = {"iss": internal_calls.ISSUER, "aud": audience, "email": OURS.get(who, who)}
    said |= {"email_verified": True, "iat": now, "exp": now + 300} | claims
    kept = {name: value for name, value in said.items() if value is not None}
    return jwt.encode(kept, SECRET, "HS256")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_known_by_its_account(proof, role):
    check, token = proof

    assert check.caller(token(role)) == role


@pytest.mark.parametrize("who", ["somebody@example.org", "", "TASKS@loopback", " "])
def test_a_good_token_of_somebody_else_is_a_stranger_s(proof, who):
    check, token = proof

    with pytest.raises(Stranger):
        check.caller(token(who))


@pytest.mark.parametrize("seconds", [-25, 25])
def test_clocks_may_differ_by_half_a_minute(proof, seconds):
    check, token = proof
    now = int(time.time())
    begin, end = (
        (now + seconds, now + 300) if seconds > 0 else (now - 60, now + seconds)
    )

    assert check.caller(token(identity.QUEUE, iat=begin, exp=end)) == identity.QUEUE


@pytest.mark.parametrize("audience", [f"{WORKER_URL}/tasks/1", "", [WORKER_URL], 1])
def test_a_token_is_for_this_audience_alone(proof, audience):
    check, token = proof

    with pytest.raises(BadToken):
        check.caller(token(identity.QUEUE, aud=audience))


def test_google_is_also_known_by_its_short_name(signer, google):
    token = signer.token(email=TASKS, audience=WORKER_URL, iss="accounts.google.com")

    assert google.caller(token) == identity.QUEUE


def test_the_audience_may_be_a_name_of_its_own(signer, settings):
    named = known_to(signer, settings, worker_audience="pegasus-worker")
    token = signer.token(email=TASKS, audience="pegasus-worker")

    assert GoogleIdentity.from_settings(named).caller(token) == identity.QUEUE


# Google's certificates


@pytest.fixture
def fetches(signer):
    """How often they were fetched since."""
    before = signer.fetches
    return lambda: signer.fetches - before


@pytest.fixture
def good(signer):
    return signer.token(email=TASKS, audience=WORKER_URL)


def test_they_are_fetched_once(google, fetches, good):
    for _ in range(5):
        google.caller(good)

    assert fetches() == 1


def test_they_are_fetched_once_for_many_callers_at_once(google, fetches, good):
    callers = [threading.Thread(target=google.caller, args=(good,)) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert fetches() == 1


def test_nothing_is_fetched_before_the_first_token(google, fetches):
    assert fetches() == 0


def test_forged_key_ids_fetch_nothing(signer, google, fetches, good):
    google.caller(good)

    for number in range(20):
        token = signer.token(
            email=TASKS, audience=WORKER_URL, headers={"kid": f"forged-{number}"}
        )
        with pytest.raises(BadToken, match="unknown key"):
            google.caller(token)

    assert fetches() == 1


def test_a_new_key_is_found_after_a_while(signer, google, good, monkeypatch):
    google.caller(good)
    signer.rotate("new")
    monkeypatch.setattr(google_certificates, "_PAUSE_SECONDS", 0)

    new = signer.token(email=TASKS, audience=WORKER_URL)

    assert google.caller(new) == identity.QUEUE


def test_they_are_fetched_anew_when_they_are_old(google, fetches, good, monkeypatch):
    google.caller(good)
    monkeypatch.setattr(google_certificates, "_FRESH_SECONDS", 0)
    monkeypatch.setattr(google_certificates, "_PAUSE_SECONDS", 0)

    google.caller(good)

    assert fetches() == 2


def test_old_ones_are_good_while_there_are_no_new_ones(
    signer, google, good, monkeypatch
):
    google.caller(good)
    signer.down = True
    monkeypatch.setattr(google_certificates, "_FRESH_SECONDS", 0)
    monkeypatch.setattr(google_certificates, "_PAUSE_SECONDS", 0)

    assert google.caller(good) == identity.QUEUE


def test_very_old_ones_are_not(signer, google, good, monkeypatch):
    google.caller(good)
    signer.down = True
    for name in ("_FRESH_SECONDS", "_USABLE_SECONDS", "_PAUSE_SECONDS"):
        monkeypatch.setattr(google_certificates, name, 0)

    with pytest.raises(ProviderUnavailable):
        google.caller(good)


def test_nobody_is_called_a_liar_while_they_cannot_be_had(signer, google, good):
    signer.down = True

    with pytest.raises(ProviderUnavailable):
        google.caller(good)


def test_they_are_asked_for_again_when_they_could_not_be_had(
    signer, google, good, fetches, monkeypatch
):
    signer.down = True
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            google.caller(good)
    assert fetches() == 1
    signer.down = False
    monkeypatch.setattr(google_certificates, "_RETRY_SECONDS", 0)

    assert google.caller(good) == identity.QUEUE


@pytest.mark.parametrize(
    "page", [b"", b"[]", b"{", b'{"KID": 1}', b'{"KID": "no PEM"}']
)
def test_a_page_that_makes_no_sense_lets_nobody_in(
    signer, google, good, monkeypatch, page
):
    served = page.replace(b"KID", signer.key_id.encode())
    monkeypatch.setattr(signer, "certificates", lambda: served)

    with pytest.raises((BadToken, ProviderUnavailable)):
        google.caller(good)


def test_no_key_may_be_of_another_kind(signer, google, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _serial, pem = Authority("x").issue("x", public.decode(), seconds=60)
    page = json.dumps({"elliptic": pem}).encode()
    monkeypatch.setattr(signer, "certificates", lambda: page)
    claims = signer.claims(email=TASKS, audience=WORKER_URL)

    with pytest.raises(BadToken, match="another algorithm"):
        google.caller(jwt.encode(claims, key, "ES256", headers={"kid": "elliptic"}))


def test_a_page_that_cannot_be_reached_is_an_outage(settings, signer, good):
    away = known_to(signer, settings, oidc_certs_url="http://127.0.0.1:1/certs")

    with pytest.raises(ProviderUnavailable):
        GoogleIdentity.from_settings(away).caller(good)


# Settings


@pytest.mark.parametrize("twice", ["SCHEDULER", "EVENTS"])
def test_no_account_has_two_roles(monkeypatch, twice):
    accounts = {"TASKS": TASKS, "SCHEDULER": SCHEDULER, "EVENTS": EVENTS, twice: TASKS}
    for role, account in accounts.items():
        monkeypatch.setenv(f"PEGASUS_{role}_SERVICE_ACCOUNT", account)
    monkeypatch.setenv("DATABASE_URL", "postgresql://x/y")
    monkeypatch.setenv("PEGASUS_IDENTITY", "google")

    with pytest.raises(InvalidEnvironment, match=f"{twice}_SERVICE_ACCOUNT must not"):
        load("worker")


def test_the_settings_choose_the_identity(settings, signer):
    assert isinstance(identity.from_settings(settings), SharedSecret)
    on_google = known_to(signer, settings)
    assert isinstance(identity.from_settings(on_google), GoogleIdentity)
