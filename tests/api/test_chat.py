"""The mobile app's questions: about own lectures only, bounded and counted."""

from dataclasses import replace

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from common.errors import ProviderUnavailable
from common.models import ChatQuota
from tests import factories
from tests.api import talking
from tests.api.guards import WRITE_TOKEN, bearer, guarded, with_settings
from tests.api.people import person, signed_in

QUESTION = "What do mitochondria do?"


@pytest.fixture
def ask(api):
    def ask(message=QUESTION, headers=None, **fields):
        body = {"message": message, "context": {"courseId": "c1"}} | fields
        return api.post("/chat", json=body, headers=headers)

    return ask


def used(db):
    with db.begin() as session:
        return {row.owner: row.used for row in session.scalars(select(ChatQuota))}


def test_a_question_is_answered_from_the_course(ask, db):
    talking.lecture(db, *talking.SAID)
    talking.lecture(db, "Mitochondria too.", lecture_id="l2", course_id="c2")
    reply = ask()
    assert reply.status_code == 200
    assert list(reply.json) == ["response", "citations"]
    assert f"“{talking.SAID[1]}” [00:45]" in reply.json["response"]
    assert "Mitochondria too" not in reply.json["response"]
    assert reply.json["citations"] == [
        {
            "start_ms": 45_000,
            "end_ms": 50_000,
            "quote": talking.SAID[1],
            "lecture_id": "l1",
        }
    ]


def test_all_lectures_of_a_course_are_looked_through(ask, db):
    talking.lecture(db, "Nothing here.", title="One")
    talking.lecture(db, *talking.SAID, lecture_id="l2", title="Two")
    reply = ask()
    assert f"- Two: “{talking.SAID[1]}”" in reply.json["response"] or (
        talking.SAID[1] in reply.json["response"]
    )
    assert {one["lecture_id"] for one in reply.json["citations"]} == {"l2"}


def test_one_lecture_can_be_asked_about(ask, db):
    talking.lecture(db, "Nothing here.")
    talking.lecture(db, *talking.SAID, lecture_id="l2")
    reply = ask(context={"lectureId": "l1"})
    assert talking.SAID[1] not in reply.json["response"]


@pytest.mark.parametrize("context", [None, {}, {"courseId": None}])
def test_without_a_course_all_that_the_caller_may_see_counts(ask, db, context):
    talking.lecture(db, *talking.SAID)
    owner = person(db)
    talking.lecture(db, "Mitochondria of others.", lecture_id="l2", owner_id=owner.id)
    response = ask(context=context).json["response"]
    assert talking.SAID[1] in response
    assert "of others" not in response


def test_the_app_s_history_is_what_was_said_before(ask, db, llm):
    talking.lecture(db, *talking.SAID)
    seen = []

    def speak(talk):
        seen.append(talk)
        return iter(["Yes."])

    llm.speak = speak
    history = [{"text": f"m{n}", "isUser": n % 2 == 0} for n in range(20)]
    history.append({"text": "  ", "isUser": True})
    history[-2]["text"] = "x" * 9000
    assert ask(history=history).json["response"] == "Yes."
    [talk] = seen
    assert [turn.role for turn in talk.history[:2]] == ["user", "assistant"]
    assert talk.history[0].text == "m12"
    assert len(talk.history[-1].text) == 4000


def test_what_does_not_exist_or_is_another_s_is_not_found(ask, db):
    owner = person(db)
    factories.course(db, "c9", owner_id=owner.id)
    talking.lecture(db, *talking.SAID, owner_id=owner.id)
    for context in ({"courseId": "none"}, {"courseId": "c9"}, {"lectureId": "l1"}):
        assert ask(context=context).status_code == 404


def test_without_a_transcript_no_model_is_asked(ask, db, llm):
    talking.lecture(db)
    reply = ask()
    assert reply.json["response"].startswith("There is no transcript")
    assert (reply.json["citations"], llm.calls, used(db)) == ([], 0, {})


@pytest.mark.parametrize(
    "body",
    [
        {"message": " "},
        {"message": "x" * 4001},
        {"message": "Hi", "history": [{"text": "x", "isUser": True}] * 101},
        {"message": "Hi", "history": [{"text": "x" * 20_001, "isUser": True}]},
        {"message": "Hi", "history": [{"text": "x"}]},
        {"message": "Hi", "context": {"courseId": 7}},
        {"message": "a\0b"},
        {"message": "Hi", "context": {"courseId": "a\0b"}},
        {"message": "Hi", "history": [{"text": "a\0b", "isUser": True}]},
    ],
)
def test_what_cannot_be_a_question_costs_nothing(ask, api, db, llm, body):
    talking.lecture(db, *talking.SAID)
    assert api.post("/chat", json=body).status_code == 422
    assert (llm.calls, used(db)) == (0, {})


def test_a_failing_model_is_excused_and_not_counted(ask, db, llm):
    talking.lecture(db, *talking.SAID)
    llm.errors = [ProviderUnavailable("key sk-secret is wrong")]
    reply = ask()
    assert reply.status_code == 200
    assert reply.json["response"].startswith("Sorry, I could not answer")
    assert "secret" not in reply.text
    assert sum(used(db).values()) == 0


def test_a_missing_key_is_told(ask, api, db, deps):
    talking.lecture(db, *talking.SAID)
    api.application.extensions["deps"] = with_settings(deps, plc_llm_provider="openai")
    reply = ask()
    assert (reply.status_code, reply.json["error"]["code"]) == (
        500,
        "provider_not_configured",
    )


def test_strangers_do_not_use_a_paid_model(ask, api, db, deps, llm):
    talking.lecture(db, *talking.SAID)
    api.application.extensions["deps"] = guarded(deps)
    assert ask().status_code == 401
    assert ask(headers=bearer("wrong")).status_code == 403
    assert llm.calls == 0
    assert ask(headers=bearer(WRITE_TOKEN)).status_code == 200


def test_questions_are_counted_by_person_or_address(ask, api, db, deps):
    talking.lecture(db, *talking.SAID)
    api.application.extensions["deps"] = with_settings(
        deps, wiz_user_daily_quota=1, wiz_address_daily_quota=2
    )
    ann = signed_in(deps, person(db))
    assert [ask(headers=ann).status_code for _ in range(2)] == [200, 429]
    assert [ask().status_code for _ in range(3)] == [200, 200, 429]
    reply = ask()
    assert reply.json["error"]["details"]["reset_in_seconds"] > 0
    assert reply.headers["Retry-After"]


def test_writes_are_limited_as_elsewhere(ask, api, db, deps):
    talking.lecture(db, *talking.SAID)
    api.application.extensions["deps"] = with_settings(
        deps, write_rate_limit_max_requests=1
    )
    assert [ask().status_code for _ in range(2)] == [200, 429]


def test_the_model_of_the_setting_answers(ask, api, db, deps, llm):
    talking.lecture(db, *talking.SAID)
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
