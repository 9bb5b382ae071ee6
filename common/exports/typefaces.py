"""The fonts in ``fonts/``, and which of them a text needs."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

_FOLDER = Path(__file__).parent / "fonts"
BOX = "\u25a1"  # stands for a sign that no font has


@dataclass(frozen=True, slots=True)
class Typeface:
    """One font file; ``style`` is empty or ``B`` for bold."""

    family: str
    style: str

    @property
    def path(self) -> Path:
        """The file."""
        weight = "Bold" if self.style else "Regular"
        return _FOLDER / f"Pegasus{self.family.capitalize()}-{weight}.ttf"


MAIN = (Typeface("sans", ""), Typeface("sans", "B"))
_OTHERS = (
    (Typeface("arabic", ""), Typeface("arabic", "B")),
    (Typeface("han", ""),),
    (Typeface("symbols", ""),),
    (Typeface("devanagari", ""),),
    (Typeface("hangul", ""),),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Faces to load beside the main ones, in order of preference.

    ``missing`` are the signs that none has.
    """

    faces: tuple[Typeface, ...]
    missing: frozenset[str]


def choose(signs: set[str]) -> Choice:
    """Return the fewest faces that show ``signs``: each costs time to load."""
    left = {ord(sign) for sign in signs | {BOX}} - covered(MAIN[0])
    faces: list[Typeface] = []
    for family in _OTHERS:
        if left & covered(family[0]):
            faces += family
            left -= covered(family[0])
    return Choice(tuple(faces), frozenset(map(chr, left)))


@cache
def covered(face: Typeface) -> frozenset[int]:
    """Return the code points that a font has."""
    with TTFont(face.path, lazy=True) as font:
        return frozenset(font.getBestCmap())
