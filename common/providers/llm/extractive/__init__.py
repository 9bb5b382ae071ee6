"""Study material without a model: chosen from what was said, never written anew.

No network, no key, and the same answer every time.
"""

from collections.abc import Iterator

from common.briefs import Brief, BriefMaterial
from common.errors import ProviderError
from common.providers.llm import Remember
from common.providers.llm.extractive.brief import brief
from common.providers.llm.extractive.cards import flashcards
from common.providers.llm.extractive.chapters import outline
from common.providers.llm.extractive.concepts import concept_updates, concepts
from common.providers.llm.extractive.glossary import key_terms
from common.providers.llm.extractive.notes import Notes, take_notes
from common.providers.llm.extractive.questions import exam_questions
from common.providers.llm.extractive.scenes import propose
from common.providers.llm.extractive.summary import summary
from common.providers.llm.extractive.talking import answer
from common.scenes import SceneMaterial, Scenes, checked
from common.study import StudyDraft, StudyMaterial, Term
from common.talk import Talk
from common.transcript import Engine
from common.usage import Usage

_HOW_SCENES = (
    "Found without a language model, by key phrases, density of speech and pauses."
)


class ExtractiveModel:
    """Selects, sorts and asks; see ``common.text`` for how it reads."""

    engine = Engine("extractive", "textrank-1")

    def study(self, material: StudyMaterial, remember: Remember) -> StudyDraft:
        """Return a draft, always the same for the same material; nothing is paid.

        Raises:
            ProviderError: ``transcript_empty``, as nobody spoke.
        """
        del remember  # nothing here costs money
        notes = take_notes(material)
        if notes is None:
            raise _silence()
        cards = flashcards(notes.entries, notes.parts, notes.reading)
        questions = exam_questions(notes)
        return StudyDraft(
            summary=summary(notes, cards, questions),
            outline=outline(notes.parts, notes.reading),
            key_terms=key_terms(notes.entries, notes.reading) or [_only_term(notes)],
            flashcards=cards,
            exam_questions=questions,
            concepts=concepts(notes),
            concept_updates=concept_updates(notes),
        )

    def brief(self, material: BriefMaterial, remember: Remember) -> Brief:
        """Return the best of what was said, always the same; nothing is paid.

        Raises:
            ProviderError: ``transcript_empty``, as nobody spoke.
        """
        del remember  # nothing here costs money
        found = brief(material)
        if found is None:
            raise _silence()
        return found

    def scenes(self, material: SceneMaterial, remember: Remember) -> Scenes:
        """Return where most is said between two pauses; nothing is paid."""
        del remember  # nothing here costs money
        return checked(propose(material), material, _HOW_SCENES)

    def chat(self, talk: Talk) -> Iterator[str | Usage]:
        """Yield what was said about the question, in the speaker's words."""
        yield from answer(talk)
        yield Usage(self.engine.provider, self.engine.model, cost_usd_micros=0)


def _silence() -> ProviderError:
    return ProviderError(
        "The transcript is empty: nobody speaks in this recording.",
        code="transcript_empty",
    )


def _only_term(notes: Notes) -> Term:
    """Return the lecture's title as its term, if nothing in it stands out."""
    [line] = notes.reading.best(notes.reading.lines, 1)
    return Term(
        term=notes.reading.material.title or "Lecture",
        definition=f"In the lecture: “{line.said}”",
        citations=notes.reading.cite(line),
    )
