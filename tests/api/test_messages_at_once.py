"""Many questions at the same moment, with commits that are real."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from common.models import ChatQuota, Conversation, Message, User, Video
from tests.api import talking
from tests.api.guards import with_settings
from tests.api.people import guest, person, signed_in
from tests.api.test_parallel import together
from tests.conftest import make_api

QUESTION = {"message": "What do mitochondria do?"}
AT_ONCE = 50
STREAMS = 100


@pytest.fixture
def db(committed_db):
    return committed_db


@pytest.fixture
def deps(committed_deps):
    return with_settings(committed_deps, write_rate_limit_max_requests=10_000)


@pytest.fixture
def conversation(db):
    owner = person(db)
    return talking.talk(db, talking.video(db, *talking.SAID), user_id=owner.id)


def used(db):
    with db.begin() as session:
        return {row.owner: row.used for row in session.scalars(select(ChatQuota))}


def test_of_fifty_questions_at_once_as_many_are_answered_as_are_allowed(
    deps, db, conversation
):
    owner = f"user:{conversation.user_id}"
    headers = signed_in(deps, _owner(db, conversation))
    app = make_api(deps).application
    path = f"/v2/conversations/{conversation.id}/messages"

    def ask(_number):
        reply = app.test_client().post(path, json=QUESTION, headers=headers)
        return reply.status_code

    replies = together(ask, AT_ONCE)
    assert sorted(replies) == [200] * 20 + [429] * 30
    assert used(db) == {owner: 20}
    with db.begin() as session:
        rows = list(session.scalars(select(Message.role).order_by(Message.id)))
    assert rows == ["user", "assistant"] * 20


def _owner(db, conversation):
    with db.begin() as session:
        return session.get_one(User, conversation.user_id)


def test_many_session_ids_of_one_address_share_its_limit(deps, db):
    talking.video(db, *talking.SAID)
    limited = with_settings(deps, wiz_address_daily_quota=7, wiz_guest_daily_quota=2)
    app = make_api(limited).application

    def ask(number):
        client, headers = app.test_client(), guest(f"g{number}")
        about = {"video_id": talking.VIDEO}
        made = client.post("/v2/conversations", json=about, headers=headers).json
        path = f"/v2/conversations/{made['id'] if made else 0}/messages"
        return client.post(path, json=QUESTION, headers=headers).status_code

    replies = together(ask, 30)
    assert sorted(replies) == [200] * 7 + [429] * 23
    assert used(db)["address:127.0.0.1"] == 7
    assert sum(n for owner, n in used(db).items() if owner.startswith("guest")) == 7


def test_talks_about_a_new_video_make_it_once(deps, db):
    app = make_api(deps).application

    def begin(number):
        about = {"video_id": talking.VIDEO}
        client = app.test_client()
        return client.post(
            "/v2/conversations", json=about, headers=guest(f"g{number}")
        ).status_code

    assert together(begin, 20) == [201] * 20
    with db.begin() as session:
        assert len(list(session.scalars(select(Video)))) == 1
        assert len(list(session.scalars(select(Conversation)))) == 20


def test_a_hundred_streams_hold_no_connection(deps, db, llm, engine, conversation):
    speaking, go_on = threading.Semaphore(0), threading.Event()

    def speak(_talk):
        yield "One "
        speaking.release()
        assert go_on.wait(30)
        yield "two"

    llm.speak = speak
    open_to_all = with_settings(deps, wiz_user_daily_quota=1000)
    app = make_api(open_to_all).application
    headers = signed_in(deps, _owner(db, conversation))
    path = f"/v2/conversations/{conversation.id}/messages"

    def ask(_number):
        return app.test_client().post(path, json=QUESTION, headers=headers).data

    with ThreadPoolExecutor(STREAMS) as pool:
        asked = [pool.submit(ask, number) for number in range(STREAMS)]
        for _ in asked:
            assert speaking.acquire(timeout=30)
        assert engine.pool.checkedout() == 0
        me = app.test_client().get("/v2/users/me", headers=headers)
        assert me.status_code == 200
        go_on.set()
        answers = {one.result() for one in asked}
    assert answers == {
        b'data: {"content": "One "}\n\ndata: {"content": "two"}\n\ndata: [DONE]\n\n'
    }
    assert engine.pool.checkedout() == 0
