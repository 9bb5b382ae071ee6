"""Short texts: cut at a good place, and chosen from what was said."""

import pytest

from common.briefs import BriefMaterial, fitted
from common.errors import ProviderError
from common.providers.llm.extractive import ExtractiveModel
from common.transcript import Segment
from tests.contract.llm_material import Memory

SAID = (
    "A cell is the smallest unit of life that can live alone.",
    "Mitochondria are organelles that release the energy of food.",
    "The nucleus is the part of the cell that holds its DNA.",
    "Osmosis is the movement of water through a membrane.",
    "Plants build sugar from light, which is called photosynthesis.",
    "Yes.",
    "Proteins are chains of amino acids that fold into a shape.",
    "Enzymes are proteins that speed up reactions in the cell.",
)


def material(said=SAID, at_ms=None, title=None, gap_ms=6000):
    segments = [
        Segment(n * gap_ms, n * gap_ms + 5000, text) for n, text in enumerate(said)
    ]
    return BriefMaterial(title, "en", segments, at_ms)


def brief(*args, **kwargs):
    memory = Memory()
    found = ExtractiveModel().brief(material(*args, **kwargs), memory)
    assert memory.usages == []
    return found


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("short", 10, "short"),
        (" two\n lines ", 10, "two lines"),
        ("exactly 10", 10, "exactly 10"),
        ("One is here. Two is not there", 20, "One is here."),
        ("A. Two words and more of them", 20, "A. Two words and…"),
        ("Is it so? " + "x" * 20, 12, "Is it so?"),
        ("word, " * 10, 12, "word, word…"),
        ("x" * 30, 10, "xxxxxxxxx…"),
    ],
)
def test_a_text_is_cut_where_a_reader_can_stop(text, most, expected):
    assert fitted(text, most) == expected
    assert len(fitted(text, most)) <= most


@pytest.mark.parametrize(
    ("at_ms", "place"), [(0, 0), (7_000, 1), (11_900, 2), (23_000, 3), (999_000, 7)]
)
def test_a_note_is_the_sentence_at_its_moment(at_ms, place):
    assert brief(at_ms=at_ms).text == SAID[place]


def test_a_sentence_that_says_little_gets_its_neighbour():
    assert brief(at_ms=31_000).text == f"Yes. {SAID[6]}"


def test_a_long_sentence_becomes_a_line():
    text = brief(["It is said that " + "very " * 60 + "much matters."], at_ms=0).text
    assert 40 <= len(text) <= 120


def test_where_hardly_anything_is_said_the_note_is_short():
    assert brief(["Hello there."], at_ms=0).text == "Hello there."


@pytest.mark.parametrize("times", [1, 5, 40])
def test_a_summary_has_the_length_that_clients_show(times):
    said = [text.replace("cell", f"cell {n}") for n in range(times) for text in SAID]
    found = brief(said)
    assert 200 <= len(found.text) <= 800
    assert len(set(found.questions)) == 3
    assert all(20 <= len(question) <= 120 for question in found.questions)


def test_the_sentences_of_a_summary_are_in_their_order():
    text = brief().text
    places = [text.find(said) for said in SAID if said in text]
    assert len(places) > 2
    assert places == sorted(places)


def test_it_asks_about_the_terms_of_the_video():
    assert "What is meant by “osmosis” in this video?" in brief().questions


def test_a_video_of_a_few_words_has_three_questions_too():
    found = brief(["Hello there."])
    assert found.text == "Hello there."
    assert len(set(found.questions)) == 3


@pytest.mark.parametrize("at_ms", [None, 5])
def test_about_silence_nothing_is_written(at_ms):
    with pytest.raises(ProviderError) as caught:
        brief([], at_ms=at_ms)
    assert caught.value.code == "transcript_empty"


def test_how_far_the_next_word_is_from_a_moment():
    assert material(at_ms=47_500).nearest_ms == 500
    assert material(at_ms=43_000).nearest_ms == 0
    assert material([], at_ms=0).nearest_ms is None
