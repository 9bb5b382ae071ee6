"""Study material: the five artifacts, as a model drafts them and as clients read them.

A draft cites by ``quote`` only. The server finds each quote in the transcript and
fills in its times; what cannot be found is not cited (see ``common.grounding``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.presets import Preset
from common.transcript import Segment

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

ArtifactType = Literal[
    "summary", "outline", "key-terms", "flashcards", "exam-questions"
]
ARTIFACT_TYPES: tuple[ArtifactType, ...] = (
    "summary",
    "outline",
    "key-terms",
    "flashcards",
    "exam-questions",
)
Face = Literal["RED", "ORANGE", "YELLOW", "GREEN", "BLUE", "PURPLE"]
FACE_OF_FACET: dict[str, Face] = {
    "how": "RED",
    "what": "ORANGE",
    "when": "YELLOW",
    "where": "GREEN",
    "who": "BLUE",
    "why": "PURPLE",
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Citation(_Strict):
    """Words of the transcript, and where they are: times, or the page of a document.

    In a draft the times are 0: only the server may claim when something was said.
    """

    start_ms: Annotated[int, Field(ge=0)] = 0
    end_ms: Annotated[int, Field(ge=0)] = 0
    quote: Text
    page: Annotated[int, Field(ge=1)] | None = None


class Item(_Strict):
    """Anything that may cite the transcript."""

    citations: list[Citation] | None = None


class Section(Item):
    """One part of the summary."""

    title: Text
    bullets: Annotated[list[Text], Field(min_length=1)]


class OutlineNode(Item):
    """A heading, its points and its sub-headings."""

    title: Text
    points: list[Text] | None = None
    children: "list[OutlineNode] | None" = None


class Term(Item):
    """A key term and what it means in this lecture."""

    term: Text
    definition: Text
    example: str | None = None
    threadRef: str | None = None


class Card(Item):
    """A flashcard."""

    front: Text
    back: Text
    difficulty: Literal["easy", "medium", "hard"] | None = None
    tags: list[Text] | None = None
    threadRef: str | None = None


class Question(Item):
    """An exam question; multiple-choice and true-false carry their choices."""

    prompt: Text
    type: Literal["multiple-choice", "short-answer", "essay", "true-false"]
    answer: Text
    choices: list[Text] | None = None
    correctChoiceIndex: Annotated[int, Field(ge=0)] | None = None
    explanation: str | None = None
    threadRef: str | None = None


class SummaryBody(_Strict):
    """Overview and sections."""

    overview: Text
    sections: Annotated[list[Section], Field(min_length=1)]


class Evidence(_Strict):
    """Words of the transcript that prove something; in a draft the times are 0."""

    evidence: Text
    start_ms: Annotated[int, Field(ge=0)] = 0
    end_ms: Annotated[int, Field(ge=0)] = 0


class Concept(Evidence):
    """A concept that the lecture introduces or takes up again."""

    title: Text
    summary: Text
    face: Face
    complexity_level: Annotated[int, Field(ge=1, le=5)] = 1
    status: Literal["foundational", "advanced"] = "foundational"
    aliases: list[Text] = []


class ConceptUpdate(Evidence):
    """What the lecture changes about a concept of an earlier lecture."""

    title: Text
    change_type: Literal["refinement", "contradiction", "complexity"]
    summary: Text
    new_complexity_level: Annotated[int, Field(ge=1, le=5)] | None = None


class StudyDraft(_Strict):
    """All that one lecture yields, as a provider returns it."""

    summary: SummaryBody
    outline: Annotated[list[OutlineNode], Field(min_length=1)]
    key_terms: Annotated[list[Term], Field(min_length=1)]
    flashcards: Annotated[list[Card], Field(min_length=1)]
    exam_questions: Annotated[list[Question], Field(min_length=1)]
    concepts: list[Concept] = []
    concept_updates: list[ConceptUpdate] = []


@dataclass(frozen=True, slots=True)
class KnownThread:
    """A concept that earlier lectures of the course already follow."""

    thread_id: str
    title: str
    summary: str
    lecture_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyMaterial:
    """What a provider is given: one lecture's transcript and how to treat it."""

    title: str
    language: str
    segments: Sequence[Segment]
    preset: Preset
    lecture_mode: str | None = None
    threads: Sequence[KnownThread] = ()


class EngineLabel(_Strict):
    """Who wrote a document."""

    provider: Text
    model: Text


class Document(_Strict):
    """What all five artifact documents have in common."""

    id: Text
    courseId: Text
    lectureId: Text
    presetId: Text
    generatedAt: Text
    version: Text
    engine: EngineLabel
    threadRefs: list[Text] | None = None


class SummaryDocument(Document):
    """``summary.json``."""

    artifactType: Literal["summary"] = "summary"
    overview: Text
    sections: Annotated[list[Section], Field(min_length=1)]


class OutlineDocument(Document):
    """``outline.json``."""

    artifactType: Literal["outline"] = "outline"
    outline: Annotated[list[OutlineNode], Field(min_length=1)]


class KeyTermsDocument(Document):
    """``key-terms.json``."""

    artifactType: Literal["key-terms"] = "key-terms"
    terms: Annotated[list[Term], Field(min_length=1)]


class FlashcardsDocument(Document):
    """``flashcards.json``."""

    artifactType: Literal["flashcards"] = "flashcards"
    cards: Annotated[list[Card], Field(min_length=1)]


class ExamQuestionsDocument(Document):
    """``exam-questions.json``."""

    artifactType: Literal["exam-questions"] = "exam-questions"
    questions: Annotated[list[Question], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class StudyPack:
    """Everything that one lecture yielded, ready to be exported.

    ``media_url`` plays the recording when a person opens it; None if there is none.
    """

    lecture_id: str
    title: str
    course_id: str
    course_title: str
    summary: SummaryDocument
    outline: OutlineDocument
    key_terms: KeyTermsDocument
    flashcards: FlashcardsDocument
    exam_questions: ExamQuestionsDocument
    segments: Sequence[Segment]
    total_ms: int
    heard_ms: int
    media_url: str | None = None
