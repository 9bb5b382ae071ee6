"""Study material from any model that answers by a JSON schema."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from common.briefs import Brief, BriefMaterial
from common.errors import ProviderError
from common.prompts import prompt
from common.providers import catalog
from common.providers.llm import Remember, Reply, scene_prompts, short_texts
from common.providers.llm.briefing import (
    lecture_block,
    preset_text,
    tokens,
    transcript_lines,
    windows,
)
from common.providers.llm.chatting import Stream, told
from common.providers.llm.schema import strict_schema, stripped
from common.scenes import Proposals, SceneMaterial, Scenes
from common.study import StudyDraft, StudyMaterial, Text
from common.talk import Talk
from common.transcript import Engine
from common.usage import Estimate, Usage

Shape = TypeVar("Shape", bound=BaseModel)

_ANSWER_TOKENS = 16_000  # the longest preset asks for about 8,000, plus reasoning
_LEAST_BUDGET = 500  # below it a window holds no thought; the provider then refuses
_NOTE_TOKENS = 120  # a sentence, a quote and their marks
_NOTES = range(3, 31)  # in a window: fewer are no notes, more are a transcript
_ROUNDS = 4  # each makes the text about five times shorter
_PROBLEMS = 20  # told in a repair; the rest is usually the same mistake


class Complete(Protocol):
    """One call of a model."""

    def __call__(
        self, system: str, user: str, schema: dict[str, Any], schema_name: str
    ) -> Reply:
        """Return the JSON object that the model answers, held to ``schema``.

        Raises:
            ProviderError: or one of its subclasses, as ``LanguageModel`` says.
        """


class Note(BaseModel):
    """One thing that was said, and where."""

    model_config = ConfigDict(extra="forbid")

    statement: Text
    quote: Text


class Notes(BaseModel):
    """What one window of the transcript holds."""

    model_config = ConfigDict(extra="forbid")

    notes: list[Note] = []


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked in one call; ``label`` must not come back in the answer."""

    purpose: str
    system: str
    user: str
    label: str


@dataclass(frozen=True, slots=True)
class PromptedModel:
    """Write study material with a model that is told what to do in words.

    A transcript that does not fit into what the model reads and writes in one call is
    first reduced to notes that keep their quotes, window by window, as often as it
    takes. ``answer_tokens`` is what the model writes at most.
    """

    engine: Engine
    complete: Complete
    stream: Stream
    model: catalog.Model
    answer_tokens: int = _ANSWER_TOKENS

    def study(self, material: StudyMaterial, remember: Remember) -> StudyDraft:
        """Return a draft; its quotes are the model's and not yet checked."""
        system = prompt("study_system_v1")
        preset = preset_text(material.preset)
        budget = self.budget(material, system, preset)
        lines = self.reduced(
            material, transcript_lines(material.segments), budget, remember
        )
        block, label = lecture_block(material, lines)
        user = prompt("study_v1", preset=preset, lecture=block)
        question = Question("study", system, user, label)
        return self.answer(question, StudyDraft, remember)

    def brief(self, material: BriefMaterial, remember: Remember) -> Brief:
        """Return a note or a summary in the model's own words."""
        system = short_texts.system()
        if material.at_ms is not None:
            question = Question("note", system, *short_texts.note(material))
            return Brief(self.answer(question, short_texts.NoteShape, remember).text)
        study = material.study
        room = self.budget(study, system)
        lines = self.reduced(study, transcript_lines(study.segments), room, remember)
        told = short_texts.summary(material, lines)
        question = Question("summary", system, *told)
        found = self.answer(question, short_texts.SummaryShape, remember)
        return Brief(found.summary, tuple(found.questions))

    def scenes(self, material: SceneMaterial, remember: Remember) -> Scenes:
        """Return the scenes that the model proposes, as far as they can be.

        A long film is asked about part by part; the best of all parts are kept.
        """
        system, around = scene_prompts.around(material)
        room = self.budget(material.study, system, around)
        questions = [
            Question("scenes", system, *asked)
            for asked in scene_prompts.parts(material, room)
        ]
        return scene_prompts.joined(
            [self.answer(question, Proposals, remember) for question in questions],
            material,
        )

    def chat(self, talk: Talk) -> Iterator[str | Usage]:
        """Yield the model's answer, as long as it keeps the label to itself."""
        asked = told(talk)
        end = ""
        for piece in self.stream(asked.system, asked.turns):
            if isinstance(piece, str):
                end = end[-len(asked.label) :] + piece
                if asked.label in end:
                    raise ProviderError(
                        f"{self.engine.provider}: the model obeys its material.",
                        code="provider_refused",
                    )
            yield piece

    def budget(self, material: StudyMaterial, *texts: str) -> int:
        """Return how many tokens are left for the transcript beside ``texts``."""
        heading, _label = lecture_block(material, ())
        said = sum(tokens(text) for text in (*texts, heading))
        # Room for the answer, and for the same answer in the request to repair it.
        context = self.model.context_tokens
        answers = 2 * min(_ANSWER_TOKENS, context // 4)
        return max(context - answers - said, _LEAST_BUDGET)

    def reduced(
        self,
        material: StudyMaterial,
        lines: Sequence[str],
        budget: int,
        remember: Remember,
    ) -> Sequence[str]:
        """Return the lines, or notes on them that fit into ``budget`` tokens.

        Raises:
            ProviderError: as ``LanguageModel`` says.
        """
        for _round in range(_ROUNDS):
            if sum(tokens(line) + 1 for line in lines) <= budget:
                return lines
            lines = self._noted(material, lines, budget, remember)
        raise ProviderError(
            "The transcript is too long for the context of this model.",
            code="provider_too_large",
        )

    def _noted(
        self,
        material: StudyMaterial,
        lines: Sequence[str],
        budget: int,
        remember: Remember,
    ) -> Sequence[str]:
        parts = windows(lines, budget)
        count = budget // (len(parts) * _NOTE_TOKENS)
        count = min(max(count, _NOTES.start), _NOTES.stop - 1)
        system = prompt("notes_system_v1", count=str(count))
        noted: list[str] = []
        for number, part in enumerate(parts, start=1):
            block, label = lecture_block(material, part)
            user = prompt(
                "notes_v1", number=str(number), total=str(len(parts)), lecture=block
            )
            question = Question("notes", system, user, label)
            notes = self.answer(question, Notes, remember).notes[:count]
            noted += (_note_line(part[0], note) for note in notes)
        return noted

    def answer(
        self, question: Question, shape: type[Shape], remember: Remember
    ) -> Shape:
        """Return the model's answer, after one request to mend it if needed.

        Raises:
            ProviderError: as ``LanguageModel`` says.
        """
        document = self._asked(question, shape, remember)
        answer, problems = _checked(document, shape, question.label)
        if answer is None:
            question = _repair(question, document, problems)
            document = self._asked(question, shape, remember)
            answer, problems = _checked(document, shape, question.label)
        if answer is not None:
            return answer
        raise ProviderError(
            f"{self.engine.provider}: {self.engine.model} does not answer in the form"
            " that was asked for.",
            code="provider_schema",
        )

    def _asked(
        self, question: Question, shape: type[BaseModel], remember: Remember
    ) -> dict[str, Any]:
        schema = strict_schema(shape)

        def call() -> Reply:
            return self.complete(question.system, question.user, schema, shape.__name__)

        return remember(
            self._step(question, schema), call, self._most(question, schema)
        )

    def _most(self, question: Question, schema: dict[str, Any]) -> Estimate:
        """Return what the call may cost; a request that is refused costs nothing."""
        texts = (question.system, question.user, json.dumps(schema))
        cost = self.model.cost_usd_micros(
            input_tokens=sum(tokens(text) for text in texts),
            output_tokens=self.answer_tokens,
        )
        return Estimate(self.engine.provider, self.engine.model, cost)

    def _step(self, question: Question, schema: dict[str, Any]) -> str:
        """Name the call by everything that its answer depends on."""
        parts = (
            self.engine.provider,
            self.engine.model,
            question.system,
            question.user,
            schema,
        )
        digest = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        return f"{question.purpose}:{digest[:32]}"


def _note_line(first_line: str, note: Note) -> str:
    """Return the note with the place where its window begins."""
    place = first_line.partition("]")[0] + "]" if first_line.startswith("[") else ""
    statement = " ".join(note.statement.split())
    quote = " ".join(note.quote.split())
    return f'{place} {statement} Quote: "{quote}"'


def _repair(
    question: Question, document: dict[str, Any], problems: Sequence[str]
) -> Question:
    return Question(
        purpose=f"{question.purpose}-repair",
        system=question.system,
        user=prompt(
            "repair_v1",
            request=question.user,
            problems="\n".join(f"- {problem}" for problem in problems),
            answer=json.dumps(document, ensure_ascii=False),
        ),
        label=question.label,
    )


def _checked(
    document: dict[str, Any], shape: type[Shape], label: str
) -> tuple[Shape | None, list[str]]:
    """Return the answer in its form, or None and what is wrong with it."""
    if label in json.dumps(document):
        # An answer that gives the label away obeys something in the transcript.
        return None, ["The answer repeats the label of the material."]
    try:
        return shape.model_validate(stripped(document, strict_schema(shape))), []
    except ValidationError as exc:
        # Without the input: it is in the answer, which is told as well.
        errors = exc.errors(include_url=False, include_input=False)
        return None, [
            f"{'.'.join(map(str, error['loc'])) or 'answer'}: {error['msg']}"
            for error in errors[:_PROBLEMS]
        ]
