"""Exam questions: for each question type of a preset, those the lecture can answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from common.providers.llm.extractive import wording
from common.providers.llm.extractive.chapters import Chapter
from common.providers.llm.extractive.choices import (
    basic_understanding,
    pattern_recognition,
    recall,
    recognition,
)
from common.providers.llm.extractive.glossary import Entry, meaning, sources
from common.providers.llm.extractive.notes import Notes
from common.providers.llm.extractive.reading import Line
from common.providers.llm.extractive.voice import listed, quoted
from common.study import Question

_MODEL_POINTS = 3  # of a model answer

Maker = Callable[[Notes], Iterator[Question]]


def exam_questions(notes: Notes) -> list[Question]:
    """Return at most the preset's number of questions, its types taking turns.

    There are fewer when the lecture does not hold more that can be asked.
    """
    config = notes.reading.preset.generation_config
    kinds = [_MAKERS.get(name, explanation)(notes) for name in config.question_types]
    chosen: list[Question] = []
    asked: set[str] = set()
    quotes: set[tuple[str, str]] = set()
    while kinds and len(chosen) < config.exam_question_count:
        kind = kinds.pop(0)
        for question in kind:
            about = _subject(question)
            if question.prompt not in asked and about not in quotes:
                asked.add(question.prompt)
                quotes.add(about)
                chosen.append(question)
                kinds.append(kind)
                break
    return chosen or [_recall(notes)]


def _subject(question: Question) -> tuple[str, str]:
    """Return what may be asked once: a line openly, and each kind of choice of it."""
    form = question.type if question.choices else "open"
    return form, question.citations[0].quote if question.citations else question.prompt


def _recall(notes: Notes) -> Question:
    """Return the one question that any lecture answers."""
    [line] = notes.reading.best(notes.reading.lines, 1)
    return Question(
        prompt=f"What does the lecture “{notes.reading.material.title}” say?",
        type="short-answer",
        answer=line.said,
        citations=notes.reading.cite(line),
    )


def definition(notes: Notes) -> Iterator[Question]:
    """Yield "define X" for each term that the lecture defines."""
    for entry in notes.entries:
        if entry.defined:
            yield Question(
                prompt=notes.voice.define.format(term=entry.label),
                type="short-answer",
                answer=meaning(entry, notes.reading),
                explanation=f"Defined in the part “{_part(entry.line, notes).title}”.",
                citations=sources(entry, notes.reading),
            )


def explanation(notes: Notes) -> Iterator[Question]:
    """Yield "explain this" for the lines that say how or why."""
    for line in notes.ranked("how", "why"):
        yield _open(notes.voice.explain, line, notes, "short-answer")


def application(notes: Notes) -> Iterator[Question]:
    """Yield what a rule of the lecture means for a case of one's own."""
    for line in notes.matching(wording.RULE):
        yield _answered(
            f"Describe a case of your own to which this applies, and show how:"
            f" “{quoted(line.said)}”",
            line,
            notes,
            essay=True,
        )


def evaluation(notes: Notes) -> Iterator[Question]:
    """Yield statements to be discussed; those that claim something come first."""
    for line in notes.matching(wording.CLAIM):
        yield _open(notes.voice.discuss, line, notes, "essay")


def relationship(notes: Notes) -> Iterator[Question]:
    """Yield how two terms are related, where one line speaks of both."""
    for one, other, line in _pairs(notes):
        yield _answered(
            f"How are “{one.label}” and “{other.label}” related?",
            line,
            notes,
            essay=False,
        )


def dependency(notes: Notes) -> Iterator[Question]:
    """Yield what has to be the case for something else."""
    for line in notes.matching(wording.NEEDS):
        yield _answered(
            f"Which dependency does this statement describe, and what follows if it is"
            f" not met? “{quoted(line.said)}”",
            line,
            notes,
            essay=False,
        )


def system_analysis(notes: Notes) -> Iterator[Question]:
    """Yield how the parts of a chapter work together."""
    for part in notes.parts:
        names = [e.label for e in notes.entries if set(e.phrase.where) & _indexes(part)]
        best = notes.reading.best([x for x in part.lines if x.sound], _MODEL_POINTS)
        if len(names) > 1 and len(best) > 1:
            yield _points(
                f"Describe the parts that {listed(names[:3])} play in “{part.title}”.",
                best,
                notes,
            )


def sequence(notes: Notes) -> Iterator[Question]:
    """Yield what comes next: a step of the lecture, or its next part."""
    for line, following in pairwise(notes.reading.lines):
        same_part = _part(line, notes) == _part(following, notes)
        if (
            line.sound
            and same_part
            and wording.SEQUENCE.match(following.statement.clean)
        ):
            yield Question(
                prompt=f"What is the next step after this one? “{quoted(line.said)}”",
                type="short-answer",
                answer=following.said,
                citations=notes.reading.cite(line, following),
            )
    for part, following_part in pairwise(notes.parts):
        best = notes.reading.best([x for x in following_part.lines if x.sound], 1)
        if best:
            yield Question(
                prompt=f"Which topic comes after “{part.title}” in the lecture?",
                type="short-answer",
                answer=f"{following_part.title}: {best[0].said}",
                citations=notes.reading.cite(*best),
            )


def methodology(notes: Notes) -> Iterator[Question]:
    """Yield what is done, and how, in the lines that speak of methods."""
    for line in notes.ranked("how"):
        yield _answered(
            f"Which procedure or mechanism does this describe, and what would it take"
            f" to show that it works so? “{quoted(line.said)}”",
            line,
            notes,
            essay=False,
        )


def synthesis(notes: Notes) -> Iterator[Question]:
    """Yield two parts of the lecture to be brought together."""
    for one, other in pairwise(notes.parts):
        lines = [
            *notes.reading.best([x for x in one.lines if x.sound], 2),
            *notes.reading.best([x for x in other.lines if x.sound], 2),
        ]
        if len(lines) > 1:
            yield _points(
                f"Bring together what the lecture says on “{one.title}” and on"
                f" “{other.title}”: how does each bear on the other?",
                lines,
                notes,
            )


def argument_analysis(notes: Notes) -> Iterator[Question]:
    """Yield arguments to be taken apart."""
    for line in notes.ranked("why"):
        yield _answered(
            "Which premises does this argument need, stated or not?"
            f" “{quoted(line.said)}”",
            line,
            notes,
            essay=True,
        )


def position_comparison(notes: Notes) -> Iterator[Question]:
    """Yield lines that set one thing against another."""
    for line in notes.matching(wording.CONTRAST):
        yield _answered(
            f"Which two positions or cases are contrasted here, and where do they part?"
            f" “{quoted(line.said)}”",
            line,
            notes,
            essay=True,
        )


def normative_evaluation(notes: Notes) -> Iterator[Question]:
    """Yield lines from which something follows about what ought to be."""
    for line in notes.matching(wording.NORM):
        yield _answered(
            f"What should be done if this is so, and who might disagree?"
            f" “{quoted(line.said)}”",
            line,
            notes,
            essay=True,
        )


_MAKERS: Mapping[str, Maker] = {
    "definition": definition,
    "explanation": explanation,
    "application": application,
    "simple_application": application,
    "evaluation": evaluation,
    "critical_analysis": evaluation,
    "critique": evaluation,
    "relationship": relationship,
    "dependency": dependency,
    "system_analysis": system_analysis,
    "recognition": recognition,
    "recall": recall,
    "pattern_recognition": pattern_recognition,
    "sequence": sequence,
    "basic_understanding": basic_understanding,
    "methodology": methodology,
    "synthesis": synthesis,
    "argument_analysis": argument_analysis,
    "position_comparison": position_comparison,
    "normative_evaluation": normative_evaluation,
}


def _open(template: str, line: Line, notes: Notes, kind: str) -> Question:
    prompt = template.format(sentence=quoted(line.said))
    return _answered(prompt, line, notes, essay=kind == "essay")


def _answered(prompt: str, line: Line, notes: Notes, *, essay: bool) -> Question:
    """Return a question whose model answer is the line and what belongs to it."""
    return _points(
        prompt, [line, *notes.near(line, _MODEL_POINTS - 1)], notes, essay=essay
    )


def _points(
    prompt: str, lines: Sequence[Line], notes: Notes, *, essay: bool = True
) -> Question:
    points = " ".join(f"({i}) {line.said}" for i, line in enumerate(lines, start=1))
    return Question(
        prompt=prompt,
        type="essay" if essay else "short-answer",
        answer=f"{notes.voice.answer_covers} {points}",
        citations=notes.reading.cite(*lines),
    )


def _pairs(notes: Notes) -> Iterator[tuple[Entry, Entry, Line]]:
    seen: set[frozenset[str]] = set()
    for line in notes.ranked("how", "why", "where"):
        here = [e for e in notes.entries if e.phrase in line.phrases]
        for one, other in pairwise(here):
            pair = frozenset({one.label, other.label})
            overlap = set(one.phrase.stems) & set(other.phrase.stems)
            if pair not in seen and not overlap:
                seen.add(pair)
                yield one, other, line


def _indexes(part: Chapter) -> set[int]:
    return {line.index for line in part.lines}


def _part(line: Line, notes: Notes) -> Chapter:
    return next(part for part in notes.parts if line.index in _indexes(part))
