"""Citations are checked against the transcript."""

import pytest

from common.errors import ProviderError
from common.grounding import ground
from common.study import (
    Card,
    Citation,
    Concept,
    ConceptUpdate,
    OutlineNode,
    Question,
    Section,
    StudyDraft,
    SummaryBody,
    Term,
)
from common.transcript import Segment

SEGMENTS = [
    Segment(0, 4000, "Good morning. A page table maps virtual pages"),
    Segment(4000, 9000, "to physical frames; each process has its own."),
    Segment(
        9000, 15000, "“Thrashing” is what happens when there is too little memory."
    ),
    Segment(15000, 20000, "A page fault isn't an error."),
]
TRUE = Citation(quote="a page fault isn't an error")
FALSE = Citation(quote="page faults are caused by cosmic rays in the morning")


def draft(**changes):
    parts = {
        "summary": SummaryBody(
            overview="Memory.",
            sections=[Section(title="S", bullets=["b"], citations=[TRUE])],
        ),
        "outline": [OutlineNode(title="O", citations=[TRUE])],
        "key_terms": [Term(term="page fault", definition="d", citations=[TRUE])],
        "flashcards": [Card(front="f", back="b", citations=[TRUE])],
        "exam_questions": [question()],
    }
    return StudyDraft(**(parts | changes))


def question(**changes):
    fields = {"prompt": "p", "type": "short-answer", "answer": "a", "citations": [TRUE]}
    return Question(**(fields | changes))


def grounded_citation(quote):
    card = Card(front="other", back="b", citations=[Citation(quote=quote), TRUE])
    [grounded] = ground(draft(flashcards=[card]), SEGMENTS).flashcards
    assert grounded.citations is not None
    return grounded.citations[0]


def grounded_question(**changes):
    asked = draft(exam_questions=[question(**changes)])
    return ground(asked, SEGMENTS).exam_questions[0]


def test_a_quote_gets_the_times_of_the_segment_that_says_it():
    cited = grounded_citation(
        "THRASHING is what happens, when there is too little memory"
    )
    assert (cited.start_ms, cited.end_ms) == (9000, 15000)


def test_a_quote_is_put_in_the_transcripts_own_words():
    cited = grounded_citation(
        "thrashing is what happens when there's too little memory!"
    )
    assert cited.quote == "“Thrashing” is what happens when there is too little memory."


def test_a_quote_may_run_across_segments():
    cited = grounded_citation("A page table maps virtual pages to physical frames")
    assert cited.quote == "A page table maps virtual pages to physical frames"
    assert (cited.start_ms, cited.end_ms) == (0, 9000)


@pytest.mark.parametrize(
    "quote",
    [
        "a page table maps pages to physical frames; each process has its own",
        "a page table maps all virtual pages to physical frames each process has own",
    ],
    ids=["one word missing", "one word too many"],
)
def test_a_small_word_more_or_less_is_forgiven(quote):
    cited = grounded_citation(quote)
    assert cited.quote == (
        "A page table maps virtual pages to physical frames; each process has its own."
    )


@pytest.mark.parametrize(
    "quote",
    [
        "page faults are caused by cosmic rays in the morning",
        "a page table maps physical disks to virtual tapes and its own process",
        "!?",
        "error page an isn't fault a",
    ],
)
def test_what_was_not_said_is_not_cited(quote):
    assert grounded_citation(quote).quote == "A page fault isn't an error."


def test_times_that_a_model_claims_are_never_believed():
    cited = TRUE.model_copy(update={"start_ms": 1, "end_ms": 2})
    card = Card(front="f", back="b", citations=[cited])
    [kept] = ground(draft(flashcards=[card]), SEGMENTS).flashcards
    assert kept.citations is not None
    assert (kept.citations[0].start_ms, kept.citations[0].end_ms) == (15000, 20000)


def test_pages_of_a_document_have_no_times():
    pages = [Segment(0, 0, segment.text, page=1) for segment in SEGMENTS]
    [card] = ground(draft(), pages).flashcards
    assert card.citations is not None
    assert (card.citations[0].start_ms, card.citations[0].end_ms) == (0, 0)


def test_items_without_support_are_dropped():
    cards = [
        Card(front="kept", back="b", citations=[FALSE, TRUE]),
        Card(front="false", back="b", citations=[FALSE]),
        Card(front="silent", back="b"),
    ]
    kept = ground(draft(flashcards=cards), SEGMENTS).flashcards
    assert [card.front for card in kept] == ["kept"]
    assert kept[0].citations is not None
    assert len(kept[0].citations) == 1


def test_a_heading_is_kept_for_what_is_below_it():
    tree = OutlineNode(
        title="top",
        children=[
            OutlineNode(title="good", citations=[TRUE]),
            OutlineNode(title="bad", citations=[FALSE]),
        ],
    )
    [top] = ground(draft(outline=[tree]), SEGMENTS).outline
    assert top.children is not None
    assert [child.title for child in top.children] == ["good"]
    assert top.citations is None


@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("outline", [OutlineNode(title="O")]),
        ("key_terms", [Term(term="t", definition="d", citations=[FALSE])]),
        ("flashcards", [Card(front="f", back="b")]),
        ("exam_questions", [question(citations=[FALSE])]),
    ],
)
def test_a_list_without_any_support_is_an_error(field, items):
    with pytest.raises(ProviderError) as caught:
        ground(draft(**{field: items}), SEGMENTS)
    assert caught.value.code == "generation_ungrounded"


def test_concepts_need_evidence_too():
    fields = {"title": "T", "summary": "s", "face": "RED"}
    concepts = [
        Concept(**fields, evidence="page fault ISN'T an error"),
        Concept(**fields | {"title": "U"}, evidence=FALSE.quote),
    ]
    update = ConceptUpdate(
        title="T", change_type="refinement", summary="s", evidence=FALSE.quote
    )
    kept = ground(draft(concepts=concepts, concept_updates=[update]), SEGMENTS)
    assert [concept.evidence for concept in kept.concepts] == [
        "page fault isn't an error."
    ]
    assert kept.concept_updates == []


def test_the_same_card_is_kept_once():
    cards = [
        Card(front=f, back="b", citations=[TRUE]) for f in ("What?", "what", "Who?")
    ]
    kept = ground(draft(flashcards=cards), SEGMENTS).flashcards
    assert [card.front for card in kept] == ["What?", "Who?"]


def test_a_wrong_choice_index_is_corrected():
    fixed = grounded_question(
        type="multiple-choice", answer="B", choices=["b", "a"], correctChoiceIndex=7
    )
    assert (fixed.correctChoiceIndex, fixed.answer) == (0, "b")


def test_an_answer_by_letter_becomes_the_choice():
    fixed = grounded_question(
        type="multiple-choice", answer="B", choices=["disk", "memory"]
    )
    assert (fixed.correctChoiceIndex, fixed.answer) == (1, "memory")


@pytest.mark.parametrize("choices", [None, ["only"], ["x", "y"], ["a", "a"]], ids=str)
def test_choices_without_the_answer_make_a_short_answer(choices):
    fixed = grounded_question(type="multiple-choice", answer="memory", choices=choices)
    assert (fixed.type, fixed.choices, fixed.correctChoiceIndex) == (
        "short-answer",
        None,
        None,
    )


def test_true_or_false_gets_its_two_choices():
    fixed = grounded_question(type="true-false", answer="false")
    assert (fixed.choices, fixed.correctChoiceIndex) == (["True", "False"], 1)


def test_an_open_question_loses_choices_that_make_no_sense():
    fixed = grounded_question(choices=["a", "b"], correctChoiceIndex=1)
    assert fixed.choices is None
    assert fixed.correctChoiceIndex is None
