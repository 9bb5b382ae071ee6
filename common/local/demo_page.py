"""What the demo shows on the terminal."""

import os
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_BAR = 30  # characters
_WIDEST = 88  # longer lines are hard to read
_SENTENCES = 3
_CARDS = 3
_LETTERS = "ABCDEFGH"


class Bar:
    """The progress of one stage: a moving line, or some lines if nobody watches."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._started = time.monotonic()
        self._moves = sys.stdout.isatty()
        self._tenth = -1

    def show(self, percent: int) -> None:
        """Draw the bar anew."""
        done = percent * _BAR // 100
        seconds = time.monotonic() - self._started
        line = (
            f"{self._label:<24}{'█' * done}{'░' * (_BAR - done)}"
            f" {percent:>3} % {seconds:>4.0f} s"
        )
        if self._moves:
            print(f"\r{line}", end="", flush=True)
        elif percent // 10 != self._tenth:
            print(line, flush=True)
        self._tenth = percent // 10

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._moves:
            print()


def show_material(transcript: Mapping[str, Any], artifacts: Mapping[str, Any]) -> None:
    """Show the beginning of everything."""
    _show_transcript(transcript)
    _show_summary(artifacts["summary"])
    cards = artifacts["flashcards"]["cards"]
    _heading(_some("Flashcards", cards, _CARDS))
    for card in cards[:_CARDS]:
        _paragraph(card["front"], first="  Q ", rest="    ")
        _paragraph(card["back"] + _when(card), first="  A ", rest="    ")
    questions = artifacts["exam-questions"]["questions"]
    _heading(_some("Exam questions", questions, 1))
    for question in questions[:1]:
        _show_question(question)


def show_files(paths: Sequence[str]) -> None:
    """List the files."""
    _heading("Your files")
    for path in paths:
        print(f"  {path}")
    print("\n  Read the study pack first; flashcards.apkg opens in Anki.")


def show_addresses(urls: Sequence[str]) -> None:
    """List where the API has the same."""
    _heading("The same over HTTP, whenever scripts/dev runs")
    for url in urls:
        print(f"  {url}")


def seen_from(here: Path, path: Path) -> str:
    """Return the shorter one of the relative and the absolute path."""
    return min(os.path.relpath(path, here), str(path), key=len)


def _show_transcript(transcript: Mapping[str, Any]) -> None:
    segments = transcript["segments"]
    engine = transcript["engine"]
    _heading(_some("Transcript", segments, _SENTENCES))
    for segment in segments[:_SENTENCES]:
        time_ = _clock(int(segment["startSec"]))
        _paragraph(segment["text"], first=f"{time_:>6}  ", rest=" " * 8)
    note = f"Heard by {engine['provider']} ({engine['model']})"
    if engine["provider"] == "pocketsphinx":
        note += ", a draft: offline and free, but some words are wrong"
    _paragraph(f"{note}.")


def _show_summary(summary: Mapping[str, Any]) -> None:
    _heading("Summary")
    _paragraph(summary["overview"])
    for section in summary["sections"]:
        print(f"\n  {section['title']}")
        for bullet in section["bullets"]:
            _paragraph(bullet, first="  · ", rest="    ")


def _show_question(question: Mapping[str, Any]) -> None:
    _paragraph(question["prompt"], first="  Q ", rest="    ")
    for letter, choice in zip(_LETTERS, question.get("choices") or (), strict=False):
        _paragraph(choice, first=f"    {letter}) ", rest=" " * 7)
    _paragraph(question["answer"] + _when(question), first="  A ", rest="    ")


def _some(what: str, items: Sequence[object], shown: int) -> str:
    """Return a heading such as ``Flashcards (3 of 13)``."""
    return f"{what} ({min(shown, len(items))} of {len(items)})"


def _when(item: Mapping[str, Any]) -> str:
    """Return where in the recording an item comes from, as `` [2:16]``."""
    citations = item.get("citations") or ()
    return f" [{_clock(citations[0]['start_ms'] // 1000)}]" if citations else ""


def _clock(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours}:{minutes:02}:{seconds % 60:02}"
    return f"{minutes}:{seconds % 60:02}"


def _heading(text: str) -> None:
    print(f"\n{text}\n{'─' * len(text)}")


def _paragraph(text: str, *, first: str = "  ", rest: str = "  ") -> None:
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    print(textwrap.fill(text, width, initial_indent=first, subsequent_indent=rest))
