"""What of a draft the transcript supports."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from common.errors import ProviderError
from common.grounding.choices import sane
from common.grounding.plain import plain
from common.grounding.quotes import Index, index_of
from common.study import (
    Card,
    Citation,
    Concept,
    ConceptUpdate,
    Item,
    OutlineNode,
    Question,
    StudyDraft,
    Term,
)
from common.transcript import Segment

AnItem = TypeVar("AnItem", bound=Item)
T = TypeVar("T")
AnyEvidence = TypeVar("AnyEvidence", Concept, ConceptUpdate)


def ground(draft: StudyDraft, segments: Sequence[Segment]) -> StudyDraft:
    """Return the draft with only what the transcript supports.

    Each quote is found (case, punctuation, line borders and a small word more or less
    do not matter), put in the transcript's own words and given its times: those of
    the segments it begins and ends in, 0 in a document. Items without any citation
    that can be found are dropped, as are repeated cards, terms and questions.

    Raises:
        ProviderError: ``generation_ungrounded``; of a list that every lecture must
            have, nothing was supported.
    """
    index = index_of(segments)
    summary = draft.summary.model_copy(
        update={"sections": _required("sections", _kept(draft.summary.sections, index))}
    )
    questions = [sane(question) for question in _kept(draft.exam_questions, index)]
    return StudyDraft(
        summary=summary,
        outline=_required("outline", _nodes(draft.outline, index)),
        key_terms=_required(
            "key_terms", _once(_kept(draft.key_terms, index), _term_key)
        ),
        flashcards=_required(
            "flashcards", _once(_kept(draft.flashcards, index), _card_key)
        ),
        exam_questions=_required("exam_questions", _once(questions, _question_key)),
        concepts=_once(_evident(draft.concepts, index), _title_key),
        concept_updates=_evident(draft.concept_updates, index),
    )


def _required(name: str, items: list[AnItem]) -> list[AnItem]:
    if not items:
        raise ProviderError(
            f"Nothing in the generated {name.replace('_', ' ')} is supported by the"
            " transcript.",
            code="generation_ungrounded",
        )
    return items


def _kept(items: Iterable[AnItem], index: Index) -> list[AnItem]:
    """Return the items that have support, with citations that are true."""
    cited = ((item, _citations(item, index)) for item in items)
    return [item.model_copy(update={"citations": c}) for item, c in cited if c]


def _citations(item: Item, index: Index) -> list[Citation]:
    found = [index.cite(citation.quote) for citation in item.citations or ()]
    return list({c.quote: c for c in found if c}.values())


def _nodes(nodes: Iterable[OutlineNode], index: Index) -> list[OutlineNode]:
    """Return the nodes with support of their own or below them."""
    kept = []
    for node in nodes:
        children = _nodes(node.children or (), index)
        citations = _citations(node, index)
        if citations or children:
            update = {"citations": citations or None, "children": children or None}
            kept.append(node.model_copy(update=update))
    return kept


def _evident(items: Iterable[AnyEvidence], index: Index) -> list[AnyEvidence]:
    cited = ((item, index.cite(item.evidence)) for item in items)
    return [
        item.model_copy(
            update={
                "evidence": citation.quote,
                "start_ms": citation.start_ms,
                "end_ms": citation.end_ms,
            }
        )
        for item, citation in cited
        if citation
    ]


def _once(items: Iterable[T], key: Callable[[T], str]) -> list[T]:
    """Return the first of all items that are the same but for case and punctuation."""
    first: dict[str, T] = {}
    for item in items:
        first.setdefault(key(item), item)
    return list(first.values())


def _term_key(term: Term) -> str:
    return plain(term.term)


def _card_key(card: Card) -> str:
    return plain(card.front)


def _question_key(question: Question) -> str:
    return plain(question.prompt)


def _title_key(concept: Concept) -> str:
    return plain(concept.title)
