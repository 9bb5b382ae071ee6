"""The note that a person left empty is written, and never over what a person wrote."""

import pytest
from sqlalchemy import select, update

from common import jobs
from common.errors import ProviderAuthError, ProviderBusy, ProviderUnavailable
from common.jobs import AiNote
from common.models import Job, Note, User
from common.providers.llm import Reply
from common.providers.llm.extractive import ExtractiveModel
from common.usage import Estimate, Usage
from tests import video_steps
from tests.api.people import person
from tests.video_steps import LINES


@pytest.fixture
def ann(db):
    return person(db, ai_notes_enabled=True)


@pytest.fixture
def heard(db):
    """A video with a transcript."""
    found = video_steps.video(db)
    video_steps.heard(db, found)
    return found


@pytest.fixture
def write(db, deps, worker, queue):
    """Have the note written; return it and its job."""

    def run(note):
        with db.begin() as session:
            id_, _ = jobs.enqueue(session, AiNote(note_id=note.id, provider="fake"))
        jobs.drain(deps.db, deps.queue.send)
        worker.run_all(queue)
        with db.begin() as session:
            return session.get(Note, note.id), session.get_one(Job, id_)

    return run


def test_a_note_says_what_is_said_at_its_moment(db, ann, heard, write):
    note, job = write(video_steps.note(db, ann, timestamp="0:14"))
    assert (job.state, job.result) == (
        "succeeded",
        {"noteId": note.id, "written": True},
    )
    assert note.text == LINES[2]["text"]
    assert note.generated_by_ai
    assert note.ai_error is None


def test_what_a_person_wrote_is_left_alone(db, ann, heard, write, llm):
    note, job = write(video_steps.note(db, ann, text="Mine"))
    assert (note.text, note.generated_by_ai) == ("Mine", False)
    assert (job.state, job.result["written"]) == ("succeeded", False)
    assert llm.calls == 0


@pytest.mark.parametrize("typed", ["Mine", ""])
def test_so_is_what_a_person_writes_meanwhile(db, ann, heard, write, llm, typed):
    """W30: the model takes seconds, in which people type."""

    def slow(material, remember):
        with db.begin() as session:
            session.execute(update(Note).values(text=typed))
        return ExtractiveModel().brief(material, remember)

    llm.brief = slow
    note, job = write(video_steps.note(db, ann))
    assert (note.text, note.generated_by_ai) == (typed, False)
    assert job.state == "succeeded"


def test_who_wants_no_more_notes_gets_none(db, ann, heard, write, llm):
    with db.begin() as session:
        session.execute(update(User).values(ai_notes_enabled=False))
    note, _ = write(video_steps.note(db, ann))
    assert (note.text, llm.calls) == (None, 0)


def test_a_note_that_was_deleted_is_no_failure(db, ann, heard, write):
    note = video_steps.note(db, ann)
    with db.begin() as session:
        session.delete(session.get_one(Note, note.id))
    assert write(note)[1].state == "succeeded"


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [("10:00", "nothing_said"), ("x1:2", "timestamp_unreadable")],
)
def test_where_nothing_is_said_nothing_is_made_up(
    db, ann, heard, write, llm, timestamp, reason
):
    note, job = write(video_steps.note(db, ann, timestamp=timestamp))
    assert (note.text, note.ai_error, llm.calls) == (None, reason, 0)
    assert (job.state, job.error_code) == ("failed", reason)


def test_a_failure_is_told_to_the_owner_of_the_note(db, ann, heard, write, llm):
    llm.errors = [ProviderAuthError("no")]
    note, _ = write(video_steps.note(db, ann))
    assert (note.text, note.ai_error) == (None, "provider_auth")


@pytest.mark.parametrize("error", [ProviderUnavailable(), ProviderBusy()])
def test_a_model_that_is_away_is_asked_again(db, ann, heard, write, llm, error):
    llm.errors = [error]
    note, _ = write(video_steps.note(db, ann))
    assert note.text
    assert (note.ai_error, llm.calls) == (None, 2)


def test_a_paid_answer_is_paid_for_once(db, ann, heard, write, llm):
    paid, breaks = [], [ProviderUnavailable()]

    def answer():
        paid.append(1)
        return Reply({"text": "x"}, Usage("fake", "fake-llm", input_tokens=10))

    def brief(material, remember):
        remember("note", answer, Estimate("fake", "fake-llm", 0))
        if breaks:
            raise breaks.pop()
        return ExtractiveModel().brief(material, remember)

    llm.brief = brief
    note, job = write(video_steps.note(db, ann))
    assert (job.state, job.attempt, len(paid)) == ("succeeded", 2, 1)
    assert note.text


def test_what_the_day_s_budget_never_allows_is_not_asked(
    db, ann, heard, write, llm, deps
):
    object.__setattr__(
        deps, "settings", deps.settings.model_copy(update={"daily_budget_usd": 0.01})
    )
    dear = Estimate("openai", "gpt-5.4-mini", 500_000)
    llm.brief = lambda _, remember: remember("note", pytest.fail, dear)
    note, _ = write(video_steps.note(db, ann))
    assert (note.text, note.ai_error) == (None, "budget_too_small")


def test_the_model_reads_what_surrounds_the_moment_and_no_more(db, ann, write, llm):
    lines = [
        {"text": f"Sentence number {n} of the talk says a thing.", "offset": n * 10.0}
        for n in range(100)
    ]
    video_steps.heard(db, video_steps.video(db, title="A talk"), lines)
    seen = []

    def brief(material, remember):
        seen.append(material)
        return ExtractiveModel().brief(material, remember)

    llm.brief = brief
    note, _ = write(video_steps.note(db, ann, timestamp="8:20"))
    assert "number 50" in note.text
    assert [one.start_ms for one in seen[0].around] == [
        n * 10_000 for n in range(35, 66)
    ]
    assert (seen[0].title, seen[0].at_ms) == ("A talk", 500_000)


def test_only_one_note_is_changed(db, ann, heard, write):
    other = video_steps.note(db, ann)
    write(video_steps.note(db, ann))
    with db.begin() as session:
        assert session.scalar(select(Note.text).where(Note.id == other.id)) is None
