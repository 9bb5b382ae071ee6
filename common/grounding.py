"""Every citation checked against the transcript; what cannot be found is not cited.

A model may only quote. The times, and the words themselves, come from the transcript.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TypeVar

from common.errors import ProviderError
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

_ENOUGH = 0.85  # of the quote's words in order: a small word may be missing or added
_RARE = 4  # words of a quote that are looked up: the rarest tell most
_MOST_PLACES = 40  # candidates aligned per quote; more means that it says nothing
_TRUE_FALSE = ("True", "False")
_WORD = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|[^\\W_]+"
)

AnItem = TypeVar("AnItem", bound=Item)
T = TypeVar("T")
AnyEvidence = TypeVar("AnyEvidence", Concept, ConceptUpdate)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One word of the transcript: plain, and where its letters stand."""

    plain: str
    segment: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Index:
    """The transcript's words in order, and where each of them occurs."""

    segments: Sequence[Segment]
    spoken: Sequence[_Spoken]
    places: Mapping[str, Sequence[int]]

    def find(self, quote: str) -> tuple[int, int] | None:
        """Return the first and last word of the passage that says this, or None."""
        wanted = [plain for plain, _, _ in _words(quote)]
        if not wanted:
            return None
        return self._exact(wanted) or self._similar(wanted)

    def _exact(self, wanted: Sequence[str]) -> tuple[int, int] | None:
        offset = min(range(len(wanted)), key=lambda i: len(self._places(wanted[i])))
        for place in self._places(wanted[offset]):
            start = place - offset
            passage = self.spoken[max(0, start) : start + len(wanted)]
            if start >= 0 and [word.plain for word in passage] == wanted:
                return start, start + len(wanted) - 1
        return None

    def _similar(self, wanted: list[str]) -> tuple[int, int] | None:
        found = [(self._align(wanted, start)) for start in self._likely(wanted)]
        best = max(found, key=lambda match: match[0], default=(0.0, 0, 0))
        return (best[1], best[2]) if best[0] >= _ENOUGH else None

    def _likely(self, wanted: Sequence[str]) -> list[int]:
        """Return where the quote may begin, by its rarest words; best places first."""
        known = [(i, word) for i, word in enumerate(wanted) if self._places(word)]
        known.sort(key=lambda pair: len(self._places(pair[1])))
        votes: Counter[int] = Counter()
        for offset, word in known[:_RARE]:
            for place in self._places(word)[:200]:
                votes[(place - offset) // 2] += 1
        return [2 * half for half, _ in votes.most_common(_MOST_PLACES)]

    def _align(self, wanted: list[str], start: int) -> tuple[float, int, int]:
        """Return how well the words fit here, and the first and last that do."""
        slack = max(2, len(wanted) // 5)
        low = max(0, start - slack)
        passage = [w.plain for w in self.spoken[low : start + len(wanted) + slack]]
        matcher = SequenceMatcher(None, wanted, passage, autojunk=False)
        blocks = [b for b in matcher.get_matching_blocks() if b.size]
        if not blocks:
            return 0.0, 0, 0
        first, last = blocks[0].b, blocks[-1].b + blocks[-1].size
        matched = sum(block.size for block in blocks)
        return matched / max(len(wanted), last - first), low + first, low + last - 1

    def _places(self, word: str) -> Sequence[int]:
        return self.places.get(word, ())

    def cite(self, quote: str) -> Citation | None:
        """Return the citation in the transcript's own words, or None."""
        found = self.find(quote)
        if found is None:
            return None
        first, last = self.spoken[found[0]], self.spoken[found[1]]
        return Citation(
            start_ms=self.segments[first.segment].start_ms,
            end_ms=self.segments[last.segment].end_ms,
            quote=self._said(first, last),
            page=self.segments[first.segment].page,
        )

    def _said(self, first: _Spoken, last: _Spoken) -> str:
        texts = [s.text for s in self.segments[first.segment : last.segment + 1]]
        texts[-1] = texts[-1][: _closing(texts[-1], last.end)]
        texts[0] = texts[0][_opening(texts[0], first.start) :]
        return " ".join(" ".join(texts).split())


def _opening(text: str, start: int) -> int:
    """Return ``start``, or one before if a quotation mark opens there."""
    return start - (start > 0 and text[start - 1] in "“«„")


def _closing(text: str, end: int) -> int:
    """Return ``end``, or one further if a full stop follows there."""
    return end + (text[end : end + 1] in tuple(".!?。！？؟।"))  # noqa: RUF001


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _WORD.finditer(text):
        plain = unicodedata.normalize("NFKD", match[0].casefold())
        bare = "".join(c for c in plain if not unicodedata.combining(c))
        yield bare or match[0], match.start(), match.end()


def _index(segments: Sequence[Segment]) -> _Index:
    spoken: list[_Spoken] = []
    places: dict[str, list[int]] = defaultdict(list)
    for number, segment in enumerate(segments):
        for plain, start, end in _words(segment.text):
            places[plain].append(len(spoken))
            spoken.append(_Spoken(plain, number, start, end))
    return _Index(segments, spoken, places)


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
    index = _index(segments)
    summary = draft.summary.model_copy(
        update={"sections": _required("sections", _kept(draft.summary.sections, index))}
    )
    questions = [_sane(question) for question in _kept(draft.exam_questions, index)]
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


def _kept(items: Iterable[AnItem], index: _Index) -> list[AnItem]:
    """Return the items that have support, with citations that are true."""
    cited = ((item, _citations(item, index)) for item in items)
    return [item.model_copy(update={"citations": c}) for item, c in cited if c]


def _citations(item: Item, index: _Index) -> list[Citation]:
    found = [index.cite(citation.quote) for citation in item.citations or ()]
    return list({c.quote: c for c in found if c}.values())


def _nodes(nodes: Iterable[OutlineNode], index: _Index) -> list[OutlineNode]:
    """Return the nodes with support of their own or below them."""
    kept = []
    for node in nodes:
        children = _nodes(node.children or (), index)
        citations = _citations(node, index)
        if citations or children:
            update = {"citations": citations or None, "children": children or None}
            kept.append(node.model_copy(update=update))
    return kept


def _evident(items: Iterable[AnyEvidence], index: _Index) -> list[AnyEvidence]:
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


def _plain(text: str) -> str:
    return " ".join(plain for plain, _, _ in _words(text)) or text


def _term_key(term: Term) -> str:
    return _plain(term.term)


def _card_key(card: Card) -> str:
    return _plain(card.front)


def _question_key(question: Question) -> str:
    return _plain(question.prompt)


def _title_key(concept: Concept) -> str:
    return _plain(concept.title)


def _sane(question: Question) -> Question:
    """Return the question with choices that contain the answer, or without choices.

    Clients can show a choice question only with its choices and the right one's index.
    """
    if question.type not in {"multiple-choice", "true-false"}:
        return question.model_copy(update={"choices": None, "correctChoiceIndex": None})
    choices = question.choices or []
    if question.type == "true-false" and len(choices) != len(_TRUE_FALSE):
        choices = list(_TRUE_FALSE)
    right = _right_choice(question, choices)
    distinct = len({_plain(choice) for choice in choices}) == len(choices)
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
    plain = [_plain(choice) for choice in choices]
    answer = _plain(question.answer)
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
