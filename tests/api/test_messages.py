"""Questions to Wiz: answered word by word, saved whole or not at all, counted once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from common.errors import ProviderBusy, ProviderUnavailable
from common.models import BudgetDay, ChatQuota, Message, UsageEntry
from common.usage import Usage
from tests import factories
from tests.api import talking
from tests.api.guards import with_settings
from tests.api.people import guest, person, signed_in
from tests.conftest import make_api

QUESTION = {"message": "What do mitochondria do?"}
DONE = "data: [DONE]\n\n"
COST = Usage("fake", "fake-llm", input_tokens=10, output_tokens=5, cost_usd_micros=70)


@pytest.fixture
def talker(db):
    return person(db)


@pytest.fixture
def ann(deps, talker):
    return signed_in(deps, talker)


@pytest.fixture
def conversation(db, talker):
    about = talking.video(db, *talking.SAID, title="Cells")
    return talking.talk(db, about, user_id=talker.id)


@pytest.fixture
def ask(api, conversation, ann):
    def ask(body=QUESTION, headers=None, about=None):
        path = f"/v2/conversations/{(about or conversation).id}/messages"
        return api.post(path, json=body, headers=headers or ann, buffered=True)

    return ask


def speaks(*pieces, usage=COST):
    """Have the fake model say these pieces."""
    return lambda _talk: iter([*pieces, *([usage] if usage else [])])


def messages(db):
    with db.begin() as session:
        found = session.scalars(select(Message).order_by(Message.id))
        return [(one.role, one.content) for one in found]


def used(db):
    with db.begin() as session:
        rows = session.scalars(select(ChatQuota))
        return {row.owner: row.used for row in rows}


def test_an_answer_byte_for_byte(ask, llm):
    llm.speak = speaks("Hello ", "world — “é” ", "and so on")
    reply = ask()
    assert reply.status_code == 200
    assert reply.content_type == "text/event-stream; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-cache"
    assert reply.get_data() == (
        b'data: {"content": "Hello "}\n\n'
        b'data: {"content": "world \\u2014 \\u201c\\u00e9\\u201d "}\n\n'
        b'data: {"content": "and so "}\n\n'
        b'data: {"content": "on"}\n\n'
        b"data: [DONE]\n\n"
    )


def test_citations_are_an_extra_key_of_the_last_piece(ask, llm):
    llm.speak = speaks("They release ", "energy [0:45]")
    *pieces, last, done = talking.events(ask())
    assert pieces == [{"content": "They release "}, {"content": "energy "}]
    assert (last["content"], done) == ("[00:45]", "[DONE]")
    assert last["citations"] == [
        {"start_ms": 45_000, "end_ms": 50_000, "quote": talking.SAID[1]}
    ]


def test_the_turn_is_saved_whole_with_what_it_cites(ask, llm, api, ann, conversation):
    llm.speak = speaks("They release energy [0:45].")
    assert talking.said(ask()) == "They release energy [00:45]."
    reply = api.get(f"/v2/conversations/{conversation.id}/messages", headers=ann)
    question, answer = reply.json
    assert list(question) == [
        *("id", "conversation_id", "role", "content", "metadata", "created_at"),
        "citations",
    ]
    assert (question["role"], question["content"]) == ("user", QUESTION["message"])
    assert (answer["role"], answer["content"]) == (
        "assistant",
        "They release energy [00:45].",
    )
    assert (question["metadata"], question["citations"]) == (None, None)
    assert answer["citations"][0]["quote"] == talking.SAID[1]


def test_offline_the_recording_itself_answers(ask):
    reply = ask()
    assert f"“{talking.SAID[1]}” [00:45]" in talking.said(reply)


def test_a_lecture_is_talked_about_as_well(ask, db, talker):
    lecture = talking.lecture(db, "Osmosis is the movement of water.")
    about = talking.talk(db, lecture, user_id=talker.id)
    reply = ask({"message": "What is osmosis?"}, about=about)
    assert "Osmosis is the movement of water." in talking.said(reply)


def test_the_model_is_shown_ten_messages_at_most(ask, llm, db, conversation):
    seen = []

    def speak(talk):
        seen.append(talk)
        return iter(["Yes."])

    llm.speak = speak
    for number in range(12):
        role = ("user", "assistant")[number % 2]
        row = {"conversation_id": conversation.id, "role": role, "content": str(number)}
        factories.save(db, Message(**row))
    ask()
    [talk] = seen
    assert [turn.text for turn in talk.history] == [str(n) for n in range(3, 12)]
    assert talk.question == QUESTION["message"]
    assert talk.sources[0].title == "Cells"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Field required"),
        ({"message": "  "}, "Value error, message cannot be empty"),
        ({"message": "x" * 4001}, "String should have at most 4000 characters"),
        ({"message": "a\0b"}, "Input should be without NUL"),
        ({"message": "Hi", "model": "gpt"}, "Extra inputs are not permitted"),
    ],
)
def test_a_question_that_cannot_be_one_costs_nothing(ask, db, llm, body, message):
    reply = ask(body)
    assert reply.status_code == 422
    assert reply.json["error"]["details"][0]["message"] == message
    assert (llm.calls, used(db), messages(db)) == (0, {}, [])


def test_checks_come_in_the_order_that_clients_know(ask, api, ann, db, talker):
    path = "/v2/conversations/99/messages"
    blank = {"message": " "}
    broken = api.post(path, data="{", content_type="application/json")
    assert broken.status_code == 422
    assert api.post(path, json=blank).status_code == 401
    assert api.post(path, json=blank, headers=ann).status_code == 404
    fill(db, f"user:{talker.id}", 20)
    waiting = talking.talk(
        db, talking.video(db, video_id="AAAAAAAAAAA"), user_id=talker.id
    )
    assert ask(blank, about=waiting).status_code == 422
    assert ask(about=waiting).status_code == 429


def fill(db, owner, questions):
    with db.begin() as session:
        insert = (
            "insert into chat_quotas values"
            " (:owner, (now() at time zone 'utc')::date, :n)"
        )
        session.execute(text(insert), {"owner": owner, "n": questions})


def test_the_daily_limit_says_when_it_is_over(ask, db, talker, llm):
    fill(db, f"user:{talker.id}", 20)
    reply = ask()
    assert reply.status_code == 429
    error = reply.json["error"]
    assert (error["code"], error["message"]) == (
        "RATE_LIMIT_EXCEEDED",
        "Daily limit reached (20 messages/day)",
    )
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    left = error["details"]["reset_in_seconds"]
    assert abs(left - (midnight - now).total_seconds()) < 10
    assert int(reply.headers["Retry-After"]) == left
    assert llm.calls == 0


def test_guests_are_counted_by_session_and_by_address(ask, db, deps, api):
    found = talking.video(db)
    api.application.extensions["deps"] = with_settings(
        deps, wiz_guest_daily_quota=2, wiz_address_daily_quota=3
    )
    talks = {}
    replies = []
    for name in ("g1", "g1", "g1", "g2", "g2"):
        if name not in talks:
            made = api.post(
                "/v2/conversations",
                json={"video_id": found.video_id},
                headers=guest(name),
            )
            talks[name] = made.json["id"]
        path = f"/v2/conversations/{talks[name]}/messages"
        replies.append(api.post(path, json=QUESTION, headers=guest(name)))
    assert [reply.status_code for reply in replies] == [200, 200, 429, 200, 429]
    assert [r.json["error"]["message"] for r in replies if r.status_code == 429] == [
        "Daily limit reached (2 guest messages/day)",
        "Daily limit reached (3 messages/day from one address)",
    ]


def test_while_the_transcript_comes_nothing_is_counted(ask, db, talker):
    about = talking.talk(
        db, talking.video(db, video_id="AAAAAAAAAAA"), user_id=talker.id
    )
    reply = ask(about=about)
    assert reply.status_code == 202
    assert reply.text.strip() == (
        '{"status":"processing","message":"Transcript processing"}'
    )
    assert (used(db), messages(db)) == ({}, [])


def test_a_transcript_that_will_never_come_is_told(ask, db, talker):
    dead = talking.video(
        db, video_id="AAAAAAAAAAA", transcript_error="Captions are disabled."
    )
    reply = ask(about=talking.talk(db, dead, user_id=talker.id))
    assert reply.status_code == 409
    assert reply.json["error"]["message"] == (
        "This video has no transcript: Captions are disabled."
    )
    assert used(db) == {}


def test_a_lecture_s_transcript_is_waited_for_while_it_is_made(ask, db, talker):
    lecture = talking.lecture(db)
    about = talking.talk(db, lecture, user_id=talker.id)
    assert ask(about=about).status_code == 409
    factories.job(db)
    assert ask(about=about).status_code == 202


def test_silence_is_told_without_a_call(ask, db, talker, llm):
    about = talking.talk(db, talking.video(db, video_id="A" * 11), user_id=talker.id)
    with db.begin() as session:
        session.execute(text(_SILENT), {"id": "A" * 11})
    reply = ask(about=about)
    assert reply.status_code == 409
    assert reply.json["error"]["message"] == "Nobody speaks in this recording."
    assert llm.calls == 0


_SILENT = """
insert into transcripts (recording_id, object_key, language, provider, model, total_ms,
                         heard_ms, gaps)
select recording_id, 'k', 'en', 'p', 'm', 1, 1, '[]' from videos where video_id = :id
"""


def test_without_a_key_there_is_no_chat_and_nothing_is_counted(ask, db, deps, api):
    api.application.extensions["deps"] = with_settings(deps, plc_llm_provider="openai")
    reply = ask()
    assert reply.status_code == 500
    assert reply.json["error"]["message"] == (
        "Chat is not configured: OPENAI_API_KEY is not set."
    )
    assert used(db) == {}


def test_a_model_of_its_own_can_be_set_for_chat(ask, deps, api, llm):
    asked = []
    changed = with_settings(
        deps,
        plc_llm_provider="openai",
        openai_api_key=SecretStr("k"),
        chat_model="small",
    )

    def choose(*names):
        asked.append(names)
        return llm

    api.application.extensions["deps"] = replace(changed, llm=choose)
    ask()
    assert asked == [("openai", "small")]


@pytest.mark.parametrize("error", [ProviderBusy("no"), ProviderUnavailable("no")])
def test_a_failed_answer_is_told_and_ends(ask, db, llm, error):
    llm.errors = [error]
    reply = ask()
    assert reply.status_code == 200
    assert reply.get_data(as_text=True) == (
        'data: {"error": "Processing error"}\n\n' + DONE
    )
    assert (sum(used(db).values()), messages(db)) == (0, [])


def test_an_answer_that_breaks_off_is_not_kept(ask, db, llm):
    def break_off(_talk):
        yield from ("One ", "two ", "three ")
        raise ProviderUnavailable("gone")

    llm.speak = break_off
    reply = ask()
    *pieces, error, done = talking.events(reply)
    assert pieces == [{"content": "One "}, {"content": "two "}]
    assert (error, done) == ({"error": "Processing error"}, "[DONE]")
    assert (sum(used(db).values()), messages(db)) == (0, [])


def test_silence_of_the_model_is_an_error(ask, db, llm):
    llm.speak = speaks(" ", "\n")
    assert ask().get_data(as_text=True) == (
        'data: {"error": "No response from AI model. Please try again."}\n\n' + DONE
    )
    assert sum(used(db).values()) == 0


def test_an_answer_without_end_is_cut_and_kept(ask, db, llm):
    def for_ever(_talk):
        while True:
            yield "word "

    llm.speak = for_ever
    text_ = talking.said(ask())
    assert len(text_) == 12_000
    assert messages(db)[1] == ("assistant", text_)


def test_what_it_cost_is_written_down_and_counts_in_the_budget(
    ask, db, deps, api, llm, monkeypatch
):
    priced(monkeypatch)
    api.application.extensions["deps"] = with_settings(deps, daily_budget_usd=1.0)
    llm.speak = speaks("Yes.")
    ask()
    with db.begin() as session:
        [entry] = session.scalars(select(UsageEntry))
        spent = session.scalar(select(BudgetDay.usd_micros))
    assert (entry.provider, entry.model, entry.cost_usd_micros) == (
        "fake",
        "fake-llm",
        70,
    )
    assert spent == 70


def priced(monkeypatch):
    """Give the fake model the price of a real one."""
    from common.providers import catalog  # noqa: PLC0415 - this is the one that is changed

    known = catalog.chat_model("gpt-5.4-mini")
    monkeypatch.setattr(catalog, "chat_model", lambda _name: known)


def test_beyond_the_budget_nothing_is_asked_and_nothing_counted(
    ask, db, deps, api, llm, monkeypatch
):
    priced(monkeypatch)
    api.application.extensions["deps"] = with_settings(deps, daily_budget_usd=0.05)
    with db.begin() as session:
        session.execute(text(_SPENT))
    reply = ask()
    assert reply.status_code == 503
    assert int(reply.headers["Retry-After"]) > 0
    assert (llm.calls, sum(used(db).values())) == (0, 0)


_SPENT = """
insert into budget_days (day, usd_micros)
values ((clock_timestamp() at time zone 'utc')::date, 50000)
"""


def test_a_call_that_was_refused_gives_its_money_back(
    ask, db, deps, api, llm, monkeypatch
):
    priced(monkeypatch)
    api.application.extensions["deps"] = with_settings(deps, daily_budget_usd=1.0)
    llm.errors = [ProviderBusy("no")]
    ask()
    with db.begin() as session:
        assert session.scalar(select(BudgetDay.usd_micros)) == 0


def test_a_client_that_leaves_still_has_its_answer(api, ann, conversation, llm, db):
    llm.speak = speaks(*["word "] * 40)
    path = f"/v2/conversations/{conversation.id}/messages"
    reply = api.post(path, json=QUESTION, headers=ann, buffered=False)
    assert next(iter(reply.response)) == b'data: {"content": "word "}\n\n'
    assert messages(db) == []
    reply.close()
    assert messages(db)[1] == ("assistant", "word " * 40)


def test_a_client_that_leaves_a_failing_answer_pays_nothing(
    api, ann, conversation, llm, db
):
    def break_off(_talk):
        yield from ["word "] * 5
        raise ProviderUnavailable("gone")

    llm.speak = break_off
    path = f"/v2/conversations/{conversation.id}/messages"
    reply = api.post(path, json=QUESTION, headers=ann, buffered=False)
    next(iter(reply.response))
    reply.close()
    assert (messages(db), sum(used(db).values())) == ([], 0)


def test_too_many_streams_are_refused_and_not_counted(deps, ann, conversation, db, llm):
    api = make_api(with_settings(deps, max_streams=1))
    path = f"/v2/conversations/{conversation.id}/messages"
    llm.speak = speaks("One ", "two ", "three ")
    first = api.post(path, json=QUESTION, headers=ann, buffered=False)
    refused = api.post(path, json=QUESTION, headers=ann)
    assert (refused.status_code, llm.calls) == (503, 1)
    first.close()
    assert sum(used(db).values()) == 1
    assert api.post(path, json=QUESTION, headers=ann).status_code == 200


def test_a_talk_that_is_deleted_meanwhile_keeps_nothing(ask, db, llm, conversation):
    def deleted_meanwhile(_talk):
        with db.begin() as session:
            delete = "delete from conversations where id = :id"
            session.execute(text(delete), {"id": conversation.id})
        yield "Yes."

    llm.speak = deleted_meanwhile
    assert talking.events(ask())[-1] == "[DONE]"
    assert messages(db) == []


def test_a_question_costs_the_same_statements_however_long_the_talk_is(
    ask, db, llm, statements, conversation
):
    llm.speak = speaks("Yes.", usage=None)
    costs = []
    for _ in range(2):
        statements.clear()
        ask()
        costs.append(len(statements))
        for number in range(30):
            role = ("user", "assistant")[number % 2]
            row = {"conversation_id": conversation.id, "role": role, "content": "x"}
            factories.save(db, Message(**row))
    # Who, the talk, its count, its subject, what was said before, all that was said
    # in the video (its size, its segments), the count again, and when it is answered
    # the talk, the turn and the ledger.
    assert costs == [costs[0]] * 2
    assert costs[0] <= 11


def test_messages_are_listed_in_one_statement_after_the_talk(
    ask, api, ann, conversation, statements
):
    ask()
    path = f"/v2/conversations/{conversation.id}/messages"
    statements.clear()
    assert len(api.get(path, headers=ann).json) == 2
    assert len(statements) == 3  # who it is, the talk, what was said
