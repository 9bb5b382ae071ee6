"""What an answer cites, found again in what was said: nothing else is a citation."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from common.grounding.plain import words
from common.grounding.quotes import index_of
from common.talk import Source
from common.transcript import Segment
from common.wiz.wording import times

_MOST = 20  # more than a person follows
_QUOTE = re.compile(r"[“„«\"]([^“”„«»\"]{12,400})[”“»\"]")
_PAGE = re.compile(r"\[p\. ?(\d{1,5})\]")
_NEAR_MS = 15_000  # what is said within it shares a citation, as the models are told
_MOST_LETTERS = 240  # of a quote: a segment is a sentence, a page is not
_SENTENCE = 300  # letters before a time that it may stand for

Citation = dict[str, Any]


def citations(text: str, sources: Sequence[Source]) -> list[Citation]:
    """Return the passages that an answer quotes or points at, in its order.

    Each is ``{start_ms, end_ms, quote}`` in the recording's own words; with ``page``
    for a document, and ``source`` where there are several recordings.
    """
    found = sorted(
        (*_quoted(text, sources), *_timed(text, sources), *_paged(text, sources)),
        key=lambda one: one[0],
    )
    once: dict[object, Citation] = {}
    for _, one in found:
        once.setdefault((one.get("source"), one["start_ms"], one.get("page")), one)
    return list(islice(once.values(), _MOST))


def _quoted(text: str, sources: Sequence[Source]) -> Iterator[tuple[int, Citation]]:
    quotes = list(_QUOTE.finditer(text))
    for source in sources if quotes else ():
        index = index_of(source.segments)
        for quote in quotes[:_MOST]:
            if cited := index.cite(quote[1]):
                yield quote.start(), _citation(
                    sources, source, cited.start_ms, cited.end_ms, cited.quote,
                    cited.page,
                )  # fmt: skip


def _timed(text: str, sources: Sequence[Source]) -> Iterator[tuple[int, Citation]]:
    for ms, place in times(text)[:_MOST]:
        before = text[max(0, place - _SENTENCE) : place]
        near = [
            (source, segment)
            for source in sources
            for segment in _near(source.segments, ms)
        ]
        if near:
            source, segment = max(near, key=lambda one: _fits(one[1], before, ms))
            yield place, _of_segment(sources, source, segment)


def _paged(text: str, sources: Sequence[Source]) -> Iterator[tuple[int, Citation]]:
    for found in islice(_PAGE.finditer(text), _MOST):
        for source in sources:
            page = [s for s in source.segments if s.page == int(found[1])]
            if page:
                before = text[max(0, found.start() - _SENTENCE) : found.start()]
                best = max(page, key=lambda one: _fits(one, before, 0))
                yield found.start(), _of_segment(sources, source, best)


def _near(segments: Iterable[Segment], ms: int) -> Iterator[Segment]:
    for segment in segments:
        timed = segment.page is None
        if timed and segment.start_ms - _NEAR_MS <= ms <= segment.end_ms + _NEAR_MS:
            yield segment


def _fits(segment: Segment, sentence: str, ms: int) -> tuple[int, int]:
    """Return how well a segment supports a sentence, then how near it is."""
    said = {word for word, _, _ in words(segment.text)}
    told = {word for word, _, _ in words(sentence) if len(word) > 3}  # noqa: PLR2004 - shorter ones say little
    return len(said & told), -abs(segment.start_ms - ms)


def _of_segment(
    sources: Sequence[Source], source: Source, segment: Segment
) -> Citation:
    return _citation(
        sources,
        source,
        segment.start_ms,
        segment.end_ms,
        " ".join(segment.text.split()),
        segment.page,
    )


def _citation(  # noqa: PLR0913, PLR0917 - the parts of one value
    sources: Sequence[Source],
    source: Source,
    start_ms: int,
    end_ms: int,
    quote: str,
    page: int | None,
) -> Citation:
    citation: Citation = {
        "start_ms": start_ms,
        "end_ms": end_ms,
        "quote": quote[:_MOST_LETTERS],
    }
    if page is not None:
        citation["page"] = page
    if len(sources) > 1:
        citation["source"] = source.id
    return citation
