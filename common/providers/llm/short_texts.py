"""Short texts by a model that answers by a schema: what it is told, and the form."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from common.briefs import (
    NOTE_CHARACTERS,
    QUESTIONS,
    SUMMARY_CHARACTERS,
    BriefMaterial,
    fitted,
)
from common.prompts import prompt
from common.providers.llm.briefing import lecture_block, transcript_lines

_QUESTION_CHARACTERS = range(20, 121)  # what a button has room for


def _shortened(most: int, value: object) -> object:
    """Cut what is too long: it was paid for. What is too short is asked for again."""
    return fitted(value, most) if isinstance(value, str) else value


class NoteShape(BaseModel):
    """A note."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[
        str,
        BeforeValidator(partial(_shortened, NOTE_CHARACTERS.stop - 1)),
        Field(min_length=NOTE_CHARACTERS.start),
    ]


_Question = Annotated[
    str,
    BeforeValidator(partial(_shortened, _QUESTION_CHARACTERS.stop - 1)),
    Field(min_length=_QUESTION_CHARACTERS.start),
]


class SummaryShape(BaseModel):
    """A summary, and what could be asked about the recording."""

    model_config = ConfigDict(extra="forbid")

    summary: Annotated[
        str,
        BeforeValidator(partial(_shortened, SUMMARY_CHARACTERS.stop - 1)),
        Field(min_length=SUMMARY_CHARACTERS.start),
    ]
    questions: Annotated[
        list[_Question], Field(min_length=QUESTIONS, max_length=QUESTIONS)
    ]

    @field_validator("questions", mode="after")
    @classmethod
    def _each_is_another(cls, value: list[str]) -> list[str]:
        if len({question.casefold() for question in value}) < len(value):
            raise ValueError("each question must be another")
        return value


def system() -> str:
    """Return the rules for all short texts."""
    return prompt("brief_system_v1")


def note(material: BriefMaterial) -> tuple[str, str]:
    """Return what is asked for a note, and the label of its material."""
    study = material.study
    block, label = lecture_block(study, transcript_lines(study.segments))
    seconds = (material.at_ms or 0) // 1000
    moment = f"{seconds // 60:02}:{seconds % 60:02}"
    return prompt("brief_note_v1", moment=moment, lecture=block), label


def summary(material: BriefMaterial, lines: Sequence[str]) -> tuple[str, str]:
    """Return what is asked for a summary of these lines, and their label."""
    block, label = lecture_block(material.study, lines)
    return prompt("brief_summary_v1", lecture=block), label
