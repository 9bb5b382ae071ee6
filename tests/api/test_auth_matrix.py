"""Who is let in where: every route, with every token, under every configuration."""

import hmac
import io
import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from tests import factories
from tests.api.guards import (
    READ_TOKEN,
    WRITE_TOKEN,
    bearer,
    guarded,
    with_settings,
)
from tests.conftest import spoken_wav

BROKEN: Any = None  # a database that is a bug
OPEN, READ, WRITE = "open", "read", "write"
USER, NOTES, VIEWER, ADMIN = "user", "notes", "viewer", "admin"  # of the VidWiz API
IN = "let in"

# A new route gets a row: who may call it is decided here, not by default.
ROUTES = {
    ("GET", "/health"): OPEN,
    ("GET", "/health/live"): OPEN,
    ("GET", "/health/ready"): OPEN,
    ("GET", "/docs"): OPEN,
    ("GET", "/docs/assets/<path:name>"): OPEN,
    ("GET", "/openapi.json"): OPEN,
    ("GET", "/presets"): READ,
    ("GET", "/presets/<preset_id>"): READ,
    ("GET", "/courses"): READ,
    ("POST", "/courses"): WRITE,
    ("GET", "/courses/<course_id>"): READ,
    ("DELETE", "/courses/<course_id>"): WRITE,
    ("GET", "/courses/<course_id>/lectures"): READ,
    ("GET", "/courses/<course_id>/progress"): READ,
    ("GET", "/courses/<course_id>/threads"): READ,
    ("GET", "/threads/<thread_id>"): READ,
    ("GET", "/lectures"): READ,
    ("POST", "/lectures/ingest"): WRITE,
    ("GET", "/lectures/<lecture_id>"): READ,
    ("DELETE", "/lectures/<lecture_id>"): WRITE,
    ("GET", "/lectures/<lecture_id>/artifacts"): READ,
    ("POST", "/lectures/<lecture_id>/export"): WRITE,
    ("POST", "/lectures/<lecture_id>/generate"): WRITE,
    ("GET", "/lectures/<lecture_id>/events"): READ,
    ("GET", "/lectures/<lecture_id>/integrity"): READ,
    ("GET", "/lectures/<lecture_id>/jobs"): READ,
    ("GET", "/lectures/<lecture_id>/media"): READ,
    ("GET", "/lectures/<lecture_id>/progress"): READ,
    ("GET", "/lectures/<lecture_id>/summary"): READ,
    ("POST", "/lectures/<lecture_id>/transcribe"): WRITE,
    ("GET", "/lectures/<lecture_id>/transcript"): READ,
    ("GET", "/exports/<lecture_id>/<export_type>"): READ,
    ("POST", "/uploads"): WRITE,
    ("POST", "/upload/signed-url"): WRITE,
    ("GET", "/uploads/<uuid:upload_id>"): READ,
    ("DELETE", "/uploads/<uuid:upload_id>"): WRITE,
    ("POST", "/uploads/<uuid:upload_id>/complete"): WRITE,
    ("PUT", "/uploads/<uuid:upload_id>/content"): OPEN,  # its URL is the credential
    ("GET", "/jobs/<job_id>"): READ,
    ("POST", "/jobs/<job_id>/replay"): WRITE,
    ("GET", "/jobs/dead-letter"): READ,
    ("POST", "/jobs/dead-letter/replay"): WRITE,
    ("GET", "/ops/metrics"): READ,
    ("GET", "/ops/metrics/prometheus"): READ,
    ("GET", "/ops/deletion-audit"): WRITE,  # tells who deleted what
    ("POST", "/v2/auth/register"): OPEN,
    ("POST", "/v2/auth/login"): OPEN,
    ("POST", "/v2/auth/google"): OPEN,
    ("POST", "/v2/auth/tokens"): USER,
    ("DELETE", "/v2/auth/tokens"): USER,
    ("GET", "/v2/users/me"): USER,
    ("PATCH", "/v2/users/me"): USER,
    ("GET", "/v2/payments/products"): OPEN,
    ("POST", "/v2/guests"): OPEN,
    ("GET", "/v2/videos"): USER,
    ("GET", "/v2/videos/<path:video_id>"): USER,
    ("GET", "/v2/videos/<path:video_id>/stream"): VIEWER,
    ("GET", "/v2/videos/<path:video_id>/notes"): USER,
    ("POST", "/v2/videos/<path:video_id>/notes"): NOTES,
    ("PATCH", "/v2/notes/<note_id>"): USER,
    ("DELETE", "/v2/notes/<note_id>"): USER,
    ("GET", "/v2/conversations"): VIEWER,
    ("POST", "/v2/conversations"): VIEWER,
    ("GET", "/v2/conversations/<conversation_id>"): VIEWER,
    ("GET", "/v2/conversations/<conversation_id>/messages"): VIEWER,
    ("POST", "/v2/conversations/<conversation_id>/messages"): VIEWER,
    ("GET", "/v2/internal/tasks"): ADMIN,
    ("POST", "/v2/internal/tasks/<task_id>/result"): ADMIN,
    ("PATCH", "/v2/internal/notes/<note_id>"): ADMIN,
    ("GET", "/v2/internal/videos/<path:video_id>"): ADMIN,
    ("GET", "/v2/internal/videos/<path:video_id>/ai-notes"): ADMIN,
    ("POST", "/v2/internal/videos/<path:video_id>/metadata"): ADMIN,
    ("POST", "/v2/internal/videos/<path:video_id>/summary"): ADMIN,
    ("POST", "/v2/internal/videos/<path:video_id>/transcript"): ADMIN,
    ("POST", "/chat"): WRITE,
    ("GET", "/search"): READ,
}
# Video projects have no owners. Half of their clients ask under /api.
PROJECTS = {
    ("GET", "/info"): OPEN,
    ("GET", "/projects"): READ,
    ("GET", "/projects/<project_id>"): READ,
    ("GET", "/projects/<project_id>/jobs"): READ,
    ("POST", "/projects/<project_id>/jobs"): WRITE,
    ("GET", "/projects/<project_id>/jobs/<job_id>"): READ,
    ("POST", "/projects/<project_id>/jobs/<job_id>/cancel"): WRITE,
    ("GET", "/projects/<project_id>/jobs/<job_id>/events"): READ,
    ("GET", "/projects/<project_id>/storage/stats"): READ,
    ("DELETE", "/projects/<project_id>/storage"): WRITE,
    ("POST", "/projects/<project_id>/materials"): WRITE,
    ("GET", "/projects/<project_id>/exports"): READ,
    ("POST", "/projects/<project_id>/exports"): WRITE,
    ("GET", "/projects/<project_id>/exports/<job_id>"): READ,
    ("POST", "/projects/<project_id>/exports/<job_id>/cancel"): WRITE,
    ("POST", "/projects/<project_id>/exports/<job_id>/retry"): WRITE,
    ("GET", "/projects/<project_id>/videos"): READ,
    ("POST", "/projects/<project_id>/videos"): WRITE,
    ("GET", "/projects/<project_id>/videos/<asset_id>"): READ,
    ("DELETE", "/projects/<project_id>/videos/<asset_id>"): WRITE,
    ("GET", "/projects/<project_id>/videos/<asset_id>/ai/scenes"): READ,
    ("GET", "/projects/<project_id>/videos/<asset_id>/ai/transcript"): READ,
    ("GET", "/projects/<project_id>/videos/<asset_id>/media"): READ,
    ("GET", "/projects/<project_id>/videos/<asset_id>/subtitles"): READ,
    ("PUT", "/projects/<project_id>/videos/<asset_id>/subtitles"): WRITE,
    ("PATCH", "/projects/<project_id>/videos/<asset_id>/subtitles"): WRITE,
    ("GET", "/projects/<project_id>/videos/<asset_id>/subtitles/edits"): READ,
    ("POST", "/projects/<project_id>/videos/<asset_id>/subtitles/reversions"): WRITE,
    ("GET", "/projects/<project_id>/videos/<asset_id>/thumbnail"): READ,
    ("GET", "/storage/<path:relative_path>"): READ,
    ("GET", "/storage/stats"): READ,
}
ROUTES |= PROJECTS
ROUTES |= {(method, f"/api{rule}"): who for (method, rule), who in PROJECTS.items()}
ROUTES |= {("GET", "/api/health"): OPEN}

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "no tokens": {"write": None},
    "write": {},
    "both": {"read": READ_TOKEN},
    "read": {"write": None, "read": READ_TOKEN},
}
HEADERS = {
    "none": {},
    "wrong": bearer("wrong"),
    "write": bearer(WRITE_TOKEN),
    "read": bearer(READ_TOKEN),
}
# What each configuration answers to: no token, a wrong one, the write one, the read one
EXPECTED = {
    ("no tokens", OPEN): (IN, IN, IN, IN),
    ("no tokens", READ): (IN, IN, IN, IN),
    ("no tokens", WRITE): (IN, IN, IN, IN),
    ("write", OPEN): (IN, IN, IN, IN),
    ("write", READ): (IN, IN, IN, IN),
    ("write", WRITE): (401, 403, IN, 403),
    ("both", OPEN): (IN, IN, IN, IN),
    ("both", READ): (401, 403, IN, IN),
    ("both", WRITE): (401, 403, IN, 403),
    ("read", OPEN): (IN, IN, IN, IN),
    ("read", READ): (401, 403, 403, IN),
    ("read", WRITE): (401, 403, 403, IN),  # not open to strangers
}
# The deployment's tokens are nobody's: they let in where no person is asked for.
for _configuration in CONFIGURATIONS:
    for _who in (USER, NOTES, VIEWER):
        EXPECTED[_configuration, _who] = (401, 401, 401, 401)
    EXPECTED[_configuration, ADMIN] = (401, 403, 403, 403)


@pytest.fixture
def configured(api, deps):
    """Give the API other tokens."""

    def set_tokens(**tokens):
        api.application.extensions["deps"] = guarded(
            deps, **tokens, write_rate_limit_max_requests=10_000
        )
        return api

    return set_tokens


@pytest.fixture
def closed(configured):
    """The API of a deployment with both tokens."""
    return configured(read=READ_TOKEN)


def path_of(rule):
    """Return a path of the rule that names nothing that exists."""
    return re.sub(r"<[^>]+>", "none", re.sub(r"<uuid:[^>]+>", str(UUID(int=0)), rule))


def outcome(reply):
    return reply.status_code if reply.status_code in (401, 403) else IN


def test_every_route_has_a_row_and_every_row_a_route(api):
    found = {
        (method, rule.rule)
        for rule in api.application.url_map.iter_rules()
        if not rule.websocket  # see test_who_may_open_a_websocket
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert found == set(ROUTES)


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
@pytest.mark.parametrize(("method", "rule"), ROUTES)
def test_who_is_let_in(configured, method, rule, configuration):
    client = configured(**CONFIGURATIONS[configuration])
    replies = [
        client.open(path_of(rule), method=method, headers=headers)
        for headers in HEADERS.values()
    ]
    assert (
        tuple(outcome(reply) for reply in replies)
        == (EXPECTED[configuration, ROUTES[method, rule]])
    )
    assert all(reply.status_code < 500 for reply in replies)


@pytest.mark.parametrize(
    "rule", [r for (m, r) in ROUTES if m == "GET" and not r.startswith("/v2/")]
)
def test_head_asks_what_get_asks(closed, rule):
    for headers in HEADERS.values():
        got, head = (
            outcome(closed.open(path_of(rule), method=method, headers=headers))
            for method in ("GET", "HEAD")
        )
        assert head == got


HANDSHAKE = {"Connection": "Upgrade", "Upgrade": "websocket"}


def test_who_may_open_a_websocket(closed):
    """Who may read: the token is looked at before the job is looked for."""
    sockets = [r for r in closed.application.url_map.iter_rules() if r.websocket]
    assert len(sockets) == 4
    for rule in sockets:
        told = {
            who: closed.get(path_of(rule.rule), headers=HANDSHAKE | headers).json
            for who, headers in HEADERS.items()
        }
        texts = {who: answer["detail"] for who, answer in told.items()}
        assert texts == {
            "none": "Missing or invalid Authorization header.",
            "wrong": "Invalid API token.",
            "write": "Job not found",
            "read": "Job not found",
        }


@pytest.mark.parametrize("rule", sorted({rule for _, rule in ROUTES}))
def test_a_page_may_always_ask_what_it_may_ask(closed, rule):
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "X"}
    for headers in ({}, preflight):
        assert closed.options(path_of(rule), headers=headers).status_code == 200


def test_the_texts_are_those_that_clients_know(closed):
    missing = closed.delete("/lectures/l1")
    assert missing.json["detail"] == "Missing or invalid Authorization header."
    assert missing.json["error"]["code"] == "unauthorized"
    wrong = closed.delete("/lectures/l1", headers=bearer("wrong"))
    assert wrong.json["detail"] == "Invalid API token."
    assert wrong.json["error"]["code"] == "forbidden"


def test_no_browser_is_made_to_ask_for_a_password(closed):
    for headers in HEADERS.values():
        reply = closed.post("/courses", headers=headers)
        assert "WWW-Authenticate" not in reply.headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 401),
        ("", 401),
        (" ", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Bearer    ", 401),
        (WRITE_TOKEN, 401),
        (f"Basic {WRITE_TOKEN}", 401),
        (f"Bearer\t{WRITE_TOKEN}", 401),
        (f"Bearer,{WRITE_TOKEN}", 401),
        ("Bearer \xff\xfe\x80", 403),
        ("\xff\xfe \x80", 401),
        ("Bearer \u20ac", 403),
        ("Bearer " + "x" * 100_000, 403),
        ("x" * 100_000, 401),
        (f"Bearer {WRITE_TOKEN} more", 403),
        (f"Bearer {WRITE_TOKEN},", 403),
        (f"Bearer {WRITE_TOKEN[:-1]}", 403),
        (f"Bearer {WRITE_TOKEN.upper()}", 403),
        (f"Bearer {WRITE_TOKEN}\xa0", 403),
        (f"Bearer {WRITE_TOKEN}", IN),
        (f"bearer {WRITE_TOKEN}", IN),
        (f"BEARER {WRITE_TOKEN}", IN),
        (f"Bearer    {WRITE_TOKEN}  ", IN),
    ],
)
def test_odd_headers_are_refused_and_break_nothing(closed, header, expected):
    headers = {} if header is None else {"Authorization": header}
    reply = closed.delete("/lectures/none", headers=headers)
    assert outcome(reply) == expected
    assert reply.status_code in (401, 403, 404)


def test_a_token_may_have_any_letters(configured):
    token = "schlüssel-" + "ß" * 20
    client = configured(write=token)
    sent = token.encode().decode("latin-1")  # as a server hands the bytes over
    assert client.delete("/lectures/none", headers=bearer(sent)).status_code == 404
    assert client.delete("/lectures/none", headers=bearer("schl")).status_code == 403


def test_space_around_the_configured_token_does_not_count(api, deps):
    spaced = SecretStr(f"  {WRITE_TOKEN}\n")
    api.application.extensions["deps"] = with_settings(deps, write_api_token=spaced)
    reply = api.delete("/lectures/none", headers=bearer(WRITE_TOKEN))
    assert reply.status_code == 404


def test_how_long_a_comparison_takes_does_not_depend_on_what_was_sent(
    closed, monkeypatch
):
    compared = []
    original = hmac.compare_digest

    def compare(*two):
        compared.append({len(one) for one in two})
        return original(*two)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for token in ("x", "x" * 1000, WRITE_TOKEN):
        closed.get("/courses", headers=bearer(token))
    assert compared == [{32}] * 6  # each against both tokens, right or not


class Watched(io.BytesIO):
    """A request's body that tells whether anybody wanted it."""

    wanted = False

    def read(self, *args):
        self.wanted = True
        return super().read(*args)

    readinto = readline = None  # type: ignore[assignment]  # nobody may go around read


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (bearer("wrong"), 403)])
def test_a_stranger_s_upload_is_refused_unread(closed, storage_dir, headers, status):
    body = Watched(b"--b\r\n" + b"\0" * 10_000_000)
    reply = closed.post(
        "/lectures/ingest",
        input_stream=body,
        headers=headers | {"Content-Length": str(len(body.getvalue()))},
        content_type="multipart/form-data; boundary=b",
    )
    assert reply.status_code == status
    assert not body.wanted
    assert not storage_dir.exists()


def test_a_friend_s_upload_is_read(closed):
    form = {
        "course_id": "c1",
        "lecture_id": "l1",
        "preset_id": "exam",
        "title": "T",
        "audio": (io.BytesIO(spoken_wav()), "talk.wav"),
    }
    headers = bearer(WRITE_TOKEN)
    assert (
        closed.post("/lectures/ingest", data=form, headers=headers).status_code == 200
    )


@pytest.mark.parametrize(("headers", "status"), [({}, 401), (bearer("wrong"), 403)])
def test_strangers_learn_nothing_of_what_is_wrong_or_there(closed, headers, status):
    for path in ("/lectures/ingest", "/courses", "/lectures/none/generate"):
        reply = closed.post(path, data="{", headers=headers)
        assert reply.status_code == status
    for path in ("/lectures/none", "/lectures?limit=no", "/ops/deletion-audit?limit=0"):
        assert closed.get(path, headers=headers).status_code == status


def test_what_is_not_there_needs_no_token(closed):
    assert closed.get("/none").status_code == 404
    assert closed.put("/courses").status_code == 405


def test_a_token_is_never_written_down(closed, deps, db, caplog):
    caplog.set_level(0)
    factories.lecture(db)
    for token in (WRITE_TOKEN, READ_TOKEN, "a-wrong-token"):
        for method, rule in ROUTES:
            reply = closed.open(path_of(rule), method=method, headers=bearer(token))
            assert token not in reply.text + str(reply.headers)
    closed.application.extensions["deps"] = replace(guarded(deps), db=BROKEN)
    bug = closed.delete("/lectures/l1", headers=bearer(WRITE_TOKEN))
    assert bug.status_code == 500
    assert WRITE_TOKEN not in bug.text
    logged = caplog.text + "".join(str(vars(record)) for record in caplog.records)
    assert "request.complete" in logged
    for token in (WRITE_TOKEN, READ_TOKEN, "a-wrong-token"):
        assert token not in logged
