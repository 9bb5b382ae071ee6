"""The study pack as Markdown: readable as it is, and safe to render."""

import re
from collections.abc import Iterator

from common.exports.lines import clean
from common.exports.places import Place, places
from common.exports.provenance import (
    coverage_note,
    engine_note,
    generated_at,
    preset_name,
)
from common.study import Item, OutlineNode, Question, StudyPack

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&])")
_AUTOLINK = re.compile(r"(?i)\b(https?|ftp|mailto)(?=:)|\b(www)(?=\.)")
_LIST_MARK = re.compile(r"^(?:([-+=])|(\d+)([.)]))")


def render(pack: StudyPack) -> bytes:
    """Return UTF-8 Markdown; no text of the pack can become HTML, link or image."""
    blocks = (
        _head(pack),
        _summary(pack),
        _outline(pack),
        _key_terms(pack),
        _flashcards(pack),
        _exam_questions(pack),
    )
    return ("\n\n".join("\n".join(block) for block in blocks) + "\n").encode()


def _plain(text: str) -> str:
    """Escape whatever Markdown would not show as it stands."""
    escaped = _SPECIAL.sub(r"\\\1", clean(text))
    escaped = _AUTOLINK.sub(lambda m: m[0] + "\\", escaped)
    return _LIST_MARK.sub(lambda m: f"{m[2] or ''}\\{m[1] or m[3]}", escaped)


def _cited(item: Item, pack: StudyPack) -> str:
    """Return the places of an item, to be put behind its text."""
    marks = ", ".join(_mark(place) for place in places(item, pack))
    return f" ({marks})" if marks else ""


def _mark(place: Place) -> str:
    return f"[{place.label}](<{place.url}>)" if place.url else place.label


def _head(pack: StudyPack) -> Iterator[str]:
    yield f"# {_plain(pack.title) or 'Lecture ' + _plain(pack.lecture_id)}"
    yield ""
    facts = [f"Lecture {_plain(pack.lecture_id)}"]
    facts += [_plain(pack.course_title or pack.course_id), _plain(preset_name(pack))]
    yield " · ".join([*facts, f"{generated_at(pack):%Y-%m-%d}"])
    yield ""
    yield f"> {_plain(engine_note(pack.summary.engine))}"
    if note := coverage_note(pack):
        yield ">"
        yield f"> {_plain(note)}"


def _summary(pack: StudyPack) -> Iterator[str]:
    yield from ("## Summary", "", _plain(pack.summary.overview))
    for section in pack.summary.sections:
        yield from ("", f"### {_plain(section.title)}{_cited(section, pack)}", "")
        yield from (f"- {_plain(bullet)}" for bullet in section.bullets)


def _outline(pack: StudyPack) -> Iterator[str]:
    yield from ("## Outline", "")
    for node in pack.outline.outline:
        yield from _node(node, pack, "")


def _node(node: OutlineNode, pack: StudyPack, indent: str) -> Iterator[str]:
    yield f"{indent}- **{_plain(node.title)}**{_cited(node, pack)}"
    yield from (f"{indent}  - {_plain(point)}" for point in node.points or ())
    for child in node.children or ():
        yield from _node(child, pack, indent + "  ")


def _key_terms(pack: StudyPack) -> Iterator[str]:
    yield from ("## Key Terms", "")
    for term in pack.key_terms.terms:
        text = f"**{_plain(term.term)}**: {_plain(term.definition)}"
        yield f"- {text}{_cited(term, pack)}"
        if term.example:
            yield f"  - Example: {_plain(term.example)}"


def _flashcards(pack: StudyPack) -> Iterator[str]:
    yield from ("## Flashcards", "")
    for card in pack.flashcards.cards:
        yield f"- Q: {_plain(card.front)}"
        yield f"  - A: {_plain(card.back)}{_cited(card, pack)}"


def _exam_questions(pack: StudyPack) -> Iterator[str]:
    yield from ("## Exam Questions", "")
    for number, question in enumerate(pack.exam_questions.questions, start=1):
        yield from _question(number, question, pack)


def _question(number: int, question: Question, pack: StudyPack) -> Iterator[str]:
    indent = " " * len(f"{number}. ")
    yield f"{number}. {_plain(question.prompt)}"
    for letter, choice in zip("ABCDEFGHIJ", question.choices or (), strict=False):
        yield f"{indent}- {letter}) {_plain(choice)}"
    yield f"{indent}- Answer: {_plain(question.answer)}{_cited(question, pack)}"
    if question.explanation:
        yield f"{indent}- Why: {_plain(question.explanation)}"
