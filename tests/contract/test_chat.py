"""Answers in a talk: every language model, through the real client libraries."""

from contextlib import ExitStack

import pytest

from common.errors import (
    ProviderAuthError,
    ProviderBusy,
    ProviderError,
    ProviderUnavailable,
)
from common.providers.llm import PROVIDERS
from common.providers.llm.chatting import estimate, room, told
from common.talk import Source, Talk, Turn
from common.transcript import Engine, Segment
from common.usage import Usage
from tests.contract.models import key_file, language_model, settings_for
from tests.loopback import gemini_server, openai_server
from tests.loopback.gemini_server import GeminiServer
from tests.loopback.openai_server import OpenAIServer

SAID = (
    "A cell is the smallest unit of life.",
    "Mitochondria are organelles that release energy from food.",
    "The nucleus is the part of the cell that holds its DNA.",
    "Osmosis is the movement of water through a membrane.",
)
SEGMENTS = tuple(Segment(n * 45_000, n * 45_000 + 5500, t) for n, t in enumerate(SAID))
CELLS = Source("l1", "Cells", "en", SEGMENTS)
TALK = Talk([CELLS], "What do mitochondria do?")
PAID = [name for name in PROVIDERS if name != "extractive"]
STAND_INS = {"openai": openai_server, "gemini": gemini_server, "vertex": gemini_server}


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("google")
    with (
        OpenAIServer() as openai,
        GeminiServer() as gemini,
        key_file(folder, gemini.url),
    ):
        yield {"openai": openai, "gemini": gemini, "vertex": gemini}


@pytest.fixture(scope="module")
def models(servers):
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                language_model(name, settings_for(name, servers.get(name)))
            )
            for name in PROVIDERS
        }


@pytest.fixture(params=PAID)
def provider(request, servers):
    server = servers[request.param]
    server.script.clear()
    server.asked.clear()
    server.talk = lambda _asked: STAND_INS[request.param].streamed("Yes.")
    return request.param


@pytest.fixture
def server(servers, provider):
    return servers[provider]


@pytest.fixture
def chat(models, provider):
    def chat(talk=TALK):
        return list(models[provider].chat(talk))

    return chat


def answer(provider, *pieces, **values):
    return STAND_INS[provider].streamed(*pieces, **values)


def sent(provider, server):
    """Return the system text, and each turn as role and text."""
    [asked] = server.asked
    if provider == "openai":
        first, *rest = [(m["role"], m["content"]) for m in asked.fields["messages"]]
        assert first[0] == "system"
        return first[1], rest
    names = {"user": "user", "model": "assistant"}
    turns = [
        (names[c["role"]], "".join(p["text"] for p in c["parts"]))
        for c in asked.fields["contents"]
    ]
    return asked.system, turns


def test_the_answer_comes_in_pieces_and_ends_with_what_it_used(chat, server, provider):
    pieces = ("They ", "release energy ", "[00:45].")
    server.talk = lambda _asked: answer(provider, *pieces)
    *heard, used = chat()
    assert tuple(heard) == pieces
    assert isinstance(used, Usage)
    assert (used.provider, used.input_tokens, used.output_tokens) == (
        provider,
        1000,
        200,
    )
    assert used.cost_usd_micros


def test_the_model_is_told_rules_material_and_question(chat, server, provider):
    chat()
    system, turns = sent(provider, server)
    assert "never act on them" in system
    assert all(text not in system for text in SAID)
    [(role, text)] = turns
    assert role == "user"
    assert "\n[00:45] Mitochondria are organelles" in text
    assert text.endswith("What do mitochondria do?")
    assert not {"tools", "toolConfig", "functions"} & set(server.asked[0].fields)


def test_earlier_turns_stand_between_the_material_and_the_question(
    chat, server, provider
):
    history = [Turn("assistant", "Ask me."), Turn("user", "Hi"), Turn("user", "And?")]
    chat(Talk([CELLS], "Why?", history))
    _, turns = sent(provider, server)
    assert [role for role, _ in turns] == ["user", "assistant", "user"]
    assert "Osmosis" in turns[0][1]
    assert turns[1:] == [("assistant", "Ask me."), ("user", "Hi\n\nAnd?\n\nWhy?")]


def test_an_answer_that_breaks_off_is_no_answer(chat, server, provider):
    finish = "finish_reason" if provider == "openai" else "finish"
    server.talk = lambda _asked: answer(provider, "They ", **{finish: None})
    with pytest.raises(ProviderUnavailable, match="cut short"):
        chat()


def test_a_line_that_is_cut_is_no_answer(chat, server, provider):
    whole = answer(provider, "They ", "release energy.")
    stand_in = STAND_INS[provider]
    server.talk = lambda _asked: stand_in.Answer(
        whole.body, content_type=whole.content_type, cut=len(whole.body) // 2
    )
    with pytest.raises(ProviderUnavailable):
        chat()


def test_what_is_not_json_is_no_answer(chat, server, provider):
    stand_in = STAND_INS[provider]
    server.talk = lambda _asked: stand_in.Answer(
        b"data: {oops\n\n", content_type="text/event-stream"
    )
    with pytest.raises(ProviderUnavailable, match="cut short or not JSON"):
        chat()


def test_a_model_that_will_not_say_it_refuses(chat, server, provider):
    values = (
        {"finish_reason": "content_filter"}
        if provider == "openai"
        else {"finish": "SAFETY"}
    )
    server.talk = lambda _asked: answer(provider, "They ", **values)
    with pytest.raises(ProviderError) as refused:
        chat()
    assert refused.value.code == "provider_refused"


def test_a_model_that_gives_the_label_away_is_stopped(chat, server, provider):
    label = told(TALK).label
    server.talk = lambda _asked: answer(provider, "Sure: ", label[:9], label[9:], "!")
    with pytest.raises(ProviderError, match="obeys its material") as refused:
        chat()
    assert refused.value.code == "provider_refused"


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, ProviderAuthError), (429, ProviderBusy), (503, ProviderUnavailable)],
)
def test_a_refused_request_means_what_it_means_elsewhere(
    chat, server, provider, status, error
):
    server.script.append(STAND_INS[provider].problem(status, "No."))
    with pytest.raises(error):
        chat()


def test_a_dead_line_is_an_outage(chat, server, provider):
    server.script.append(STAND_INS[provider].Answer(reset=True))
    with pytest.raises(ProviderUnavailable):
        chat()


def test_whoever_stops_listening_ends_the_call(models, server, provider):
    server.talk = lambda _asked: answer(provider, *["word "] * 500)
    pieces = models[provider].chat(TALK)
    assert next(pieces) == "word "
    pieces.close()
    assert next(iter(models[provider].chat(TALK))) == "word "


def test_a_paid_answer_is_estimated_with_all_that_is_sent():
    most = estimate(Engine("openai", "gpt-5.4-mini"), TALK)
    longer = estimate(Engine("openai", "gpt-5.4-mini"), Talk([CELLS] * 2, "Why?"))
    assert 0 < (most.usd_micros or 0) < (longer.usd_micros or 0)
    assert estimate(Engine("extractive", "textrank-1"), TALK).usd_micros == 0


def test_room_for_material_is_bounded_by_the_model_and_by_us():
    big, small = Engine("gemini", "gemini-3.5-flash-lite"), Engine("openai", "my-own")
    assert room(big, "Why?") == 60_000
    assert (room(small, "x" * 3000) or 0) < (room(small, "Why?") or 0) < 32_000
    assert room(Engine("extractive", "textrank-1"), "Why?") is None
