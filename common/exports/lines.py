"""Plain text that is safe to print, and where its lines may break."""

import re
import unicodedata
from collections.abc import Callable, Iterator

# Signs that steer the direction or hide text: they can make a page say something
# else than its source. The joiners and the two plain marks stay; scripts need them.
_STEERING = frozenset(
    "\u00ad\u200b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
_HAN = (
    "\u2e80-\u30ff\u31f0-\u31ff\u3200-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff01-\uff60\uffe0-\uffe6\U00020000-\U0003ffff"
)
# Not at the start of a line, and not at its end (the common core of "kinsoku").
_CLOSING = (
    ",.;:!?)}%"
    "、。，．：；？！）】》」』〕〉”’…％"  # noqa: RUF001 - the full-width forms are meant
    "ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
_OPENING = "（【《「『〔〈“‘"  # noqa: RUF001
_TOKEN = re.compile(rf"[{_OPENING}]*(?:[{_HAN}]|[^\s{_HAN}]+)[{_CLOSING}]*\s*")


def clean(text: str) -> str:
    """Return ``text`` on one line: no control signs, single spaces, encodable."""
    return " ".join("".join(map(_printable, text)).split())


def _printable(char: str) -> str:
    if char in _STEERING:
        return ""
    match unicodedata.category(char):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cs" | "Co" | "Cn":
            return "\ufffd"
    return char


def untag(text: str) -> str:
    """Return ``text`` with a space in whatever could be read as a tag (``< b>``)."""
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", text)


def columns(text: str) -> float:
    """Return the width of ``text`` in a fixed-width font; wide signs count double."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


def wrap(
    text: str, limit: float, measure: Callable[[str], float] = columns
) -> list[str]:
    """Break ``text`` into lines of at most ``limit``, in the units of ``measure``.

    Lines break at spaces and between Chinese or Japanese signs; only a word that is
    longer than a line is cut. At least one line is returned.
    """
    lines: list[str] = []
    line, used = "", 0.0
    for token in _tokens(text, limit, measure):
        if line and used + measure(token.rstrip()) > limit:
            lines.append(line.rstrip())
            line, used = "", 0.0
        line += token
        used += measure(token)
    return [*lines, line.rstrip()]


def _tokens(text: str, limit: float, measure: Callable[[str], float]) -> Iterator[str]:
    for token in _TOKEN.findall(text):
        if measure(token.rstrip()) <= limit:
            yield token
        else:
            yield from _cut(token, limit, measure)


def _cut(token: str, limit: float, measure: Callable[[str], float]) -> Iterator[str]:
    piece, used = "", 0.0
    for char in token:
        width = measure(char)
        if piece and used + width > limit and not char.isspace():
            yield piece
            piece, used = "", 0.0
        piece += char
        used += width
    yield piece
