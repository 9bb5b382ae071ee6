"""Print the study material that the extractive model makes of a text.

    python -m tests.bench.print_study TEXT [PRESET] [--title TITLE] [--mode MODE]

A text of one long line per paragraph is read as clean text, one of short lines as a
recogniser's output, a pause at each line's end.
"""

import argparse
import sys
import time
from pathlib import Path

from common.presets import find
from common.providers.llm.extractive import ExtractiveModel
from common.study import OutlineNode, StudyDraft, StudyMaterial
from common.transcript import Segment

_WORD_MS = 400
_PAUSE_MS = 700
_WORDS_PER_SEGMENT = 12


def segments(text: str) -> list[Segment]:
    """Return segments as a recogniser would: at most a dozen words of a paragraph."""
    found: list[Segment] = []
    at = 0
    for line in text.splitlines():
        said = line.split()
        size = len(said) if len(said) <= 40 else _WORDS_PER_SEGMENT
        for start in range(0, len(said), size or 1):
            part = said[start : start + size]
            end = at + len(part) * _WORD_MS
            found.append(Segment(at, end, " ".join(part)))
            at = end + 100
        at += _PAUSE_MS
    return found


def main() -> None:
    """Print one draft, and the processor time that it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("preset", nargs="?", default="exam")
    parser.add_argument("--title")
    parser.add_argument("--mode")
    args = parser.parse_args()
    preset = find(args.preset)
    if preset is None:
        sys.exit(f"no preset {args.preset!r}")
    title = args.title or args.text.stem.replace("_", " ").capitalize()
    material = StudyMaterial(
        title, "en", segments(args.text.read_text()), preset, args.mode
    )
    start = time.process_time()
    draft = ExtractiveModel().study(material, lambda _, call, _most: call().document)
    spent = time.process_time() - start
    _print(draft)
    print(f"\n{spent:.2f} s of processor time")


def _print(draft: StudyDraft) -> None:
    print("OVERVIEW\n ", draft.summary.overview)
    for section in draft.summary.sections:
        print(f"\n## {section.title}")
        for bullet in section.bullets:
            print("  -", bullet)
    print("\nOUTLINE")
    for node in draft.outline:
        _print_node(node, 1)
    print("\nTERMS")
    for term in draft.key_terms:
        print(f"  {term.term}: {term.definition}\n      e.g. {term.example}")
    print("\nCARDS")
    for card in draft.flashcards:
        print(f"  [{card.difficulty} {card.tags}] {card.front}\n      = {card.back}")
    _print_questions(draft)
    print("\nCONCEPTS")
    for concept in draft.concepts:
        print(" ", concept.face, concept.complexity_level, concept.title)
    for update in draft.concept_updates:
        print(" ", update.change_type, update.title, "|", update.evidence)


def _print_questions(draft: StudyDraft) -> None:
    print("\nQUESTIONS")
    for question in draft.exam_questions:
        print(f"  [{question.type}] {question.prompt}")
        if question.choices:
            print("      choices:", ", ".join(question.choices))
        print("      =", question.answer)


def _print_node(node: OutlineNode, depth: int) -> None:
    print("  " * depth + node.title)
    for point in node.points or ():
        print("  " * depth + "  -", point)
    for child in node.children or ():
        _print_node(child, depth + 1)


if __name__ == "__main__":
    main()
