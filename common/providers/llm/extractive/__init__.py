"""Study material without a model: chosen from what was said, never written anew.

No network, no key, and the same answer every time.
"""

from common.errors import ProviderError
from common.providers.llm import Remember
from common.providers.llm.extractive.cards import flashcards
from common.providers.llm.extractive.chapters import outline
from common.providers.llm.extractive.concepts import concept_updates, concepts
from common.providers.llm.extractive.glossary import key_terms
from common.providers.llm.extractive.notes import Notes, take_notes
from common.providers.llm.extractive.questions import exam_questions
from common.providers.llm.extractive.summary import summary
from common.study import StudyDraft, StudyMaterial, Term
from common.transcript import Engine


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
            raise ProviderError(
                "The transcript is empty: nobody speaks in this recording.",
                code="transcript_empty",
            )
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


def _only_term(notes: Notes) -> Term:
    """Return the lecture's title as its term, if nothing in it stands out."""
    [line] = notes.reading.best(notes.reading.lines, 1)
    return Term(
        term=notes.reading.material.title or "Lecture",
        definition=f"In the lecture: “{line.said}”",
        citations=notes.reading.cite(line),
    )
