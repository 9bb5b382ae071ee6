"""From segments to statements."""

import pytest

from common.text.cues import is_question, is_talk, readable, stands_alone
from common.text.statements import statements
from common.text.words import content_stems, stem, stop_words, words
from common.transcript import LOW_CONFIDENCE, Segment


def spoken(*texts, pause_ms=1000):
    return [
        Segment(i * 5000, (i + 1) * 5000 - pause_ms, text)
        for i, text in enumerate(texts)
    ]


def texts(segments):
    return [statement.text for statement in statements(segments)]


def test_a_sentence_is_joined_across_segments():
    found = texts(spoken("Cells divide. The nucleus", "holds the genes. It is small."))
    assert found == ["Cells divide.", "The nucleus holds the genes.", "It is small."]


def test_abbreviations_and_decimals_do_not_end_a_sentence():
    said = "Dr. Smith measured 3.5 volts, e.g. At night. Then it rained."
    assert texts(spoken(said)) == [
        "Dr. Smith measured 3.5 volts, e.g. At night.",
        "Then it rained.",
    ]


def test_without_punctuation_pauses_end_statements():
    assert texts(
        spoken("cells divide when they are large", "the nucleus goes first")
    ) == [
        "cells divide when they are large",
        "the nucleus goes first",
    ]


def test_a_scrap_is_joined_to_what_follows_at_once():
    said = spoken("the cell", "divides when it is large", pause_ms=100)
    assert texts(said) == ["the cell divides when it is large"]


def test_an_endless_statement_is_cut_where_the_speaker_turns():
    said = " so ".join(f"clause number {i} has some eight words here" for i in range(9))
    found = texts(spoken(said))
    assert len(found) > 1
    assert all(text.startswith(("clause", "so clause")) for text in found)
    assert " ".join(found) == said


def test_what_is_repeated_is_kept_once():
    assert texts(spoken(*["the same words again and again"] * 50)) == [
        "the same words again and again"
    ]


def test_shouted_text_is_read_in_ordinary_case_and_quoted_as_it_is():
    [statement] = statements(spoken("THE CELL DIVIDES WHEN IT IS LARGE"))
    assert statement.clean == "the cell divides when it is large"
    assert statement.text.isupper()


def test_times_and_doubts_are_those_of_the_segments():
    segments = [
        Segment(0, 1000, "The cell"),
        Segment(1000, 2000, "divides.", flags=(LOW_CONFIDENCE,)),
    ]
    [statement] = statements(segments)
    assert (statement.start_ms, statement.end_ms, statement.doubtful) == (0, 2000, True)


def test_a_sentence_that_never_ends_is_ended():
    said = spoken("Cells divide. Then they rest.", *["and they go on"] * 15)
    assert max(len(text.split()) for text in texts(said)) < 55


def test_what_comes_last_is_kept_without_a_full_stop():
    assert texts(spoken("Cells divide. They rest. And then")) == [
        "Cells divide.",
        "They rest.",
        "And then",
    ]


def test_scraps_apart_in_time_stay_apart():
    assert texts(spoken("hello", "good morning", "we begin")) == [
        "hello",
        "good morning",
        "we begin",
    ]


def test_a_heading_of_a_page_is_not_part_of_its_first_sentence():
    page = [
        Segment(0, 0, "Cell Division", page=1),
        Segment(0, 0, "The cell divides. It is large.", page=1),
    ]
    assert texts(page) == ["Cell Division", "The cell divides.", "It is large."]


def test_full_stops_of_other_scripts_end_sentences():
    assert texts(spoken("光合作用产生氧气。叶绿素吸收光。")) == [
        "光合作用产生氧气。",
        "叶绿素吸收光。",
    ]


@pytest.mark.parametrize(
    ("word", "singular"),
    [
        ("cells", "cell"),
        ("theories", "theory"),
        ("classes", "class"),
        ("boxes", "box"),
        ("virus", "virus"),
        ("analysis", "analysis"),
        ("bacteria", "bacterium"),
        ("body's", "body"),
        ("physics", "physics"),
        ("gas", "gas"),
    ],
)
def test_the_stem_of_a_plural_is_its_singular(word, singular):
    assert stem(word) == singular


def test_characters_of_a_script_without_spaces_are_compared_in_pairs():
    row = words("叶绿素吸收光")
    assert content_stems(row, stop_words([row])) == (
        "叶绿",
        "绿素",
        "素吸",
        "吸收",
        "收光",
    )


def test_in_an_unknown_language_frequent_short_words_say_nothing():
    rows = [words(f"vuo nali{i} vuo seti{i}") for i in range(30)]
    assert "vuo" in stop_words(rows)
    assert "nali3" not in stop_words(rows)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("so now the cell divides", "The cell divides."),
        ("um remember that uh cells divide, right?", "Cells divide."),
        ("However, cells divide.", "Cells divide."),
        ("so that cells divide", "So that cells divide."),
        ("well-known cells divide", "Well-known cells divide."),
    ],
)
def test_a_statement_is_read_without_its_lead_in(said, read):
    assert readable(said) == read


@pytest.mark.parametrize(
    "text",
    [
        "It divides.",
        "This is called mitosis.",
        "The second is the nucleus.",
        "Because cells divide.",
        "When such a cell divides, it is large.",
        "Biology cannot settle that question.",
        "The skin belongs to it.",
    ],
)
def test_what_points_elsewhere_does_not_stand_alone(text):
    assert not stands_alone(text)


@pytest.mark.parametrize(
    "text",
    [
        "The cell divides.",
        "Because cells divide, bodies grow.",
        "It is not known why cells divide.",
    ],
)
def test_what_names_its_subject_stands_alone(text):
    assert stands_alone(text)


def test_talk_about_the_lecture_is_told_from_its_subject():
    assert is_talk("Next week we will look at cells.")
    assert not is_talk("A cell divides when it is large.")


def test_a_question_needs_no_question_mark():
    assert is_question("How does a cell divide?")
    assert is_question("where does inflation come from.")
    assert is_question("What happens when a new virus enters the body.")
    assert not is_question("What happens in the cell is that water leaves it.")
    assert not is_question("When the cell divides, it is large.")
