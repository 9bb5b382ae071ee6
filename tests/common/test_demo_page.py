"""What the demo shows on a terminal, and where nobody watches."""

import sys

import pytest

from common.local import demo_page
from common.local.demo_page import Bar


def test_on_a_terminal_the_bar_moves_on_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    bar = Bar("Transcribing")
    for percent in (0, 50, 100):
        bar.show(percent)
    bar.close()

    drawn = capsys.readouterr().out
    assert drawn.count("\n") == 1
    assert drawn.splitlines()[-1].count("█") == 30
    assert [drawn.count(f" {percent} % ") for percent in ("  0", " 50", "100")] == [
        1
    ] * 3


def test_elsewhere_each_tenth_is_a_line_of_its_own(capsys):
    bar = Bar("Transcribing")
    for percent in (0, 3, 11, 12, 100):
        bar.show(percent)
    bar.close()

    lines = capsys.readouterr().out.splitlines()
    assert [
        line.split("░")[-1].split("█")[-1].split(" %")[0].strip() for line in lines
    ] == [
        "0",
        "11",
        "100",
    ]


def test_a_path_nearby_is_shown_as_seen_from_here(tmp_path):
    here = tmp_path / "somewhere"
    assert demo_page.seen_from(here, here / "a" / "b.pdf") == "a/b.pdf"


def test_a_path_far_away_is_shown_whole(tmp_path):
    far = tmp_path / "one" / "two" / "three" / "four" / "five" / "six" / "seven"
    assert demo_page.seen_from(far, tmp_path.parents[-1] / "x") == "/x"


def test_choices_have_letters_and_items_say_when(capsys):
    transcript = {
        "segments": [{"startSec": 3725.4, "text": "Late words."}],
        "engine": {"provider": "openai", "model": "m"},
    }
    question = {
        "prompt": "Which?",
        "choices": ["this", "that"],
        "answer": "that",
        "citations": [{"start_ms": 61_000}],
    }
    demo_page.show_material(
        transcript,
        {
            "summary": {"overview": "Short.", "sections": []},
            "flashcards": {"cards": []},
            "exam-questions": {"questions": [question]},
        },
    )
    shown = capsys.readouterr().out
    assert "1:02:05  Late words." in shown
    assert "    A) this\n    B) that\n  A that [1:01]\n" in shown
    assert "Heard by openai (m).\n" in shown
    assert "Flashcards (0 of 0)" in shown


@pytest.mark.parametrize("width", [40, 200])
def test_no_line_is_wider_than_the_terminal_nor_hard_to_read(
    monkeypatch, capsys, width
):
    monkeypatch.setenv("COLUMNS", str(width))
    summary = {"overview": "word " * 60, "sections": []}
    demo_page.show_material(
        {"segments": [], "engine": {"provider": "openai", "model": "m"}},
        {
            "summary": summary,
            "flashcards": {"cards": []},
            "exam-questions": {"questions": []},
        },
    )
    widest = max(map(len, capsys.readouterr().out.splitlines()))
    assert widest <= min(width, 88)
