"""Pages to segments: pieces of a page that can be cited, with its number."""

import re
from collections.abc import Iterable, Sequence

from common.transcript import Segment

_SENTENCE_END = re.compile("(?<=[.!?\u3002\uff01\uff1f])\\s+")
_LONGEST = 400  # characters; a sentence without an end is cut at a space


def segments(pages: Sequence[str]) -> tuple[Segment, ...]:
    """Return the sentences of all pages. They have page numbers instead of times."""
    return tuple(
        Segment(0, 0, sentence, page=number)
        for number, text in enumerate(pages, start=1)
        for sentence in _sentences(text)
    )


def _sentences(text: str) -> Iterable[str]:
    for sentence in _SENTENCE_END.split(text):
        rest = sentence.strip()
        while len(rest) > _LONGEST:
            cut = rest.rfind(" ", 1, _LONGEST)
            cut = cut if cut > 0 else _LONGEST
            yield rest[:cut].strip()
            rest = rest[cut:].strip()
        if rest:
            yield rest
