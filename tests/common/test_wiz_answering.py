"""An answer from its first word to its row: with real commits, and no reader needed."""

import pytest
from sqlalchemy import func, select

from common import wiz
from common.errors import ProviderError, ProviderUnavailable
from common.models import BudgetDay, UsageEntry
from common.providers import catalog
from common.talk import Source, Talk
from common.transcript import Segment
from common.usage import Usage
from common.wiz import answering
from tests.api.guards import with_settings

TALK = Talk([Source("l1", "Cells", "en", [Segment(0, 9000, "Cells live.")])], "What?")
COST = Usage("fake", "f", input_tokens=9, output_tokens=9, cost_usd_micros=500)


@pytest.fixture
def kept():
    return []


@pytest.fixture
def undone():
    return []


@pytest.fixture
def begin(deps, llm, kept, undone, monkeypatch):
    known = catalog.chat_model("gpt-5.4-mini")
    monkeypatch.setattr(catalog, "chat_model", lambda _name: known)

    def begin(*pieces):
        llm.speak = lambda _talk: iter(pieces)
        return wiz.begin(
            with_settings(deps, daily_budget_usd=1.0),
            llm,
            TALK,
            keep=lambda _session, answer: kept.append(answer),
            undo=lambda _session: undone.append(True),
        )

    return begin


def spent(db):
    with db.begin() as session:
        return session.scalar(select(func.sum(BudgetDay.usd_micros)))


def test_pieces_come_and_then_the_whole(begin, kept, undone, db):
    found = begin("\n Cells ", "live ", "[0:00].", COST)
    assert spent(db) > 500  # what it may cost is set aside
    assert list(found) == ["Cells ", "live ", "[00:00]."]
    assert found.answer is kept[0]
    assert kept[0].text == "Cells live [00:00]."
    assert [one["quote"] for one in kept[0].citations] == ["Cells live."]
    assert (undone, spent(db)) == ([], 500)


def test_it_is_kept_before_its_last_piece_is_told(begin, kept):
    pieces = iter(begin("One ", "two", COST))
    assert next(pieces) == "One "
    assert kept == []
    assert next(pieces) == "two"
    assert kept[0].text == "One two"


def test_what_is_never_asked_for_is_undone(begin, kept, undone, db, llm):
    found = begin("One")
    found.close()
    found.close()
    assert (kept, undone, spent(db), llm.calls) == ([], [True], 0, 0)


def test_who_leaves_in_the_middle_has_it_kept(begin, kept, undone):
    found = begin("One ", "two ", "three")
    next(found)
    found.close()
    found.close()
    assert ([one.text for one in kept], undone) == (["One two three"], [])


def test_an_answer_without_its_usage_stays_as_dear_as_it_may_be(begin, db):
    found = begin("One")
    before = spent(db)
    list(found)
    assert spent(db) == before
    with db.begin() as session:
        [entry] = session.scalars(select(UsageEntry))
    assert entry.cost_usd_micros is None


def test_an_answer_that_takes_too_long_ends_even_without_a_reader(
    begin, kept, undone, monkeypatch
):
    monkeypatch.setattr(answering, "_MOST_SECONDS", -1.0)
    with pytest.raises(ProviderUnavailable, match="too long"):
        list(begin("One"))
    assert (kept, undone) == ([], [True])


def test_a_failure_may_have_cost_what_was_set_aside(begin, llm, db, undone):
    found = begin()
    llm.errors = [ProviderError("no")]
    before = spent(db)
    with pytest.raises(ProviderError):
        list(found)
    assert (spent(db), undone) == (before, [True])


def test_no_connection_is_held_while_the_model_speaks(committed_deps, llm, engine):
    def speak(_talk):
        for _ in range(3):
            assert engine.pool.checkedout() == 0
            yield "word "

    llm.speak = speak
    found = wiz.begin(
        committed_deps,
        llm,
        TALK,
        keep=lambda session, _answer: session.flush(),
        undo=lambda _session: None,
    )
    for _ in found:
        assert engine.pool.checkedout() == 0
