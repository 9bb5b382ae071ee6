"""Questions with choices that clients can show."""

import re
from collections.abc import Sequence

from common.grounding.plain import plain as compared
from common.study import Question

_TRUE_FALSE = ("True", "False")


def sane(question: Question) -> Question:
    """Return the question with choices that contain the answer, or without choices.

    Clients can show a choice question only with its choices and the right one's index.
    """
    if question.type not in {"multiple-choice", "true-false"}:
        return question.model_copy(update={"choices": None, "correctChoiceIndex": None})
    choices = question.choices or []
    if question.type == "true-false" and len(choices) != len(_TRUE_FALSE):
        choices = list(_TRUE_FALSE)
    right = _right_choice(question, choices)
    distinct = len({compared(choice) for choice in choices}) == len(choices)
    if right is None or len(choices) < 2 or not distinct:  # noqa: PLR2004 - else no choice
        plain: dict[str, object] = {
            "type": "short-answer",
            "choices": None,
            "correctChoiceIndex": None,
        }
        return question.model_copy(update=plain)
    update = {"choices": choices, "correctChoiceIndex": right, "answer": choices[right]}
    return question.model_copy(update=update)


def _right_choice(question: Question, choices: Sequence[str]) -> int | None:
    """Return the choice that is the answer: by its words, its letter, or the index.

    The words win over the index, which models miscount.
    """
    plain = [compared(choice) for choice in choices]
    answer = compared(question.answer)
    if answer in plain:
        return plain.index(answer)
    if re.fullmatch(r"[a-h]", answer) and ord(answer) - ord("a") < len(choices):
        return ord(answer) - ord("a")
    given = question.correctChoiceIndex
    if given is not None and given < len(choices) and _agrees(answer, plain[given]):
        return given
    return None


def _agrees(answer: str, choice: str) -> bool:
    """Return whether an answer in many words is this choice."""
    return answer.startswith(choice) or choice in answer or answer in choice
