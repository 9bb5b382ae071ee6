"""No token opens a door that is not its own: over every route, in both kinds."""

import http.client
import logging
import time
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from pydantic import SecretStr
from sqlalchemy.orm import sessionmaker

import worker_service.app
from common.ids import new_id
from common.providers import identity, internal_calls
from common.providers.identity import EVENTS, QUEUE, SCHEDULER
from common.settings import Settings
from tests.common.job_steps import add, job
from tests.conftest import SECRET, make_deps, make_heart
from tests.loopback import google_project
from tests.loopback.certificates import new_key
from tests.loopback.google_project import known_to
from tests.loopback.google_signer import GoogleSigner
from tests.loopback.served_worker import served
from tests.worker.bad_tokens import GOOGLE, STRANGERS, forgeries
from tests.worker.forge import Forge, hs256, rs256
from worker_service.events import EVENTS as EVENT_NAMES

BAD = forgeries()
KINDS = ("secret", "google")
CALLERS = {
    "secret": {
        QUEUE: internal_calls.QUEUE,
        SCHEDULER: internal_calls.SCHEDULER,
        EVENTS: internal_calls.EVENTS,
    },
    "google": {
        QUEUE: google_project.TASKS,
        SCHEDULER: google_project.SCHEDULER,
        EVENTS: google_project.EVENTS,
    },
}
FOR = {"tasks": QUEUE, "schedules": SCHEDULER, "events": EVENTS}
HUNG_SECONDS = 20  # for all routes together; a slow machine needs two


@pytest.fixture(scope="module")
def signer():
    with GoogleSigner() as signer:
        yield signer


@pytest.fixture(scope="module")
def stranger():
    return new_key()


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def checked(kind, database_url, signer, tmp_path_factory):
    """The settings of a worker that checks tokens of one kind."""
    settings = Settings(
        DATABASE_URL=database_url,
        PEGASUS_INTERNAL_SECRET=SECRET,
        PLC_STORAGE_DIR=tmp_path_factory.mktemp("storage"),
    )
    return settings if kind == "secret" else known_to(signer, settings)


@pytest.fixture(scope="module")
def closed(checked, engine):
    """A worker for those who do not get in: one is enough for all of them."""
    deps = make_deps(sessionmaker(engine), checked, None, None, None)
    return worker_service.app.create_app(deps, make_heart(deps))


@pytest.fixture
def guarded(checked, deps):
    checks = identity.from_settings(checked)
    return replace(deps, settings=checked, identity=checks)


@pytest.fixture
def app(guarded, heart):
    """A worker for those who do."""
    return worker_service.app.create_app(guarded, heart)


@pytest.fixture
def forge(kind, checked, signer, stranger):
    made = secret_forge if kind == "secret" else google_forge
    return made(checked, signer, stranger)


def secret_forge(settings, signer, stranger):
    now = int(time.time())
    claims = {
        "iss": internal_calls.ISSUER,
        "aud": settings.worker_url,
        "email": internal_calls.QUEUE,
        "email_verified": True,
    }
    return Forge(
        header={"alg": "HS256", "typ": "JWT"},
        claims=claims | {"iat": now, "exp": now + 300},
        signature=hs256(SECRET.encode()),
        public=signer.public_pem,
        certificate=signer.certificates(),
        stranger=hs256(b"another secret of many characters"),
        key=stranger,
        other=("HS512", hs512),
    )


def hs512(content):
    mac = hmac.HMAC(SECRET.encode(), hashes.SHA512())
    mac.update(content)
    return mac.finalize()


def google_forge(settings, signer, stranger):
    email = settings.tasks_service_account
    return Forge(
        header={"alg": "RS256", "typ": "JWT", "kid": signer.key_id},
        claims=signer.claims(email=email, audience=settings.worker_url),
        signature=rs256(signer.key),
        public=signer.public_pem,
        certificate=signer.certificates(),
        stranger=rs256(stranger),
        key=stranger,
        other=("RS512", rs256(signer.key, hashes.SHA512())),
    )


def paths(app, job_id):
    """Return the address of every route that changes anything, from the routes."""
    found = []
    for rule in app.url_map.iter_rules():
        if "POST" in rule.methods:
            path = rule.rule.replace("<uuid:job_id>", str(job_id))
            found += [path.replace("<name>", name) for name in [*EVENT_NAMES, "x"]]
    return sorted(set(found))


def knock(app, path, header):
    """POST what would be done at once if the door were open; return the status."""
    body = {"seq": 1} if path.startswith("/tasks") else {}
    headers = {} if header is None else {"Authorization": header}
    return app.test_client().post(path, json=body, headers=headers).status_code


def refused(app, statements, header):
    """Return the answers of all routes, which must touch nothing and hang nowhere."""
    began = time.monotonic()

    answers = {path: knock(app, path, header) for path in paths(app, new_id())}

    assert time.monotonic() - began < HUNG_SECONDS
    assert statements == []
    return set(answers.values())


@pytest.mark.parametrize("wrong", BAD)
def test_a_bad_token_opens_no_door(closed, statements, forge, wrong):
    answers = refused(closed, statements, BAD[wrong](forge))

    assert answers in ([{401}, {403}] if wrong in STRANGERS else [{401}])


@pytest.mark.parametrize("kind", ["google"], indirect=True)
@pytest.mark.parametrize("wrong", GOOGLE)
def test_nor_does_one_that_google_would_not_make(closed, statements, forge, wrong):
    assert refused(closed, statements, f"Bearer {GOOGLE[wrong](forge)}") == {401}


def test_nor_does_none(closed, statements):
    assert refused(closed, statements, None) == {401}


def test_nor_does_a_good_one_of_the_other_kind(closed, statements, signer, kind):
    if kind == "google":
        token = internal_calls.sign(
            SecretStr(SECRET),
            audience=google_project.WORKER_URL,
            caller=internal_calls.QUEUE,
        )
    else:
        audience = "http://127.0.0.1:8081"
        token = signer.token(email=google_project.TASKS, audience=audience)

    assert refused(closed, statements, f"Bearer {token}") == {401}


def test_there_are_enough_of_them():
    assert len(BAD) >= 100


@pytest.mark.parametrize("role", [QUEUE, SCHEDULER, EVENTS])
def test_a_good_token_opens_its_own_doors_only(app, db, statements, kind, forge, role):
    header = f"Bearer {forge.good(email=CALLERS[kind][role])}"
    job_id = add(db)
    statements.clear()

    for path in paths(app, job_id):
        status = knock(app, path, header)
        mine = FOR[path.split("/")[1]] == role
        assert (status not in (401, 403)) if mine else (status == 403), path

    assert bool(statements) == (role != EVENTS)  # what was sent is no event
    assert job(db, job_id).lease_epoch == (1 if role == QUEUE else 0)


def test_a_refusal_is_told_in_the_log_without_the_token(app, caplog, forge):
    token = forge.good(aud="https://another.example")

    with caplog.at_level(logging.WARNING, "worker_service.auth"):
        knock(app, "/schedules/sweep", f"Bearer {token}")

    [record] = [r for r in caplog.records if r.name == "worker_service.auth"]
    assert record.getMessage() == "caller.refused"
    assert record.detail
    assert not any(part in str(vars(record)) for part in token.split("."))


# Over a real port, where headers are bytes

RAW = {
    "twice the same": lambda t: [t, t],
    "a bad one first": lambda t: [b"Bearer a.b.c", t],
    "a bad one last": lambda t: [t, b"Bearer a.b.c"],
    "bytes that are no text": lambda _: [b"Bearer \xff\xfe.\x80.\x81"],
    "UTF-8": lambda t: [t.replace(b".", "\u2024".encode())],
    "long": lambda t: [t + b"a" * 30_000],
}


@pytest.mark.parametrize("wrong", RAW)
def test_nor_do_headers_that_no_client_would_send(app, guarded, forge, wrong):
    good = f"Bearer {forge.good(email=CALLERS_OF_SWEEP[forge.header['alg']])}"
    with served(app, guarded) as worker:
        assert ask(worker.url, [good.encode()]) == 200

        assert ask(worker.url, RAW[wrong](good.encode())) == 401


CALLERS_OF_SWEEP = {
    "HS256": internal_calls.SCHEDULER,
    "RS256": google_project.SCHEDULER,
}


def ask(url, values):
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    connection.putrequest("POST", "/schedules/retention")
    for value in values:
        connection.putheader("Authorization", value)
    connection.putheader("Content-Length", "16")
    connection.endheaders(b'{"dry_run":true}')
    with connection.getresponse() as reply:
        status = reply.status
    connection.close()
    return status


@pytest.mark.parametrize("kind", ["google"], indirect=True)
def test_nobody_is_refused_while_google_s_keys_cannot_be_had(app, db, signer, forge):
    job_id = add(db)
    headers = {"Authorization": f"Bearer {forge.good()}"}
    signer.down = True
    try:
        reply = app.test_client().post(
            f"/tasks/{job_id}", json={"seq": 1}, headers=headers
        )
    finally:
        signer.down = False

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
    assert job(db, job_id).lease_epoch == 0
