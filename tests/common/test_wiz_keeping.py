"""What is kept of talks: counts for their day, guests' talks for some weeks."""

import pytest
from sqlalchemy import func, select, text

from common.models import ChatQuota, Conversation, Message
from common.wiz import guests, quotas
from common.wiz.quotas import Allowance, DailyLimit
from tests import factories
from tests.api import talking
from tests.api.people import person

ANN = Allowance("user:1", 2, "Two a day.")
HOUSE = Allowance("address:192.0.2.1", 3, "Three a day.")


def used(db):
    with db.begin() as session:
        return {row.owner: row.used for row in session.scalars(select(ChatQuota))}


def take(db, *allowances):
    with db.begin() as session:
        return quotas.take(session, allowances)


def test_a_question_is_counted_against_all_or_none(db):
    take(db, ANN, HOUSE)
    take(db, ANN, HOUSE)
    with pytest.raises(DailyLimit, match="Two a day"):
        take(db, HOUSE, ANN)
    assert used(db) == {"user:1": 2, "address:192.0.2.1": 2}


def test_the_limit_says_how_long_the_day_still_is(db):
    take(db, ANN)
    take(db, ANN)
    with pytest.raises(DailyLimit) as refused:
        take(db, ANN)
    left = refused.value.retry_after_seconds
    assert 0 < left <= 86_400
    assert refused.value.details == {"reset_in_seconds": left}


def test_what_is_given_back_can_be_taken_again(db):
    take(db, ANN)
    taken = take(db, ANN)
    with db.begin() as session:
        quotas.give_back(session, taken)
    take(db, ANN)
    assert used(db) == {"user:1": 2}


def test_nothing_is_given_back_twice_below_zero(db):
    taken = take(db, ANN)
    for _ in range(3):
        with db.begin() as session:
            quotas.give_back(session, taken)
    assert used(db) == {"user:1": 0}


def test_a_new_day_counts_from_nothing(db):
    take(db, ANN)
    with db.begin() as session:
        session.execute(text("update chat_quotas set day = day - 1, used = 2"))
    take(db, ANN)
    with db.begin() as session:
        quotas.forget_old(session)
    assert used(db) == {"user:1": 1}


def test_talks_of_guests_go_after_some_weeks_with_what_was_said(db):
    found = talking.video(db)
    old, young = (talking.talk(db, found, guest=f"{n:064}") for n in range(2))
    persons = talking.talk(db, found, user_id=person(db).id)
    for talk in (old, young, persons):
        row = {"conversation_id": talk.id, "role": "user", "content": "Hi"}
        factories.save(db, Message(**row))
    with db.begin() as session:
        session.execute(
            text("update conversations set updated_at = now() - interval '31 days'")
        )
        session.execute(
            text("update conversations set updated_at = now() where id = :id"),
            {"id": young.id},
        )
        guests.forget_old(session)
    with db.begin() as session:
        left = set(session.scalars(select(Conversation.id)))
        said = session.scalar(select(func.count()).select_from(Message))
    assert (left, said) == ({young.id, persons.id}, 2)
