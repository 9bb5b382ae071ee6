"""The daily budget: what may be spent is decided by the database, for all at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from common import budget, ledger
from common.errors import BudgetExhausted, BudgetRefused
from common.ids import new_id
from common.models import BudgetDay, BudgetReservation
from common.usage import Estimate, Usage

CENT = 10_000
LOCAL = Estimate("pocketsphinx", "en-us", 0)
UNKNOWN = Estimate("openai", "mystery", None)


def call(cents):
    return Estimate("openai", "large", cents * CENT)


def reserve(db, cents, limit_usd=1.0):
    with db.begin() as session:
        return budget.reserve(session, limit_usd, call(cents))


def settle(db, reservation, cents):
    with db.begin() as session:
        micros = None if cents is None else round(cents * CENT)
        budget.settle(session, reservation, micros)


def release(db, reservation):
    with db.begin() as session:
        budget.release(session, reservation)


def spent_cents(db):
    with db.begin() as session:
        return budget.spent_today(session) / CENT


def standing(db):
    with db.begin() as session:
        return len(session.scalars(select(BudgetReservation.id)).all())


def test_what_is_set_aside_counts_as_spent(db):
    reserve(db, 30)
    reserve(db, 20)
    assert spent_cents(db) == 50


def test_the_last_cent_may_be_spent(db):
    assert reserve(db, 100) is not None
    with pytest.raises(BudgetExhausted):
        reserve(db, 1)


def test_what_is_refused_sets_nothing_aside(db):
    reserve(db, 60)
    with pytest.raises(BudgetExhausted):
        reserve(db, 41)
    assert (spent_cents(db), standing(db)) == (60, 1)
    assert reserve(db, 40) is not None


def test_one_who_is_refused_learns_how_long_to_wait(db):
    reserve(db, 100)
    with pytest.raises(BudgetExhausted, match=r"1\.00 US dollars") as caught:
        reserve(db, 1)
    seconds = caught.value.retry_after_seconds or 0
    now = datetime.now(UTC)
    today = (now - now.replace(hour=0, minute=0, second=0)).total_seconds()
    assert 0 <= seconds <= 86_400
    assert min(abs(seconds + today - 86_400), seconds) < 60


def test_the_real_cost_takes_the_place_of_what_was_set_aside(db):
    settle(db, reserve(db, 80), 5)
    assert (spent_cents(db), standing(db)) == (5, 0)


def test_a_call_that_cost_more_than_thought_is_counted_in_full(db):
    settle(db, reserve(db, 90), 120)
    assert spent_cents(db) == 120


def test_a_cost_that_nobody_knows_stays_what_was_set_aside(db):
    settle(db, reserve(db, 80), None)
    assert (spent_cents(db), standing(db)) == (80, 0)


def test_what_is_given_back_may_be_spent_again(db):
    release(db, reserve(db, 80))
    assert (spent_cents(db), standing(db)) == (0, 0)
    assert reserve(db, 100) is not None


def test_giving_back_twice_is_giving_back_once(db):
    kept, given = reserve(db, 10), reserve(db, 20)
    release(db, given)
    release(db, given)
    assert (spent_cents(db), kept is not None) == (10, True)


def test_without_a_reservation_the_cost_is_counted_today(db):
    settle(db, None, 7)
    settle(db, new_id(), 2)
    assert spent_cents(db) == 9


def test_a_reservation_is_settled_in_its_own_day(db):
    reservation = reserve(db, 50)
    with db.begin() as session:
        session.execute(text("insert into budget_days values ('2020-01-01', 500000)"))
        session.execute(text("update budget_reservations set day = '2020-01-01'"))
    settle(db, reservation, 3)
    with db.begin() as session:
        then = session.get_one(BudgetDay, datetime(2020, 1, 1, tzinfo=UTC).date())
        assert then.usd_micros == 3 * CENT
    assert spent_cents(db) == 50


def test_a_new_day_has_a_new_budget(db):
    reserve(db, 100)
    with db.begin() as session:
        session.execute(text("insert into budget_days values ('2020-01-01', 0)"))
        session.execute(text("update budget_reservations set day = '2020-01-01'"))
        session.execute(text("delete from budget_days where day > '2020-01-01'"))
    assert reserve(db, 100) is not None


def test_without_a_limit_nothing_is_set_aside(db):
    assert reserve(db, 9_000_000, limit_usd=None) is None
    assert (spent_cents(db), standing(db)) == (0, 0)


def test_what_runs_here_is_free_even_when_all_is_spent(db):
    reserve(db, 100)
    with db.begin() as session:
        assert budget.reserve(session, 1.0, LOCAL) is None


def test_a_price_that_nobody_knows_is_refused(db):
    with db.begin() as session, pytest.raises(BudgetRefused, match="mystery") as caught:
        budget.reserve(session, 1.0, UNKNOWN)
    assert (caught.value.code, caught.value.retryable) == ("price_unknown", False)


def test_without_a_limit_an_unknown_price_is_no_matter(db):
    with db.begin() as session:
        assert budget.reserve(session, None, UNKNOWN) is None


def test_a_call_larger_than_the_whole_day_is_never_allowed(db):
    with pytest.raises(BudgetRefused, match=r"may cost 1\.01 US dollars") as caught:
        reserve(db, 101)
    assert caught.value.code == "budget_too_small"


def test_a_budget_of_nothing_allows_nothing(db):
    with pytest.raises(BudgetRefused):
        reserve(db, 1, limit_usd=0)


@pytest.mark.parametrize("day_exists", [False, True])
def test_a_hundred_at_once_are_admitted_as_far_as_the_money_goes(
    committed_db, day_exists
):
    if day_exists:
        settle(committed_db, None, 0.5)

    def one(_number):
        try:
            return reserve(committed_db, 3) is not None
        except BudgetExhausted:
            return False

    with ThreadPoolExecutor(25) as pool:
        admitted = sum(pool.map(one, range(100)))
    assert admitted == 33
    assert spent_cents(committed_db) == 99 + (0.5 if day_exists else 0)
    assert standing(committed_db) == 33


def test_spending_and_giving_back_at_once_loses_no_cent(committed_db):
    def one(number):
        reservation = reserve(committed_db, 1, limit_usd=100)
        assert reservation is not None
        match number % 3:
            case 0:
                release(committed_db, reservation)
            case 1:
                settle(committed_db, reservation, 0.25)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(90)))
    assert spent_cents(committed_db) == 30 * 0.25 + 30
    assert standing(committed_db) == 30


def test_an_answer_and_its_cost_are_saved_together(db):
    reservation = reserve(db, 50)
    used = Usage("openai", "large", cost_usd_micros=4 * CENT)
    with db.begin() as session:
        ledger.record(session, "k", {}, usage=used, job_id=new_id())
        budget.settle(session, reservation, used.cost_usd_micros)
    assert (spent_cents(db), standing(db)) == (4, 0)


def test_an_answer_that_is_not_saved_stays_set_aside(committed_db):
    reservation = reserve(committed_db, 50)
    used = Usage("openai", "large", cost_usd_micros=4 * CENT)
    session = committed_db()
    ledger.record(session, "k", {}, usage=used, job_id=new_id())
    budget.settle(session, reservation, used.cost_usd_micros)
    session.close()  # the process dies before it is committed
    assert (spent_cents(committed_db), standing(committed_db)) == (50, 1)


def test_old_days_are_forgotten(db):
    reserve(db, 10)
    with db.begin() as session:
        session.execute(text("insert into budget_days values ('2020-01-01', 500000)"))
        budget.forget_old(session)
        assert session.scalars(select(BudgetDay.usd_micros)).all() == [10 * CENT]
    assert standing(db) == 1
