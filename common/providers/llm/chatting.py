"""What a language model is told in a talk: fixed rules, delimited material, turns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.prompts import prompt
from common.providers import catalog
from common.providers.llm.briefing import (
    delimited,
    one_line,
    tokens,
    transcript_lines,
)
from common.talk import Source, Talk, Turn
from common.transcript import Engine
from common.usage import Estimate, Usage

ANSWER_TOKENS = 8_192  # 400 words take about 700; the rest is for thoughts

# Of one question: some four hours of speech. A model that could read more would cost
# more with every turn, and answer later.
_MOST_MATERIAL_TOKENS = 60_000
_LEAST_MATERIAL_TOKENS = 500  # below it a question has no ground; the model refuses


class Stream(Protocol):
    """One call of a model that answers in words, piece by piece."""

    def __call__(self, system: str, turns: Sequence[Turn]) -> Iterator[str | Usage]:
        """Yield the answer, and at the end what it used.

        Raises:
            ProviderError: or one of its subclasses, as ``LanguageModel`` says.
        """


@dataclass(frozen=True, slots=True)
class Told:
    """What is sent: user and assistant take turns, and the user has the last word.

    ``label`` delimits the material, and must not come back in the answer.
    """

    system: str
    turns: tuple[Turn, ...]
    label: str


def told(talk: Talk) -> Told:
    """Return what a model is told to answer the question of a talk."""
    material, label = delimited("\n\n".join(map(_source, talk.sources)))
    first = Turn("user", prompt("chat_v1", material=material, question=""))
    turns = _merged((first, *talk.history, Turn("user", talk.question)))
    return Told(prompt("chat_system_v1"), tuple(turns), label)


def room(engine: Engine, question: str, history: Sequence[Turn] = ()) -> int | None:
    """Return how many tokens of material a model takes beside what else it is told.

    None if it reads all: what runs here does not pay by the word.
    """
    if engine.provider in catalog.LOCAL:
        return None
    said = sum(tokens(text) for text in (question, *(turn.text for turn in history)))
    said += tokens(prompt("chat_system_v1"))
    context = catalog.chat_model(engine.model).context_tokens
    left = context - min(ANSWER_TOKENS, context // 4) - said
    return max(min(left, _MOST_MATERIAL_TOKENS), _LEAST_MATERIAL_TOKENS)


def estimate(engine: Engine, talk: Talk) -> Estimate:
    """Return what it may cost to have a question answered."""
    if engine.provider in catalog.LOCAL:
        return Estimate(engine.provider, engine.model, 0)
    asked = told(talk)
    texts = (asked.system, *(turn.text for turn in asked.turns))
    read = sum(tokens(text) for text in texts)
    cost = catalog.chat_model(engine.model).cost_usd_micros(
        input_tokens=read, output_tokens=ANSWER_TOKENS
    )
    return Estimate(engine.provider, engine.model, cost)


def _source(source: Source) -> str:
    kind = "All that was said" if source.whole else "Excerpts of what was said"
    heading = f"Recording: {one_line(source.title) or 'untitled'}\n{kind}:"
    return "\n".join((heading, *transcript_lines(source.segments)))


def _merged(turns: Iterable[Turn]) -> list[Turn]:
    """Join what one side says twice in a row: some models take no such talk."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            text = f"{merged.pop().text}\n\n{turn.text}"
            merged.append(Turn(turn.role, text))
        else:
            merged.append(turn)
    return merged
