"""Sheets of A4: lines, columns, page breaks. Imported only when a PDF is made."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from fpdf import FPDF
from fpdf.enums import Align, TextDirection, TextMode

from common.exports.layout import (
    BOTTOM,
    LEFT,
    LINK,
    MARGIN_WIDTH,
    MUTED,
    RIGHT,
    RULE,
    SMALL,
    TINT,
    TOP,
    Block,
    Colour,
    Style,
    is_rtl,
)
from common.exports.lines import clean, wrap
from common.exports.places import Place
from common.exports.typefaces import BOX, MAIN, choose

_CONTENTS_MM = 70.0  # short lines: the eye finds the number
_PAGES_MARK = "\ue000" * 4  # private use: cleaned text cannot hold it; 9999 pages
# Scripts whose letters join or move: only these are shaped, as it costs 3.6 times.
_SHAPED = re.compile("[\u0590-\u08ff\u0900-\u0dff\ufb1d-\ufdff\ufe70-\ufefc]")
_NO_BOLD = re.compile(
    "[\u0530-\u05ff\u0900-\u097f\u10a0-\u10ff\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufb4f]"
)


class _Sheets(FPDF):
    """FPDF with our running head and foot."""

    head = ""

    def settle_font(self) -> None:
        """Write the chosen font to the page at once.

        fpdf2 puts that off, and then loses it if a line begins in a fallback font.
        """
        if self.current_font and not self.current_font_is_set_on_page:
            self._out(self._set_font_for_page(self.current_font, self.font_size_pt))

    def shape(self, text: str, *, rtl: bool) -> None:
        """Switch shaping on if ``text`` needs it, else off."""
        direction = TextDirection.RTL if rtl else TextDirection.LTR
        self.set_text_shaping(bool(_SHAPED.search(text)), direction=direction)

    def header(self) -> None:
        """Print course and title above every page but the first."""
        if self.page == 1:
            return
        self.set_xy(LEFT, 12)
        self.set_font("sans", "", 8)
        self.set_text_color(*MUTED)
        self.settle_font()
        self.shape(self.head, rtl=is_rtl(self.head))
        self.cell(RIGHT - LEFT, 4, self.head)
        self.set_text_shaping(use_shaping_engine=False)
        self.set_draw_color(*RULE)
        self.line(LEFT, 17.5, RIGHT, 17.5)

    def footer(self) -> None:
        """Print the number of the page."""
        self.set_xy(LEFT, 283)
        self.set_font("sans", "", 8)
        self.set_text_color(*MUTED)
        text = f"{self.page} / {_PAGES_MARK}"
        self.settle_font()
        self.cell(RIGHT - LEFT, 4, text, align=Align.C)


class Paper:
    """A document that grows from top to bottom; ``y`` is where it has got to."""

    def __init__(self, signs: set[str], made_at: datetime) -> None:
        """Open the first page.

        Args:
            signs: every character that will be printed; decides which fonts are read.
            made_at: the only date in the file, so that equal packs are equal files.
        """
        choice = choose(signs)
        self._missing = choice.missing
        self._widths: dict[tuple[float, bool, str], float] = {}
        self._pdf = _Sheets(format="A4")
        self._pdf.c_margin = 0
        self._pdf.str_alias_nb_pages = _PAGES_MARK
        self._pdf.set_auto_page_break(auto=False)
        self._pdf.set_creation_date(made_at)
        for face in (*MAIN, *choice.faces):
            self._pdf.add_font(face.family, face.style, face.path)
        self._pdf.set_fallback_fonts(
            [f.family for f in choice.faces], exact_match=False
        )
        self._pdf.add_page()
        self.y = TOP

    def describe(self, *, title: str, author: str, running_head: str) -> None:
        """Set what viewers show about the file, and the line above each page."""
        self._pdf.set_title(self.plain(title))
        self._pdf.set_author(self.plain(author))
        self._pdf.set_creator("Pegasus")
        self._pdf.head = self._fitted(running_head, SMALL, RIGHT - LEFT)

    def plain(self, text: str) -> str:
        """Return ``text`` cleaned, with a box for each sign that no font has."""
        return "".join(BOX if c in self._missing else c for c in clean(text))

    def bookmark(self, name: str, level: int = 0) -> None:
        """Add this point to the viewer's outline."""
        self._pdf.set_y(self.y)
        self._pdf.start_section(self.plain(name), level, strict=False)

    def target(self) -> int:
        """Return a link that leads to this point of the document."""
        return self._pdf.add_link(y=self.y, page=self._pdf.page)

    @property
    def page(self) -> int:
        """The number of the current page, from 1."""
        return self._pdf.page

    def need(self, height: float) -> bool:
        """Begin a new page unless ``height`` is left on this one; say if it did."""
        if self.y + height <= BOTTOM:
            return False
        self.new_page()
        return True

    def new_page(self) -> None:
        """Go on at the top of the next page."""
        self._pdf.add_page()
        self.y = TOP

    def gap(self, height: float) -> None:
        """Leave space, but not at the top of a page."""
        if self.y > TOP:
            self.y += height

    def height(self, block: Block) -> float:
        """Return how high ``block`` will be on one page."""
        return len(self._lines(block)) * block.style.line_mm

    def put(self, block: Block) -> None:
        """Print a paragraph; it may go on on the next page, but never by one line."""
        lines = self._lines(block)
        line_mm = block.style.line_mm
        for i, line in enumerate(lines):
            room = int((BOTTOM - self.y) / line_mm + 1e-6)
            left = len(lines) - i
            alone = room == left - 1 or (i == 0 and room == 1 < left)
            if room < 1 or (alone and room <= 1):
                self.new_page()
            if i == 0 and block.mark:
                self._mark(block)
            self._line(line, block)
            if i < len(block.places):
                self._place(block.places[i], line_mm)
            self.y += line_mm

    def stack_height(self, blocks: Sequence[Block]) -> float:
        """Return how high ``blocks`` are, one below the other."""
        return sum(map(self.height, blocks))

    def stack(self, blocks: Sequence[Block]) -> None:
        """Print ``blocks`` one below the other."""
        for block in blocks:
            self.put(block)

    def side_by_side(self, columns: Sequence[Sequence[Block]]) -> None:
        """Print columns beside each other; the caller has seen that they fit."""
        top, ends = self.y, []
        for blocks in columns:
            self.y = top
            self.stack(blocks)
            ends.append(self.y)
        self.y = max(ends)

    def rule(
        self, x: float = LEFT, right: float = RIGHT, colour: Colour = RULE
    ) -> None:
        """Draw a hairline."""
        self._pdf.set_draw_color(*colour)
        self._pdf.set_line_width(0.2)
        self._pdf.line(x, self.y, right, self.y)

    def tint(self, height: float) -> None:
        """Lay a light ground under the next ``height`` millimetres."""
        self._pdf.set_fill_color(*TINT)
        self._pdf.rect(LEFT, self.y, RIGHT - LEFT, height, style="F")

    @contextmanager
    def revisit(self, page: int, y: float) -> Iterator[None]:
        """Go back to a page to add what was not known before, then return."""
        here = self._pdf.page, self.y
        self._pdf.page, self.y = page, y
        self._forget_font()
        yield
        self._pdf.page, self.y = here
        self._forget_font()

    def entry(self, label: str, number: str, link: int, style: Style) -> None:
        """Print one line of the table of contents."""
        self._use(style)
        for text, align in ((label, Align.L), (number, Align.R)):
            self._pdf.set_xy(LEFT, self.y)
            self._pdf.cell(_CONTENTS_MM, style.line_mm, text, align=align, link=link)
        self.y += style.line_mm

    def output(self) -> bytes:
        """Return the finished file."""
        return bytes(self._pdf.output())

    def _forget_font(self) -> None:
        """Make the next ``set_font`` write itself: fpdf2 thinks it is still set."""
        self._pdf.set_font("sans", "B", 7)

    def _fitted(self, text: str, style: Style, width: float) -> str:
        first, *rest = wrap(
            self.plain(text), width - 4, lambda t: self._width(t, style)
        )
        return f"{first} …" if rest else first

    def _lines(self, block: Block) -> list[str]:
        """Break into lines; empty ones are added where there are more places."""
        width = block.width - block.indent
        text = self.plain(block.text)
        lines = wrap(text, width, lambda t: self._width(t, block.style))
        return lines + [""] * (len(block.places) - len(lines))

    def _width(self, text: str, style: Style) -> float:
        key = style.size_pt, style.bold, text
        if key not in self._widths:
            self._pdf.set_font("sans", "B" if style.bold else "", style.size_pt)
            self._pdf.shape(text, rtl=False)
            self._widths[key] = self._pdf.get_string_width(text)
            self._pdf.set_text_shaping(use_shaping_engine=False)
        return self._widths[key]

    def _use(self, style: Style) -> None:
        self._pdf.set_font("sans", "B" if style.bold else "", style.size_pt)
        self._pdf.set_text_color(*style.colour)
        self._pdf.settle_font()

    def _line(self, line: str, block: Block) -> None:
        rtl = is_rtl(block.text)
        self._use(block.style)
        self._pdf.shape(line, rtl=rtl)
        self._pdf.set_xy(block.x if rtl else block.x + block.indent, self.y)
        width, align = block.width - block.indent, Align.R if rtl else Align.L
        with self._heavier(line, block.style):
            self._pdf.cell(width, block.style.line_mm, line, align=align)
        self._pdf.set_text_shaping(use_shaping_engine=False)

    @contextmanager
    def _heavier(self, line: str, style: Style) -> Iterator[None]:
        """Thicken signs that have no bold face, by drawing their outline as well."""
        if not (style.bold and _NO_BOLD.search(line)):
            yield
            return
        self._use(replace(style, bold=False))
        with self._pdf.local_context(
            text_mode=TextMode.FILL_STROKE,
            line_width=style.size_pt * 0.004,
            draw_color=style.colour,
        ):
            yield

    def _mark(self, block: Block) -> None:
        """Print the bullet or number beside the first line."""
        self._use(block.style)
        rtl = is_rtl(block.text)
        x = block.x + block.width - block.indent if rtl else block.x
        align = Align.R if rtl else Align.L
        self._pdf.set_xy(x, self.y)
        self._pdf.cell(block.indent, block.style.line_mm, block.mark, align=align)

    def _place(self, place: Place, line_mm: float) -> None:
        """Print a time in the margin, as a link if there is somewhere to go."""
        self._use(LINK if place.url else SMALL)
        self._pdf.set_xy(RIGHT - MARGIN_WIDTH, self.y)
        self._pdf.cell(
            MARGIN_WIDTH, line_mm, place.label, align=Align.R, link=place.url or ""
        )
