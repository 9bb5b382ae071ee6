"""An answer made harmless while it streams: whatever a model was talked into.

No markup, no link that the recordings do not name, no letter that is none; and times
in the one form that clients turn into buttons.
"""

import re
from collections.abc import Sequence

from common.talk import Source, clock

_BREAK = r"\s。！？，、；："  # noqa: RUF001 - scripts without spaces break after these
_PIECE = re.compile(f"[{_BREAK}]")
_HELD = 120  # letters of an open bracket that are kept back; times need fewer
_MOST_HELD = 2_000  # without any break: no language is written so

_NOT_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e\u2066-\u2069\ud800-\udfff]"
)
_TARGET = re.compile(rf"\]\([^{_BREAK}]*")
_LINK = re.compile(
    rf"(?:\b[a-z][a-z0-9+.-]{{1,20}}://|\bwww\.|\b(?:javascript|vbscript|mailto):"
    rf"|\bdata:\w+/)[^{_BREAK}]+",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_TIME = r"(?:\d{1,2}:)?\d{1,3}:\d{2}"
TIMES = re.compile(rf"\[ ?({_TIME}(?: ?[-–,;] ?{_TIME}){{0,7}}) ?\]")  # noqa: RUF001
_RANGE_END = re.compile(rf" ?[-–] ?{_TIME}")  # noqa: RUF001
_NO_TAG = "\u2039"  # an angle that opens no tag, and looks like one that does
_REMOVED = "\u2039link removed\u203a"


class Wording:
    """Takes an answer piece by piece, and gives what may be shown of it.

    However an answer is cut into pieces, the same is shown in the end.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._said = "\n".join(s.text for source in sources for s in source.segments)
        ends = [s.end_ms for source in sources for s in source.segments]
        self._end_ms = max(ends, default=0)
        self._held = ""

    def add(self, piece: str) -> str:
        """Return what can be shown now; the rest waits for what follows it."""
        self._held += piece
        ready = _ready(self._held)
        shown, self._held = self._held[:ready], self._held[ready:]
        return self._shown(shown)

    def rest(self) -> str:
        """Return what is left when the answer is complete."""
        shown, self._held = self._held, ""
        return self._shown(shown)

    def _shown(self, text: str) -> str:
        # Halves of a pair that came apart become one letter, others none.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        plain = _NOT_TEXT.sub("", whole)
        plain = _LINK.sub(self._link, _TARGET.sub("]", plain))
        return TIMES.sub(self._times, _TAG.sub(_NO_TAG, plain))

    def _link(self, found: re.Match[str]) -> str:
        """Keep an address that was said; anything else carries something away."""
        address = found[0].rstrip(".,;:!?)]}>*_\"'”")
        return found[0] if address in self._said else _REMOVED

    def _times(self, found: re.Match[str]) -> str:
        times = re.findall(_TIME, _RANGE_END.sub("", found[1]))
        known = [ms for ms in map(milliseconds, times) if ms <= self._end_ms]
        return f"[{', '.join(map(clock, known))}]" if known else ""


def milliseconds(time: str) -> int:
    """Return the time that ``2:15``, ``62:15`` or ``1:02:15`` says."""
    seconds = 0
    for part in time.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds * 1000


def times(text: str) -> list[tuple[int, int]]:
    """Return each time that an answer cites, and where in the text it stands."""
    return [
        (milliseconds(time), found.start())
        for found in TIMES.finditer(text)
        for time in re.findall(_TIME, found[1])
    ]


def _ready(text: str) -> int:
    """Return how much of a text no later letter can change."""
    breaks = [found.end() for found in _PIECE.finditer(text)]
    end = breaks[-1] if breaks else 0
    opened = text.rfind("[", 0, end)
    if opened > text.rfind("]", 0, end) and end - opened < _HELD:
        end = max((place for place in breaks if place <= opened), default=0)
    return len(text) if end == 0 and len(text) > _MOST_HELD else end
