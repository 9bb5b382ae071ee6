"""Questions with choices: wrong ones of the right kind, in a fixed order."""

from collections.abc import Iterator, Sequence
from zlib import crc32

from common.providers.llm.extractive.cards import gapped
from common.providers.llm.extractive.glossary import Entry, meaning, sources
from common.providers.llm.extractive.notes import Notes
from common.providers.llm.extractive.reading import Line
from common.providers.llm.extractive.voice import quoted, sentence_case
from common.study import Question
from common.text.words import words

_WRONG_CHOICES = 3


def recognition(notes: Notes) -> Iterator[Question]:
    """Yield a definition with four terms to choose from."""
    for entry in notes.entries:
        wrong = _distractors(entry, notes)
        if entry.defined and entry.defined.definition.is_phrase and wrong:
            body = meaning(entry, notes.reading)
            if entry.defined.definition.body:
                yield _choice_question(
                    f"Which term fits this description? “{quoted(body)}”",
                    entry,
                    wrong,
                    notes,
                )


def recall(notes: Notes) -> Iterator[Question]:
    """Yield a line with a gap and four terms to choose from."""
    for entry in notes.entries:
        for line in notes.reading.best(notes.reading.with_phrase(entry.phrase), 4):
            gap = gapped(entry, line, notes.reading)
            wrong = _distractors(entry, notes, line)
            if gap and wrong:
                prompt = notes.voice.fill_gap.format(sentence=gap[0])
                yield _choice_question(prompt, entry, wrong, notes, line)
                break


def pattern_recognition(notes: Notes) -> Iterator[Question]:
    """Yield which term does not belong to a chapter."""
    for part in notes.parts:
        here = {line.index for line in part.lines}
        others = [e for e in notes.entries if e.phrase != part.phrase]
        inside = [e for e in others if here.intersection(e.phrase.where)]
        outside = [e for e in others if not here.intersection(e.phrase.where)]
        if len(inside) >= 3 and outside:  # noqa: PLR2004 - and one that does not belong
            yield _choice_question(
                f"Which of these terms does not occur in the part “{part.title}”?",
                outside[0],
                [entry.label for entry in inside[:3]],
                notes,
            )


def basic_understanding(notes: Notes) -> Iterator[Question]:
    """Yield statements that are true, or false because a term was changed."""
    for number, (entry, line) in enumerate(notes.terms_in_lines()):
        yield _true_false(entry, line, notes, change=number % 2 == 1)


def _distractors(entry: Entry, notes: Notes, line: Line | None = None) -> list[str]:
    """Return wrong choices of the same kind as a term, or none if there are too few.

    Same number, near the same length, not a part of the right one, and not in the
    line that is asked about.
    """
    said = {word.stem for word in words(line.said)} if line else set()
    others = [
        other
        for other in notes.entries
        if not _overlap(entry, other) and not said.issuperset(other.phrase.stems)
    ]
    others.sort(key=lambda other: (_unlikeness(entry, other), _order(other, entry)))
    labels = [other.label for other in others[:_WRONG_CHOICES]]
    return labels if len(labels) == _WRONG_CHOICES else []


def _overlap(one: Entry, other: Entry) -> bool:
    mine, theirs = set(one.phrase.stems), set(other.phrase.stems)
    return mine <= theirs or theirs <= mine


def _unlikeness(one: Entry, other: Entry) -> int:
    """Return 0 for terms of one kind, up to 5 for ones that stand out."""
    length = abs(len(one.phrase.stems) - len(other.phrase.stems))
    return (
        min(2, length)
        + 2 * (one.is_plural != other.is_plural)
        + ((one.defined is None) != (other.defined is None))
    )


def _order(one: Entry, other: Entry) -> int:
    """Return a number that looks random and never changes for the same two terms."""
    return crc32(f"{one.label}/{other.label}".encode())


def _choice_question(
    prompt: str,
    entry: Entry,
    wrong: Sequence[str],
    notes: Notes,
    line: Line | None = None,
) -> Question:
    """Return a multiple-choice question with the term as the right answer."""
    answer = sentence_case(entry.label)
    choices = [answer, *(sentence_case(label) for label in wrong)]
    choices.sort(key=lambda choice: crc32(f"{prompt}/{choice}".encode()))
    shown = line or entry.line
    return Question(
        prompt=prompt,
        type="multiple-choice",
        answer=answer,
        choices=choices,
        correctChoiceIndex=choices.index(answer),
        explanation=f"The lecture says: {shown.said}",
        citations=notes.reading.cite(line) if line else sources(entry, notes.reading),
    )


def _true_false(entry: Entry, line: Line, notes: Notes, *, change: bool) -> Question:
    """Return a line to be judged, if asked with a term changed so that it is wrong."""
    altered = _altered(entry, line, notes) if change else None
    answer = "False" if altered else "True"
    return Question(
        prompt=f"True or false? {altered or line.said}",
        type="true-false",
        answer=answer,
        choices=["True", "False"],
        correctChoiceIndex=["True", "False"].index(answer),
        explanation=f"The lecture says: {line.said}",
        citations=notes.reading.cite(line),
    )


def _altered(entry: Entry, line: Line, notes: Notes) -> str | None:
    """Return the line with another term of the same kind in the term's place."""
    others = [
        other
        for other in notes.entries
        if _unlikeness(entry, other) <= 1
        and not _overlap(entry, other)
        and other.phrase not in line.phrases
    ]
    place = _place(entry, line)
    if not others or place is None:
        return None
    start, end = place
    label = min(
        others, key=lambda other: (_unlikeness(entry, other), _order(other, entry))
    ).label
    before = line.said[:start]
    if before.lower().endswith((" a ", " an ")) or before.lower() in {"a ", "an "}:
        article = "an " if label[:1].lower() in "aeiou" else "a "
        before = before[: before.rstrip().rfind(" ") + 1] + article
        before = before[:1].upper() + before[1:]
    return sentence_case(f"{before}{label}{line.said[end:]}")


def _place(entry: Entry, line: Line) -> tuple[int, int] | None:
    found = words(line.said)
    stems = tuple(word.stem for word in found)
    size = len(entry.phrase.stems)
    for i in range(len(stems) - size + 1):
        if stems[i : i + size] == entry.phrase.stems:
            return found[i].start, found[i + size - 1].end
    return None
