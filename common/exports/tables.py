"""The two tables of a handout: key terms and flashcards."""

from collections.abc import Sequence
from itertools import chain

from common.exports.layout import (
    ASIDE,
    BODY,
    LABEL,
    LEFT,
    NUMBER_MM,
    PAGE_MM,
    SMALL,
    STRONG,
    WIDTH,
    Block,
    is_rtl,
    shown_places,
)
from common.exports.paper import Paper
from common.study import Card, StudyPack, Term

_FRONT_WIDTH = 70.0
_BACK_X = LEFT + _FRONT_WIDTH + 5

_Columns = Sequence[Sequence[Block]]


def key_terms(pack: StudyPack, paper: Paper) -> None:
    """Print terms at the left and what they mean at the right."""
    for term in pack.key_terms.terms:
        _row(_term_columns(term, pack), paper)


def _term_columns(term: Term, pack: StudyPack) -> _Columns:
    x, found = LEFT + 46, shown_places(term, pack)
    meaning = [Block(term.definition, BODY, x, LEFT + WIDTH - x, places=found)]
    if term.example:
        example = term.example
        text = example if is_rtl(example) else f"Example: {example}"
        meaning.append(Block(text, ASIDE, x, LEFT + WIDTH - x))
    return [Block(term.term, STRONG, LEFT, 42)], meaning


def flashcards(pack: StudyPack, paper: Paper) -> None:
    """Print fronts at the left and backs at the right: cover one to learn."""
    head = (
        [Block("Front", LABEL, LEFT, _FRONT_WIDTH, mark=" ", indent=NUMBER_MM)],
        [Block("Back", LABEL, _BACK_X, LEFT + WIDTH - _BACK_X)],
    )
    _row(head, paper)
    for number, card in enumerate(pack.flashcards.cards, start=1):
        _row(_card_columns(number, card, pack), paper, head)


def _card_columns(number: int, card: Card, pack: StudyPack) -> _Columns:
    front = Block(
        card.front, STRONG, LEFT, _FRONT_WIDTH, mark=str(number), indent=NUMBER_MM
    )
    level = Block(card.difficulty or "", SMALL, LEFT, _FRONT_WIDTH, " ", NUMBER_MM)
    back = Block(
        card.back,
        BODY,
        _BACK_X,
        LEFT + WIDTH - _BACK_X,
        places=shown_places(card, pack),
    )
    return [front, level] if card.difficulty else [front], [back]


def _row(columns: _Columns, paper: Paper, head: _Columns | None = None) -> None:
    """Print a row of a table, whole if a page can hold it, and a line below it.

    ``head`` is repeated where the row begins a page.
    """
    height = max(map(paper.stack_height, columns)) + 3
    if paper.need(min(height, PAGE_MM)) and head:
        _row(head, paper)
    if height <= PAGE_MM:
        paper.side_by_side(columns)
    else:
        paper.stack([*chain(*columns)])
    paper.y += 1.2
    paper.rule()
    paper.y += 1.8
