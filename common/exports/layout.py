"""The page in numbers, and what stands on it: styles and blocks of text."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from common.exports.places import Place, places
from common.study import Item, StudyPack

Colour = tuple[int, int, int]
INK: Colour = (31, 36, 42)
MUTED: Colour = (100, 109, 120)
ACCENT: Colour = (22, 78, 122)
TINT: Colour = (240, 244, 248)
RULE: Colour = (209, 216, 224)

LEFT, TOP, RIGHT, BOTTOM = 22.0, 24.0, 188.0, 275.0  # millimetres on A4
MARGIN_WIDTH = 17.0  # the column of times at the right
WIDTH = RIGHT - LEFT - MARGIN_WIDTH
NUMBER_MM = 7.5  # the column of running numbers
PAGE_MM = BOTTOM - TOP - 15  # what fits below a repeated table head
_MAX_PLACES = 3  # more would fill the margin of a short paragraph
_POINT_MM = 25.4 / 72


@dataclass(frozen=True, slots=True)
class Style:
    """How a paragraph looks; ``leading`` is the line height in font sizes."""

    size_pt: float
    bold: bool = False
    colour: Colour = INK
    leading: float = 1.45

    @property
    def line_mm(self) -> float:
        """The height of a line."""
        return self.size_pt * _POINT_MM * self.leading


HEADING = Style(11, bold=True, leading=1.35)
BODY = Style(9.8)
STRONG = Style(9.8, bold=True)
ASIDE = Style(8.8, colour=MUTED)
SMALL = Style(8, colour=MUTED)
LABEL = Style(8, bold=True, colour=MUTED)
LINK = Style(8, colour=ACCENT)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph and where it stands; all lengths in millimetres.

    ``mark`` is a bullet or number; it stands in the ``indent`` before the text, which
    is at the right for a text that runs from right to left.
    """

    text: str
    style: Style
    x: float = LEFT
    width: float = WIDTH
    mark: str = ""
    indent: float = 0.0
    places: Sequence[Place] = ()


def is_rtl(text: str) -> bool:
    """Tell whether the first letter of ``text`` is written from right to left."""
    kinds = (unicodedata.bidirectional(char) for char in text)
    return next((k for k in kinds if k in {"L", "R", "AL"}), "L") != "L"


def shown_places(item: Item, pack: StudyPack) -> tuple[Place, ...]:
    """Return the places of ``item`` that are printed in the margin."""
    return places(item, pack)[:_MAX_PLACES]
