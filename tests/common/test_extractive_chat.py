"""Answers without a model: quotes that speak of the question, or an honest no."""

import pytest

from common.providers.llm.extractive import ExtractiveModel
from common.talk import Source, Talk, Turn
from common.transcript import Segment
from common.usage import Usage

SAID = (
    "Welcome to this lecture about the living cell.",
    "A cell is the smallest unit of life.",
    "Mitochondria are organelles that release energy from food.",
    "The nucleus is the part of the cell that holds its DNA.",
    "Osmosis is the movement of water through a membrane.",
    "Plants build sugar from light, which is called photosynthesis.",
    "Without mitochondria a cell could not release enough energy to live.",
)
CELLS = Source(
    "l1",
    "Cells",
    "en",
    [Segment(n * 40_000, n * 40_000 + 5000, text) for n, text in enumerate(SAID)],
)


def ask(question, *sources, history=()):
    *pieces, used = ExtractiveModel().chat(
        Talk(sources or [CELLS], question, list(history))
    )
    assert used == Usage("extractive", "textrank-1", cost_usd_micros=0)
    return "".join(map(str, pieces))


def test_the_best_passages_are_quoted_with_their_times():
    text = ask("What do mitochondria do with energy?")
    first, *rest = text.split("\n\n- ")
    assert first == "This is what is said about it:"
    assert set(rest) == {
        "“Mitochondria are organelles that release energy from food.” [01:20]",
        f"“{SAID[6]}” [04:00]",
    }


def test_a_plural_asks_for_the_singular_as_well():
    assert "[00:40]" in ask("What are cells?")


def test_it_says_when_the_recording_does_not_speak_of_it():
    text = ask("Who was Napoleon Bonaparte?")
    assert text.startswith("The recording does not speak of that")
    assert text.count("“") == 3


def test_one_known_word_of_many_unknown_ones_is_no_answer():
    text = ask("Which taxes did Napoleon levy on water?")
    assert text.startswith("The recording does not speak of that")


@pytest.mark.parametrize(
    "question",
    ["What is this video about?", "Summarize it", "tl;dr", "Worum geht es?"],
)
def test_an_overview_is_in_the_order_of_the_recording(question):
    text = ask(question)
    assert text.startswith("In short")
    times = [part[:5] for part in text.split("[")[1:]]
    assert times == sorted(times)
    assert len(times) == 4


def test_a_question_without_a_subject_goes_on_with_the_one_before():
    history = [Turn("user", "What is osmosis?"), Turn("assistant", "Movement.")]
    assert "Osmosis is the movement" in ask("And why?", history=history)


def test_passages_of_several_lectures_name_their_lecture():
    other = Source("l2", "Plants", "en", [Segment(0, 900, "Osmosis waters plants.")])
    text = ask("What is osmosis?", CELLS, other)
    assert "- Plants: “Osmosis waters plants.” [00:00]" in text


def test_a_page_of_a_document_is_named():
    paper = [Segment(0, 0, "Osmosis moves water.", page=n + 1) for n in range(2)]
    paper[1] = Segment(0, 0, "Salt draws water towards it.", page=2)
    assert "[p. 2]" in ask("What does salt do?", Source("l", "P", "en", paper))


def test_silence_is_told():
    assert ask("What?", Source("l", "L", "en", [])) == (
        "Nobody speaks in this recording."
    )


def test_what_is_asked_in_another_script_is_answered():
    said = ["线粒体释放能量。", "细胞核保存遗传物质。", "植物利用光。"]
    source = Source(
        "l",
        "L",
        "zh",
        [Segment(n * 9000, n * 9000 + 99, t) for n, t in enumerate(said)],
    )
    assert "[00:09]" in ask("细胞核保存什么?", source)
