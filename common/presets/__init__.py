"""Study presets: one JSON file each; every field shapes what is generated."""

import json
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["very_high", "high", "medium", "low", "very_low"]
Tone = Literal[
    "formal_academic",
    "analytical_precise",
    "conversational",
    "direct_predictable",
    "dialectical",
]
FACETS = ("what", "how", "when", "where", "who", "why")

# The order in which clients list them.
_ORDER = (
    "exam-mode",
    "concept-map-mode",
    "beginner-mode",
    "neurodivergent-friendly-mode",
    "research-mode",
    "seminar-mode",
)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weights(_Frozen):
    """How much each facet of a concept counts; they add up to 1."""

    what: float
    how: float
    when: float
    where: float
    who: float
    why: float


class Emphasis(_Frozen):
    """How strongly the wording leans on each facet."""

    what: Level
    how: Level
    when: Level
    where: Level
    who: Level
    why: Level


class GenerationConfig(_Frozen):
    """Counts, limits and voice."""

    summary_max_words: Annotated[int, Field(gt=0)]
    flashcard_count: Annotated[int, Field(gt=0)]
    exam_question_count: Annotated[int, Field(gt=0)]
    tone: Tone
    question_types: tuple[str, ...]
    special_instructions: tuple[str, ...]


class OutputProfile(_Frozen):
    """The form of the output."""

    summary_style: str
    sections: tuple[str, ...]
    chunking: Literal["medium", "hierarchical", "short", "very_short", "argument_based"]
    question_focus: bool
    emphasis: Emphasis


class Preset(_Frozen):
    """One way to study a lecture. Field names are the clients' spelling."""

    id: str
    name: str
    kind: str
    description: str
    diceWeights: Weights
    optimizedFor: tuple[str, ...]
    generation_config: GenerationConfig
    outputProfile: OutputProfile
    targetDisciplines: tuple[str, ...] | None = None


@cache
def presets() -> dict[str, Preset]:
    """Return all presets by id, in the order in which clients list them."""
    folder = files(__name__)
    return {
        name: Preset.model_validate(json.loads((folder / f"{name}.json").read_text()))
        for name in _ORDER
    }


def find(name: str) -> Preset | None:
    """Return the preset with this id, kind or shortened id; None if there is none.

    The documented examples say ``exam`` where the id is ``exam-mode``, so the kind
    (``exam``) and the id without ``-mode`` are accepted wherever an id is.
    """
    return _by_name().get(name)


def names() -> tuple[str, ...]:
    """Return every name that ``find`` knows, the ids first."""
    return tuple(_by_name())


@cache
def _by_name() -> dict[str, Preset]:
    by_id = presets()
    aliases = {p.kind: p for p in by_id.values()}
    aliases |= {p.id.removesuffix("-mode"): p for p in by_id.values()}
    return by_id | aliases
