"""Gemini by API key and on Google Cloud: the real SDK against a Gemini on loopback."""

import logging
from contextlib import ExitStack

import pytest

from common.errors import (
    BadRequest,
    ProviderAuthError,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
)
from common.providers import bounded_http, catalog
from common.providers.gemini_client import by_key
from common.providers.llm import accept
from common.providers.llm.gemini import GeminiChat
from common.providers.llm.prompted import PromptedModel
from common.transcript import Engine
from tests.contract.llm_material import (
    QUOTE,
    SHORT,
    Memory,
    draft,
    lecture,
    material_of,
)
from tests.contract.models import key_file, language_model, settings_for, settings_of
from tests.loopback.gemini_server import (
    KEY,
    TOKEN,
    Answer,
    GeminiServer,
    blocked,
    exhausted,
    not_supported,
    problem,
    said,
)

BOTH = pytest.mark.parametrize("name", ["gemini", "vertex"])


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("google")
    with GeminiServer() as server, key_file(folder, server.url):
        yield server


@pytest.fixture
def server(running):
    running.script.clear()
    running.asked.clear()
    running.chat = lambda _asked: said(draft())
    return running


@pytest.fixture(scope="module")
def made(running):
    """A model of each provider; a client takes 0.2 s to make."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(language_model(name, settings_for(name, running)))
            for name in ("gemini", "vertex")
        }


@pytest.fixture
def ask(server, made):
    """Have a provider write about a short lecture."""

    def study(name="gemini", material=SHORT, memory=None):
        return made[name].study(material, memory or Memory())

    return study


@pytest.fixture
def hasty(server):
    """A model that waits a moment only for the next byte."""
    account = by_key(settings_for("gemini", server), read_seconds=0.2)
    row = catalog.chat_model("gemini-3.5-flash-lite")
    chat = GeminiChat(account, row)
    yield PromptedModel(Engine("gemini", row.name), chat.complete, chat.stream, row)
    account.close()


def test_a_key_opens_the_api(ask, server):
    assert ask().summary.overview == "About cells."
    [asked] = server.asked
    assert asked.path == "/v1/models/gemini-3.5-flash-lite:generateContent"
    assert asked.headers["x-goog-api-key"] == KEY
    assert "key=" not in asked.path


def test_a_project_is_asked_with_its_own_credentials(ask, server):
    assert ask("vertex").summary.overview == "About cells."
    [asked] = server.asked
    assert (asked.project, asked.headers["authorization"]) == (
        "loopback",
        f"Bearer {TOKEN}",
    )
    assert "/locations/europe-west4/" in asked.path
    assert "x-goog-api-key" not in asked.headers


@BOTH
def test_the_rules_are_apart_from_the_lecture(ask, server, name):
    ask(name)
    [asked] = server.asked
    assert QUOTE in asked.user
    assert QUOTE not in asked.system
    assert asked.user.rstrip().endswith("END " + asked.user.split()[-1])


@BOTH
def test_the_answer_is_held_to_a_schema_that_gemini_takes(ask, server, name):
    ask(name)
    config = server.asked[0].fields["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert not_supported(config["responseJsonSchema"]) == []
    assert (
        "children" in config["responseJsonSchema"]["$defs"]["OutlineNode"]["properties"]
    )


def test_only_what_leads_back_to_itself_may_be_left_out(ask, server):
    ask()
    defs = server.asked[0].schema["$defs"]
    loose = {
        name: set(node["properties"]) - set(node["required"])
        for name, node in defs.items()
    }
    assert {name: keys for name, keys in loose.items() if keys} == {
        "OutlineNode": {"children"}
    }


def test_an_answer_has_a_bound(ask, server):
    ask()
    limit = server.asked[0].fields["generationConfig"]["maxOutputTokens"]
    assert 16_000 < limit < 65_536


def test_the_server_is_told_how_long_we_wait(ask, server):
    ask()
    assert server.asked[0].headers["x-server-timeout"] == "480"


@BOTH
def test_thoughts_are_paid_as_what_is_written(ask, name):
    memory = Memory()
    ask(name, memory=memory)
    [usage] = memory.usages
    assert (usage.provider, usage.model) == (name, "gemini-3.5-flash-lite")
    assert (usage.input_tokens, usage.output_tokens) == (1000, 150 + 50)
    assert usage.cost_usd_micros == 1000 * 0.3 + 200 * 2.5


def test_thoughts_are_not_the_answer(ask, server):
    server.script.append(said(draft()))
    assert ask().flashcards[0].front == "Cell?"


def test_an_answer_without_counts_has_no_cost(ask, server):
    answer = said(draft())
    del answer.body["usageMetadata"]
    server.script.append(answer)
    memory = Memory()
    ask(memory=memory)
    assert memory.usages[0].cost_usd_micros is None


def test_three_hours_fit_at_once(ask, server):
    ask(material=material_of(lecture(3)))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "text",
    [
        "A schema in GenerationConfig exceeds the maximum allowed nesting depth.",
        'Unknown name "responseJsonSchema": Cannot find field.',
    ],
)
def test_who_does_not_take_the_schema_is_told_it_in_words(ask, server, text):
    server.script.append(problem(400, text))
    assert ask().summary.overview == "About cells."
    first, second = server.asked
    assert first.schema is not None
    assert second.schema is None
    assert '"additionalProperties": false' in second.system


FAILURES = [
    (exhausted(), ProviderBusy, "provider_busy"),
    (problem(401, "who?", "UNAUTHENTICATED"), ProviderAuthError, "provider_auth"),
    (problem(403, "no", "PERMISSION_DENIED"), ProviderAuthError, "provider_auth"),
    (problem(400, "User location?"), ProviderError, "provider_rejected"),
    (problem(402, "Prepay credits"), ProviderError, "provider_quota"),
    (problem(404, "No model", "NOT_FOUND"), ProviderError, "provider_rejected"),
    (
        problem(400, "The input token count exceeds the maximum number of tokens"),
        ProviderError,
        "provider_too_large",
    ),
    (problem(408, "slow"), ProviderUnavailable, "provider_unavailable"),
    (problem(499, "CANCELLED"), ProviderUnavailable, "provider_unavailable"),
    (problem(503, "overloaded"), ProviderUnavailable, "provider_unavailable"),
    (problem(504, "DEADLINE"), ProviderUnavailable, "provider_unavailable"),
    (Answer(reset=True), ProviderUnavailable, "provider_unavailable"),
    (Answer(b'{"candidates": [', cut=8), ProviderUnavailable, "provider_unavailable"),
    (Answer(b'{"candidates": ['), ProviderUnavailable, "provider_unavailable"),
    (Answer(b"\xff\xfe"), ProviderUnavailable, "provider_unavailable"),
    (Answer(b""), ProviderUnavailable, "provider_unavailable"),
    (Answer(b"<html>", 302), ProviderError, "provider_rejected"),
    (Answer({}), ProviderUnavailable, "provider_unavailable"),
    (Answer({"candidates": []}), ProviderUnavailable, "provider_unavailable"),
    (Answer({"candidates": [{}]}), ProviderUnavailable, "provider_unavailable"),
    (Answer({"candidates": "none"}), ProviderError, "provider_schema"),
    (Answer([]), ProviderError, "provider_schema"),
    (said('{"summary": {"over'), ProviderUnavailable, "provider_unavailable"),
    (said("[" * 5000), ProviderUnavailable, "provider_unavailable"),
    (said(["a list"]), ProviderError, "provider_schema"),
    (said(draft(), "MAX_TOKENS"), ProviderUnavailable, "provider_unavailable"),
    (said(draft(), "RECITATION"), ProviderUnavailable, "provider_unavailable"),
    (said(draft(), "OTHER"), ProviderUnavailable, "provider_unavailable"),
    (said("", "SAFETY"), ProviderError, "provider_refused"),
    (said("", "PROHIBITED_CONTENT"), ProviderError, "provider_refused"),
    (blocked("PROHIBITED_CONTENT"), ProviderError, "provider_refused"),
    (blocked("SAFETY"), ProviderError, "provider_refused"),
]


@pytest.mark.parametrize(("answer", "error", "code"), FAILURES)
def test_every_failure_has_its_meaning(ask, server, answer, error, code):
    server.script.append(answer)
    with pytest.raises(ProviderError) as caught:
        ask()
    assert (type(caught.value), caught.value.code) == (error, code)
    assert str(caught.value).startswith("gemini: ")


@pytest.mark.parametrize(
    ("answer", "may_cost"),
    [
        (exhausted(), False),
        (problem(400, "no"), False),
        (problem(500, "oops"), True),
        (Answer(reset=True), True),
        (said(draft(), "MAX_TOKENS"), True),
        (blocked("SAFETY"), True),
    ],
)
def test_only_what_was_refused_is_surely_free(ask, server, answer, may_cost):
    server.script.append(answer)
    with pytest.raises(ProviderError) as caught:
        ask()
    assert caught.value.may_cost is may_cost


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (exhausted("34.07s"), 34.07),
        (exhausted("9999999s"), 3600),
        (exhausted("soon"), None),
        (exhausted(), None),
        (problem(429, "slow", "RESOURCE_EXHAUSTED", retry_after="7"), 7),
        (problem(429, "slow", "RESOURCE_EXHAUSTED", retry_after="nan"), None),
    ],
)
def test_who_is_too_fast_learns_how_long_to_wait(ask, server, answer, seconds):
    server.script.append(answer)
    with pytest.raises(ProviderBusy) as caught:
        ask()
    assert caught.value.retry_after_seconds == seconds


def test_the_lecture_is_not_carried_to_where_a_redirect_leads(ask, server):
    elsewhere = {"location": "/v1/models/elsewhere:generateContent"}
    server.script.append(Answer(b"", 307, elsewhere))
    with pytest.raises(ProviderError):
        ask()
    assert [asked.model for asked in server.asked] == ["gemini-3.5-flash-lite"]


def test_a_page_of_html_is_not_quoted(ask, server):
    server.script.append(Answer(b"<html>Bad gateway", 502, content_type="text/html"))
    with pytest.raises(ProviderUnavailable) as caught:
        ask()
    assert str(caught.value) == "gemini: HTTP 502."


def test_a_wrong_key_is_an_operators_matter_and_is_never_shown(server, caplog):
    server.key = "another"
    caplog.set_level(logging.DEBUG)
    try:
        with (
            language_model("gemini", settings_for("gemini", server)) as model,
            pytest.raises(ProviderAuthError) as caught,
        ):
            model.study(SHORT, Memory())
    finally:
        server.key = KEY
    assert caught.value.__cause__ is None
    assert KEY not in f"{caught.value}{caplog.text}"


def test_a_server_that_repeats_the_key_is_not_quoted(ask, server):
    server.script.append(problem(400, f"Bad key {KEY} or AIza{'x' * 35}!"))
    with pytest.raises(ProviderError) as caught:
        ask()
    assert str(caught.value) == "gemini: HTTP 400: Bad key *** or ***!"


def test_who_stops_sending_is_given_up(hasty, server):
    server.script.append(Answer(stall=True))
    with pytest.raises(ProviderUnavailable, match="in time") as caught:
        hasty.study(SHORT, Memory())
    assert caught.value.may_cost


def test_who_drips_for_ever_is_given_up(hasty, server, monkeypatch):
    monkeypatch.setattr(bounded_http, "_MAX_SECONDS", 0.1)
    server.script.append(Answer(b"{" + b" " * 4000, drip_seconds=0.01))
    with pytest.raises(ProviderUnavailable, match="in time"):
        hasty.study(SHORT, Memory())


def test_an_answer_that_never_ends_is_cut(hasty, server, monkeypatch):
    monkeypatch.setattr(bounded_http, "_MAX_BYTES", 100_000)
    server.script.append(said("x" * 200_000))
    with pytest.raises(ProviderUnavailable, match="connection failed"):
        hasty.study(SHORT, Memory())


def test_without_credentials_an_operator_must_act(server, tmp_path, monkeypatch):
    (tmp_path / "key.json").write_text("{}")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    with (
        language_model("vertex", settings_for("vertex", server)) as model,
        pytest.raises(ProviderAuthError, match="no usable Google credentials"),
    ):
        model.study(SHORT, Memory())
    assert server.asked == []


def test_a_token_that_is_not_taken_is_an_operators_matter(ask, server):
    server.script.append(problem(401, "expired", "UNAUTHENTICATED"))
    with pytest.raises(ProviderAuthError, match="vertex: HTTP 401"):
        ask("vertex")


@pytest.mark.parametrize(
    ("provider", "values", "variable"),
    [
        ("gemini", {}, "GEMINI_API_KEY"),
        ("gemini", {"GEMINI_API_KEY": " "}, "GEMINI_API_KEY"),
        ("vertex", {"GEMINI_API_KEY": KEY}, "GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_what_is_missing_is_named(provider, values, variable):
    for refused in (
        lambda: accept(settings_of(**values), provider),
        lambda: language_model(provider, settings_of(**values)).__enter__(),
    ):
        with pytest.raises(BadRequest, match=f"set {variable}") as caught:
            refused()
        assert caught.value.code == "provider_not_configured"


@pytest.mark.parametrize("variable", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_either_name_of_the_key_will_do(server, variable):
    values = {variable: KEY, "PEGASUS_GEMINI_BASE_URL": server.url}
    settings = settings_of(**values)
    assert accept(settings, "gemini") == "gemini"
    with language_model("gemini", settings) as model:
        model.study(SHORT, Memory())
    assert server.asked[0].headers["x-goog-api-key"] == KEY


def test_a_key_in_the_environment_does_not_reach_a_project(ask, server, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "stray")
    with language_model("vertex", settings_for("vertex", server)) as model:
        model.study(SHORT, Memory())
    assert "x-goog-api-key" not in server.asked[0].headers


@BOTH
@pytest.mark.parametrize(
    ("values", "asked", "used"),
    [
        ({}, None, "gemini-3.5-flash-lite"),
        ({}, "gemini-3.8-flash", "gemini-3.8-flash"),
        ({"PLC_LLM_PROVIDER": "own", "PLC_LLM_MODEL": "gemini-x"}, None, "gemini-x"),
        ({"PLC_LLM_PROVIDER": "own", "PLC_LLM_MODEL": "x"}, "gemini-y", "gemini-y"),
        (
            {"PLC_LLM_PROVIDER": "openai", "PLC_LLM_MODEL": "gpt-4o"},
            None,
            "gemini-3.5-flash-lite",
        ),
    ],
)
def test_the_model_is_the_one_asked_for_or_configured(name, values, asked, used):
    own = {k: name if v == "own" else v for k, v in values.items()}
    settings = settings_of(GEMINI_API_KEY=KEY, GOOGLE_CLOUD_PROJECT="p", **own)
    with language_model(name, settings, asked) as model:
        assert model.engine == Engine(name, used)


@pytest.mark.parametrize("name", ["../files", "a?b=c", "a:b", "/x", "a..b", "a b", "é"])
def test_a_name_that_would_change_the_address_is_refused(name):
    with pytest.raises(BadRequest, match="not the name of a model"):
        language_model("gemini", settings_of(GEMINI_API_KEY=KEY), name).__enter__()
