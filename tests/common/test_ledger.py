from sqlalchemy import select

from common import ledger
from common.ids import new_id
from common.models import UsageEntry
from common.usage import Usage
from tests.common.job_steps import together

USED = Usage("fake", "fake-1", audio_ms=2500, input_tokens=7, output_tokens=3)


def record(db, key, document, job_id=None, usage=USED):
    with db.begin() as session:
        ledger.record(session, key, document, usage=usage, job_id=job_id or new_id())


def recall(db, key):
    with db.begin() as session:
        return ledger.recall(session, key)


def entries(db):
    with db.begin() as session:
        return list(session.scalars(select(UsageEntry).order_by(UsageEntry.id)))


def test_a_key_does_not_depend_on_the_order_of_its_parts():
    assert ledger.key(a=1, b="two") == ledger.key(b="two", a=1)


def test_every_part_of_a_question_makes_another_key():
    keys = {
        ledger.key(need="speech", sha256="x", model="m"),
        ledger.key(need="speech", sha256="y", model="m"),
        ledger.key(need="speech", sha256="x", model="n"),
        ledger.key(need="speech", sha256="x", model=None),
        ledger.key(need="speech", sha256="x"),
        ledger.key(need="llm", sha256="x", model="m"),
    }

    assert len(keys) == 6


def test_an_id_may_be_part_of_a_key():
    job_id = new_id()

    assert ledger.key(job_id=job_id) == ledger.key(job_id=str(job_id))


def test_a_question_never_asked_has_no_answer(db):
    assert recall(db, ledger.key(step="one")) is None


def test_an_answer_is_kept_as_it_came(db):
    answer = {"segments": [], "text": "Grüße \u2028 你好", "n": 1.5, "none": None}

    record(db, "k", answer)

    assert recall(db, "k") == answer


def test_each_call_is_written_down_with_what_it_used(db):
    job_id = new_id()

    record(db, "k", {}, job_id)

    [entry] = entries(db)
    assert (entry.job_id, entry.provider, entry.model) == (job_id, "fake", "fake-1")
    assert (entry.audio_ms, entry.input_tokens, entry.output_tokens) == (2500, 7, 3)
    assert entry.cost_usd_micros is None


def test_a_known_price_is_kept_to_the_millionth(db):
    record(db, "k", {}, usage=Usage("openai", "large", cost_usd_micros=3_000_000_001))

    assert entries(db)[0].cost_usd_micros == 3_000_000_001


def test_a_second_answer_is_paid_for_but_not_kept(db):
    record(db, "k", {"said": "first"})
    record(db, "k", {"said": "second"})

    assert recall(db, "k") == {"said": "first"}
    assert len(entries(db)) == 2


def test_two_that_asked_at_once_both_paid_and_agree(committed_db):
    together(
        lambda: record(committed_db, "k", {"said": "one"}),
        lambda: record(committed_db, "k", {"said": "two"}),
    )

    assert recall(committed_db, "k") in ({"said": "one"}, {"said": "two"})
    assert len(entries(committed_db)) == 2
