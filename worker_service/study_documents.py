"""From a checked draft to the five documents that clients read."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import uuid4

from common import concepts
from common.models import Lecture
from common.study import (
    Card,
    Document,
    EngineLabel,
    ExamQuestionsDocument,
    FlashcardsDocument,
    KeyTermsDocument,
    OutlineDocument,
    Question,
    StudyDraft,
    SummaryDocument,
    Term,
)
from common.transcript import Engine

VERSION = "1"  # of the documents' form
_MOST_REFS = 3  # threads named in a document's head

AnItem = TypeVar("AnItem", Term, Card, Question)


def documents(
    lecture: Lecture,
    draft: StudyDraft,
    engine: Engine,
    thread_ids: Mapping[str, str],
) -> dict[str, Document]:
    """Return the documents by artifact type.

    ``thread_ids`` gives the ids of the threads that the lecture contributes to, by the
    key of each of their names.
    """
    head = {
        "courseId": lecture.course_id,
        "lectureId": lecture.id,
        "presetId": lecture.preset_id,
        "generatedAt": datetime.now(UTC).isoformat(),
        "version": VERSION,
        "engine": EngineLabel(provider=engine.provider, model=engine.model),
        "threadRefs": _refs(draft, thread_ids),
    }

    def fresh() -> dict[str, Any]:
        return {"id": str(uuid4()), **head}

    summary = draft.summary
    terms = [
        term.model_copy(update={"threadRef": term.threadRef or term.term})
        for term in draft.key_terms
    ]
    return {
        "summary": SummaryDocument(
            **fresh(), overview=summary.overview, sections=summary.sections
        ),
        "outline": OutlineDocument(**fresh(), outline=draft.outline),
        "key-terms": KeyTermsDocument(**fresh(), terms=_linked(terms, thread_ids)),
        "flashcards": FlashcardsDocument(
            **fresh(), cards=_linked(draft.flashcards, thread_ids)
        ),
        "exam-questions": ExamQuestionsDocument(
            **fresh(), questions=_linked(draft.exam_questions, thread_ids)
        ),
    }


def wire(document: Document) -> dict[str, Any]:
    """Return the form that clients read: absent is absent, never null."""
    return document.model_dump(mode="json", exclude_none=True)


def _refs(draft: StudyDraft, thread_ids: Mapping[str, str]) -> list[str] | None:
    """Return the first threads, those that the lecture introduces before the others."""
    titles = [one.title for one in draft.concepts]
    titles += [one.title for one in draft.concept_updates]
    found = [thread_ids.get(concepts.key(title)) for title in titles]
    return list(dict.fromkeys(id_ for id_ in found if id_))[:_MOST_REFS] or None


def _linked(items: Sequence[AnItem], thread_ids: Mapping[str, str]) -> list[AnItem]:
    """Turn the titles that a draft refers to into ids; unknown ones are dropped."""
    return [
        item.model_copy(
            update={"threadRef": thread_ids.get(concepts.key(item.threadRef or ""))}
        )
        for item in items
    ]
