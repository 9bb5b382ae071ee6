"""Flashcards as CSV, for Anki's text import and for spreadsheets."""

import csv
import io

from common.exports.lines import clean, untag
from common.study import Card, StudyPack

# A spreadsheet runs a cell that begins so. The usual apostrophe would be printed on the
# card; a zero-width space is seen neither in Anki nor in a spreadsheet.
_FORMULA = ("=", "+", "-", "@")
_DEFUSE = "\u200b"


def render(pack: StudyPack) -> bytes:
    """Return ``front,back,tags`` rows, CRLF, UTF-8 without a byte order mark.

    Anki takes a field for HTML as soon as one looks like it, so tags are broken up.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("front", "back", "tags"))
    writer.writerows(map(_row, pack.flashcards.cards))
    return out.getvalue().encode()


def _row(card: Card) -> tuple[str, str, str]:
    tags = " ".join("_".join(clean(tag).split()) for tag in card.tags or ())
    return _cell(card.front), _cell(card.back), _cell(tags)


def _cell(text: str) -> str:
    plain = untag(clean(text))  # no tab, no line break is left to begin a cell
    return _DEFUSE + plain if plain.startswith(_FORMULA) else plain
