"""The exam of a handout: questions to hand out, and their answers."""

from collections.abc import Iterator

from common.exports.layout import (
    ASIDE,
    BODY,
    LEFT,
    NUMBER_MM,
    PAGE_MM,
    SMALL,
    STRONG,
    WIDTH,
    Block,
    shown_places,
)
from common.exports.paper import Paper
from common.study import Question, StudyPack

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KINDS = {
    "multiple-choice": "Multiple choice",
    "short-answer": "Short answer",
    "essay": "Essay",
    "true-false": "True or false",
}
_LINES_FOR_ANSWER = {"short-answer": 2, "essay": 5}
_LINE_MM = 8.0  # for handwriting
_ANSWER_MM = 13.0  # room for the number and the letter


def questions(pack: StudyPack, paper: Paper) -> None:
    """Print the questions, each whole, with room to write."""
    for number, question in enumerate(pack.exam_questions.questions, start=1):
        blocks = list(_blocks(number, question))
        lines = _LINES_FOR_ANSWER.get(question.type, 0)
        paper.need(min(paper.stack_height(blocks) + _LINE_MM * lines, PAGE_MM))
        paper.stack(blocks)
        for _ in range(lines):
            paper.need(_LINE_MM)
            paper.y += _LINE_MM
            paper.rule(LEFT + NUMBER_MM, LEFT + WIDTH)
        paper.gap(5)


def _blocks(number: int, question: Question) -> Iterator[Block]:
    yield Block(question.prompt, STRONG, mark=f"{number}.", indent=NUMBER_MM)
    yield Block(_KINDS[question.type], SMALL, mark=" ", indent=NUMBER_MM)
    x = LEFT + NUMBER_MM
    for letter, choice in zip(_LETTERS, question.choices or (), strict=False):
        yield Block(choice, BODY, x, LEFT + WIDTH - x, mark=letter, indent=6)


def answers(pack: StudyPack, paper: Paper) -> None:
    """Print the answer key."""
    for number, question in enumerate(pack.exam_questions.questions, start=1):
        blocks = [_answer(number, question, pack)]
        if question.explanation:
            text = question.explanation
            blocks.append(Block(text, ASIDE, mark=" ", indent=_ANSWER_MM))
        paper.need(min(paper.stack_height(blocks), PAGE_MM))
        paper.stack(blocks)
        paper.gap(2)


def _answer(number: int, question: Question, pack: StudyPack) -> Block:
    index = question.correctChoiceIndex
    lettered = question.choices and index is not None and index < len(_LETTERS)
    letter = f"  {_LETTERS[index or 0]}" if lettered else ""
    return Block(
        question.answer,
        BODY,
        mark=f"{number}.{letter}",
        indent=_ANSWER_MM,
        places=shown_places(question, pack),
    )
