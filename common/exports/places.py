"""Where in the source something was said, as a label and a link."""

import re
from dataclasses import dataclass
from urllib.parse import quote as percent

from common.exports.lines import clean
from common.study import Citation, Item, StudyPack

# What a link may hold unescaped; quotes, spaces and angle brackets are not in it.
_URL_SAFE = "!#$%&'*+,/:;=?@[]~-._"


@dataclass(frozen=True, slots=True)
class Place:
    """A point in the recording (``12:34``) or a page of the document (``p. 3``)."""

    label: str
    quote: str
    url: str | None


def clock(ms: int) -> str:
    """Return ``m:ss``, or ``h:mm:ss`` from one hour on."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def places(item: Item, pack: StudyPack) -> tuple[Place, ...]:
    """Return where ``item`` is said, each place once, in the order of its citations."""
    found = [_place(citation, pack) for citation in item.citations or ()]
    by_label = {place.label: place for place in reversed(found)}
    return tuple(reversed(by_label.values()))


def _place(citation: Citation, pack: StudyPack) -> Place:
    quote = clean(citation.quote)
    if citation.page is not None:
        page = citation.page
        return Place(f"p. {page}", quote, _link(pack, f"page={page}"))
    start_s = citation.start_ms // 1000
    return Place(clock(citation.start_ms), quote, _link(pack, f"t={start_s}"))


def _link(pack: StudyPack, fragment: str) -> str | None:
    """Only web addresses become links; ``javascript:`` and the like never do."""
    if not re.match(r"https?://", pack.media_url or ""):
        return None
    address = (pack.media_url or "").partition("#")[0]
    return percent(clean(address), safe=_URL_SAFE) + f"#{fragment}"
