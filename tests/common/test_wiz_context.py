"""What a model is shown: all that fits, else what speaks of the question."""

from uuid import uuid4

import pytest

from common import transcripts, wiz
from common.transcript import Engine, Segment, Transcript
from common.wiz import Subject
from tests import factories


@pytest.fixture
def spoken(db):
    """Save a transcript of these texts; return it as a subject."""

    def spoken(*texts, language="en", name="l1", page=False):
        found = factories.recording(db, name)
        segments = tuple(
            Segment(n * 9000, n * 9000 + 8000, said, page=n + 1 if page else None)
            for n, said in enumerate(texts)
        )
        made = Transcript(segments, language, Engine("f", "f"), 9000 * len(texts), 0)
        with db.begin() as session:
            key = f"t/{uuid4()}"
            transcripts.replace(session, found.id, None, key, made)
        return Subject(name, name.title(), found.id, language)

    return spoken


def shown(db, subjects, question, room):
    with db.begin() as session:
        return wiz.sources(session, subjects, question, room)


def long(count=200, **placed):
    """Return many sentences, some of which say something of their own."""
    texts = [f"This is filler sentence {n} of the talk." for n in range(count)]
    for number, said in placed.items():
        texts[int(number.removeprefix("n"))] = said
    return texts


def test_what_fits_is_shown_whole(db, spoken):
    subject = spoken(*long(20))
    [source] = shown(db, [subject], "anything", 2000)
    assert (source.whole, len(source.segments), source.title) == (True, 20, "L1")


def test_of_what_does_not_fit_passages_with_their_neighbours_are_shown(db, spoken):
    subject = spoken(*long(n100="Mitochondria release energy."))
    [source] = shown(db, [subject], "What do mitochondria do?", 200)
    assert not source.whole
    assert [s.start_ms // 9000 for s in source.segments] == [98, 99, 100, 101, 102]


def test_any_word_of_the_question_counts_and_the_best_come_first(db, spoken):
    subject = spoken(*long(n10="An apple.", n100="An apple and a pear."))
    [source] = shown(db, [subject], "Which apples and pears?", 80)
    assert {s.start_ms // 9000 for s in source.segments} <= {98, 99, 100, 101, 102}


def test_a_question_about_nothing_in_particular_is_shown_something_of_all(db, spoken):
    subject = spoken(*long(400))
    [source] = shown(db, [subject], "What is the gist?", 2000)
    numbers = [s.start_ms // 9000 for s in source.segments]
    assert (numbers[0], len(numbers)) == (0, 80)
    assert numbers[-1] > 380


def test_what_is_shown_never_exceeds_the_room(db, spoken):
    subject = spoken(*[f"apple {'word ' * 400}" for _ in range(30)], page=True)
    [source] = shown(db, [subject], "apple", 1000)
    assert sum(len(s.text) for s in source.segments) // 3 <= 1000


def test_a_course_is_searched_in_all_its_languages(db, spoken):
    english = spoken(*long(50, n7="The cats were running."), name="l1")
    german = spoken("Die Katzen liefen.", "Danach nicht.", language="de", name="l2")
    spoken("A cat of another course.", name="l3")
    sources = shown(db, [english, german], "cat Katze", None)
    assert sorted(source.id for source in sources) == ["l1", "l2"]
    assert all("another course" not in s.text for x in sources for s in x.segments)


def test_a_question_of_operators_is_only_words(db, spoken):
    subject = spoken(*long(n100="Mitochondria release energy."))
    for question in ("mitochondria & | ! <-> ( :* '", "';drop table--", "\\", "%_"):
        assert shown(db, [subject], question, 500)


def test_it_takes_three_statements_at_most(db, spoken, statements):
    subject = spoken(*long())
    for question, room, most in (("x", None, 1), ("filler", 500, 2), ("zzz", 500, 3)):
        statements.clear()
        shown(db, [subject], question, room)
        assert len(statements) == most
