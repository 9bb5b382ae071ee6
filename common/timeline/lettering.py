"""Lines of text as pictures: white on a dark edge, in the scripts our fonts have."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from common.exports.layout import is_rtl
from common.exports.lines import wrap
from common.exports.typefaces import BOX, MAIN, Typeface, choose, covered
from common.timeline.pictures import Stamp, stamp
from common.timeline.plan import Line

_ASS_HEIGHT = 288  # what sizes in a force_style refer to
_USUAL_SIZE = 16  # of these
_WIDEST = 0.9  # of the film
_MARGIN = 0.05  # of its height, below or above
_MOST_ROWS = 4  # a cue has two; a narrow film breaks them
_EDGE = 12  # the dark edge is a twelfth of the size

Run = tuple[str, Typeface]


def lettered(line: Line, width: int, height: int) -> Stamp | None:
    """Return a line of subtitles for a film of this size; None if nothing is seen."""
    size = max(8, round(height * (line.size or _USUAL_SIZE) / _ASS_HEIGHT))
    rows = [
        row
        for text in line.text.split("\n")
        for row in wrap(text, width * _WIDEST, lambda part: _width(_runs(part), size))
    ][:_MOST_ROWS]
    pictures = [_drawn(row, size, line.colour, width) for row in rows if row.strip()]
    if not pictures:
        return None
    whole = Image.new("RGBA", (width, sum(p.height for p in pictures)))
    y = 0
    for picture in pictures:
        whole.paste(picture, ((width - picture.width) // 2, y))
        y += picture.height
    box = whole.getbbox()
    if box is None:
        return None
    margin = round(height * _MARGIN)
    top = margin if line.top else max(0, height - margin - whole.height)
    cut = np.asarray(whole.crop(box))[: height - top - box[1]]
    return stamp(cut, box[0], top + box[1])


def _drawn(
    text: str, size: int, colour: tuple[int, int, int], width: int
) -> Image.Image:
    """Draw one row; runs of several fonts stand side by side on one base line."""
    runs = _runs(text)
    if is_rtl(text):
        runs.reverse()
    edge = max(1, size // _EDGE)
    picture = Image.new(
        "RGBA", (min(width, round(_width(runs, size)) + 2 * edge), round(size * 1.4))
    )
    draw = ImageDraw.Draw(picture)
    x = float(edge)
    for part, face in runs:
        font = _font(face, size)
        draw.text(
            (x, size * 1.05),
            part,
            font=font,
            fill=(*colour, 255),
            anchor="ls",
            stroke_width=edge,
            stroke_fill=(0, 0, 0, 255),
        )
        x += font.getlength(part)
    return picture


def _runs(text: str) -> list[Run]:
    """Divide text by the font that has its signs; signs of none become boxes."""
    choice = choose(set(text))
    faces = [MAIN[0], *(face for face in choice.faces if not face.style)]
    runs: list[Run] = []
    for sign in text:
        shown = BOX if sign in choice.missing else sign
        before = runs[-1][1] if runs else None
        has = [face for face in faces if ord(shown) in covered(face)]
        face = before if before in has else (has or faces)[0]
        if face is before:
            runs[-1] = (runs[-1][0] + shown, face)
        else:
            runs.append((shown, face))
    return runs


def _width(runs: list[Run], size: int) -> float:
    return sum(_font(face, size).getlength(part) for part, face in runs)


@cache
def _font(face: Typeface, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(face.path, size)
