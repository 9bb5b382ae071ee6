"""Key phrases, definitions, ranking and topics."""

import pytest

from common.text.cohesion import topics
from common.text.definitions import definition
from common.text.phrases import key_phrases, lexicon
from common.text.ranking import diverse, text_rank, vectors
from common.text.statements import statements
from common.text.words import stop_words
from common.transcript import Segment

LECTURE = """
The page table maps every virtual page to a frame. Page tables are large.
A page table contains an entry for every virtual page. Let us look at time.
The time is short. We use the time. A virtual page has a number.
The thing is that the thing contains things. Virtual pages are cheap.
The operating system contains a page table for each process.
The operating system handles the page fault. A page fault takes time.
"""


def phrases(text, **options):
    said = statements([Segment(0, 1, text)])
    stop = stop_words([statement.words for statement in said])
    return key_phrases(said, lexicon(said, stop), **options)


def labels(text, **options):
    return [phrase.label for phrase in phrases(text, **options)]


def test_noun_phrases_come_first():
    assert {"virtual page", "page table"} <= set(labels(LECTURE)[:3])
    assert {"operating system", "page fault"} <= set(labels(LECTURE))


def test_filler_words_and_verbs_are_no_key_phrases():
    found = {word for label in labels(LECTURE) for word in label.split()}
    assert found.isdisjoint({"time", "thing", "things", "contains", "look", "large"})


def test_plural_and_singular_are_one_phrase():
    found = [phrase for phrase in phrases(LECTURE) if phrase.stems == ("page", "table")]
    assert [phrase.count for phrase in found] == [4]


def test_a_favoured_term_is_kept_though_it_is_said_once():
    text = LECTURE + " The inode is small."
    assert "inode" not in labels(text)
    assert "inode" in labels(text, favoured={("inode",)})


def test_a_text_without_nouns_has_no_key_phrases():
    assert labels("We do so and then it is not.") == []


@pytest.mark.parametrize(
    ("sentence", "term", "body"),
    [
        ("A cell is a small room.", "cell", "a small room"),
        (
            "so deflation is a fall of the price level",
            "deflation",
            "a fall of the price level",
        ),
        (
            "Cytokines are small proteins that carry messages.",
            "Cytokines",
            "small proteins that carry messages",
        ),
        ("By working set we mean the pages in use.", "working set", "the pages in use"),
        (
            "We define entropy as the logarithm of states.",
            "entropy",
            "the logarithm of states",
        ),
        (
            "Latency means the time until an answer comes.",
            "Latency",
            "the time until an answer comes",
        ),
        (
            "The time until an answer comes is called latency.",
            "latency",
            "The time until an answer comes",
        ),
        (
            "Thrashing occurs when memory is too small.",
            "Thrashing",
            "occurs when memory is too small",
        ),
        (
            "The law of demand says that price lowers demand.",
            "law of demand",
            "says that price lowers demand",
        ),
    ],
)
def test_a_definition_is_found_whole(sentence, term, body):
    found = definition(sentence)
    assert found is not None
    assert (found.term.lower(), found.body) == (term.lower(), body)


@pytest.mark.parametrize(
    "sentence",
    [
        "It is a small room.",
        "The reason is a small room in the cell.",
        "The cell is the same as it was before.",
        "The problem is the size of the table.",
        "A cell is a room?",
        "Today the exam is a test of what you know.",
        "The most important thing is a good night of sleep.",
        "Cells are large.",
        "The former is a thing of the past.",
        "Its cell is the room in the middle.",
        "Nearly is a word of six letters.",
        "Of cells is the beginning of a phrase.",
        "Time is what we measure with clocks.",
    ],
)
def test_what_only_looks_like_a_definition_is_none(sentence):
    assert definition(sentence) is None


def test_a_name_given_to_the_sentence_before_needs_that_sentence():
    found = definition("this is called a wage price spiral")
    assert found is not None
    assert (found.term, found.needs_before) == ("wage price spiral", True)


def test_the_row_that_shares_most_words_is_most_central():
    rows = vectors([("a", "b", "c"), ("a", "x"), ("b", "y"), ("c", "z"), ("q", "r")])
    ranks = text_rank(rows)
    assert ranks[0] == max(ranks) == 1.0
    assert ranks[4] == min(ranks)


def test_no_rows_have_no_ranks():
    assert text_rank(vectors([])) == []


def test_a_repetition_is_passed_over_for_something_new():
    rows = vectors([("a", "b", "c"), ("a", "b", "c"), ("d", "e")])
    assert diverse([0, 1, 2], lambda i: [3.0, 2.9, 1.0][i], rows, 2) == [0, 2]


def test_topics_are_cut_where_the_words_change():
    cats = [("cat", "fur", f"a{i}") for i in range(8)]
    cars = [("car", "road", f"b{i}") for i in range(8)]
    assert topics(vectors(cats + cars), 2) == [range(8), range(8, 16)]


def test_topics_cover_every_row_once():
    rows = vectors([(f"w{i % 7}", f"v{i % 5}") for i in range(60)])
    found = topics(rows, 6)
    assert [i for span in found for i in span] == list(range(60))
    assert all(len(span) >= 4 for span in found)
