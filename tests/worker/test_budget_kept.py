"""Jobs within the budget of a day: paid calls stop in time, and go on tomorrow."""

import pytest
from sqlalchemy import func, select, text

from common import budget
from common.errors import ProviderBusy, ProviderError, ProviderUnavailable
from common.models import BudgetReservation, Job, UsageEntry
from common.providers.llm import Reply
from common.providers.llm.extractive import ExtractiveModel
from common.transcript import Engine
from common.usage import Estimate, Usage
from tests import invariants

WHISPER = Engine("openai", "whisper-1")  # 0.006 dollars a minute
FOUR_SECONDS = 400  # of that, in millionths
CENT = 10_000


class PaidModel:
    """A model that may cost fifty cents, and costs two."""

    engine = Engine("openai", "gpt-5.4-mini")

    def __init__(self, most=50 * CENT):
        self.most = Estimate("openai", "gpt-5.4-mini", most)
        self.errors = []
        self.calls = 0

    def study(self, material, remember):
        remember("draft", self._answer, self.most)
        return ExtractiveModel().study(material, remember)

    def _answer(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        used = Usage("openai", "gpt-5.4-mini", cost_usd_micros=2 * CENT)
        return Reply({"said": "yes"}, used)


@pytest.fixture
def settings(request, settings):
    """A dollar a day, or what the test is run with."""
    limit = getattr(request, "param", 1.0)
    return settings.model_copy(update={"daily_budget_usd": limit})


@pytest.fixture
def speech(speech):
    speech.engine = Engine("pocketsphinx", "en-us")
    return speech


@pytest.fixture
def paid(llm):
    """Have the study material written by somebody who wants money for it."""
    model = PaidModel()
    llm.study = model.study
    return model


@pytest.fixture
def generate(api, worker, queue, ingest):
    """Ask for study material and deliver its job once; return the job's id."""
    ingest()
    worker.run_all(queue)

    def ask():
        job_id = api.post("/lectures/l1/generate", json={}).json["jobId"]
        deliver(worker, queue)
        return job_id

    return ask


def deliver(worker, queue):
    for task in queue.take():
        worker.post(f"/tasks/{task.job_id}", {"seq": task.dispatch_seq})


def job(db, job_id):
    with db.begin() as session:
        return session.get_one(Job, job_id)


def spent(db):
    with db.begin() as session:
        return budget.spent_today(session)


def spend(db, micros):
    with db.begin() as session:
        budget.settle(session, None, micros)


def end_the_day(db):
    with db.begin() as session:
        session.execute(text("update budget_days set day = day - 1"))


def standing(db):
    with db.begin() as session:
        return session.scalar(select(func.count(BudgetReservation.id)))


def test_a_draft_costs_what_it_costs_not_what_it_may(generate, paid, db):
    assert job(db, generate()).state == "succeeded"
    assert (spent(db), standing(db)) == (2 * CENT, 0)


def test_what_the_day_does_not_allow_waits_for_the_next(generate, paid, db):
    spend(db, 51 * CENT)
    found = job(db, generate())
    assert paid.calls == 0
    assert (found.state, found.attempt) == ("queued", 0)
    assert found.error_code == "budget_exhausted"
    assert "goes on at 00:00 UTC" in found.error_detail
    with db.begin() as session:
        midnight = func.date_trunc("day", func.now(), "utc") + func.make_interval(
            0, 0, 0, 1
        )
        late = session.scalar(select(func.now() + (found.available_at - midnight)))
        now = session.scalar(select(func.now()))
    assert abs((late - now).total_seconds()) < 60
    invariants.check(db)


def test_the_next_day_it_goes_on_by_itself(generate, paid, db, worker, queue):
    spend(db, 51 * CENT)
    job_id = generate()
    end_the_day(db)
    deliver(worker, queue)
    assert job(db, job_id).state == "succeeded"
    assert paid.calls == 1


def test_what_no_day_allows_fails_at_once(generate, paid, db):
    paid.most = Estimate("openai", "gpt-5.4-mini", 101 * CENT)
    found = job(db, generate())
    assert (found.state, found.error_code) == ("failed", "budget_too_small")
    assert paid.calls == 0


def test_a_price_that_nobody_knows_fails_at_once(generate, paid, db):
    paid.most = Estimate("openai", "mystery", None)
    found = job(db, generate())
    assert (found.state, found.error_code) == ("failed", "price_unknown")
    assert "openai/mystery" in found.error_detail


@pytest.mark.parametrize(
    ("error", "held"),
    [(ProviderBusy, 0), (ProviderUnavailable, 50 * CENT), (ProviderError, 50 * CENT)],
)
def test_only_what_was_surely_free_is_given_back(generate, paid, db, error, held):
    paid.errors = [error()]
    generate()
    assert spent(db) == held
    assert standing(db) == (held > 0)


def test_a_refused_key_costs_nothing(generate, paid, db):
    refused = ProviderError()
    refused.may_cost = False
    paid.errors = [refused]
    assert job(db, generate()).state == "failed"
    assert spent(db) == 0


def test_a_remembered_answer_is_free_even_without_money(
    generate, paid, db, llm, worker, queue
):
    llm.study = break_after(paid, llm)
    job_id = generate()
    spend(db, 99 * CENT)
    deliver(worker, queue)
    assert job(db, job_id).state == "succeeded"
    assert paid.calls == 1


def break_after(paid, llm):
    """Let the connection break once the answer is saved."""

    def study(material, remember):
        draft = paid.study(material, remember)
        if llm.study is study:
            llm.study = paid.study
            raise ProviderUnavailable
        return draft

    return study


def test_sound_is_reserved_by_its_length(ingest, worker, queue, speech, db):
    speech.engine = WHISPER
    ingest()
    worker.run_all(queue)
    assert speech.calls == 1
    # The answer does not say what it did cost.
    assert (spent(db), standing(db)) == (FOUR_SECONDS, 0)


def test_sound_that_nobody_can_pay_waits(ingest, worker, queue, speech, db):
    speech.engine = WHISPER
    spend(db, 100 * CENT - FOUR_SECONDS + 1)
    ingest()
    deliver(worker, queue)
    with db.begin() as session:
        [found] = session.scalars(select(Job))
    assert (found.state, found.error_code) == ("queued", "budget_exhausted")
    assert speech.calls == 0


def test_what_runs_here_goes_on_without_money(ingest, worker, queue, speech, db):
    spend(db, 100 * CENT)
    ingest()
    worker.run_all(queue)
    assert speech.calls == 1
    assert spent(db) == 100 * CENT


@pytest.mark.parametrize("settings", [None], indirect=True)
def test_without_a_budget_costs_are_counted_all_the_same(generate, paid, db):
    paid.most = Estimate("openai", "mystery", None)
    assert job(db, generate()).state == "succeeded"
    assert spent(db) == 2 * CENT
    with db.begin() as session:
        costs = session.scalars(select(UsageEntry.cost_usd_micros)).all()
    assert 2 * CENT in costs
