"""Where a quote stands in the transcript."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from common.grounding.plain import words
from common.study import Citation
from common.transcript import Segment

_ENOUGH = 0.85  # of the quote's words in order: a small word may be missing or added
_RARE = 4  # words of a quote that are looked up: the rarest tell most
_MOST_PLACES = 40  # candidates aligned per quote; more means that it says nothing


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One word of the transcript: plain, and where its letters stand."""

    plain: str
    segment: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Index:
    """The transcript's words in order, and where each of them occurs."""

    segments: Sequence[Segment]
    spoken: Sequence[_Spoken]
    places: Mapping[str, Sequence[int]]

    def find(self, quote: str) -> tuple[int, int] | None:
        """Return the first and last word of the passage that says this, or None."""
        wanted = [plain for plain, _, _ in words(quote)]
        if not wanted:
            return None
        return self._exact(wanted) or self._similar(wanted)

    def _exact(self, wanted: Sequence[str]) -> tuple[int, int] | None:
        offset = min(range(len(wanted)), key=lambda i: len(self._places(wanted[i])))
        for place in self._places(wanted[offset]):
            start = place - offset
            passage = self.spoken[max(0, start) : start + len(wanted)]
            if start >= 0 and [word.plain for word in passage] == wanted:
                return start, start + len(wanted) - 1
        return None

    def _similar(self, wanted: list[str]) -> tuple[int, int] | None:
        found = [(self._align(wanted, start)) for start in self._likely(wanted)]
        best = max(found, key=lambda match: match[0], default=(0.0, 0, 0))
        return (best[1], best[2]) if best[0] >= _ENOUGH else None

    def _likely(self, wanted: Sequence[str]) -> list[int]:
        """Return where the quote may begin, by its rarest words; best places first."""
        known = [(i, word) for i, word in enumerate(wanted) if self._places(word)]
        known.sort(key=lambda pair: len(self._places(pair[1])))
        votes: Counter[int] = Counter()
        for offset, word in known[:_RARE]:
            for place in self._places(word)[:200]:
                votes[(place - offset) // 2] += 1
        return [2 * half for half, _ in votes.most_common(_MOST_PLACES)]

    def _align(self, wanted: list[str], start: int) -> tuple[float, int, int]:
        """Return how well the words fit here, and the first and last that do."""
        slack = max(2, len(wanted) // 5)
        low = max(0, start - slack)
        passage = [w.plain for w in self.spoken[low : start + len(wanted) + slack]]
        matcher = SequenceMatcher(None, wanted, passage, autojunk=False)
        blocks = [b for b in matcher.get_matching_blocks() if b.size]
        if not blocks:
            return 0.0, 0, 0
        first, last = blocks[0].b, blocks[-1].b + blocks[-1].size
        matched = sum(block.size for block in blocks)
        return matched / max(len(wanted), last - first), low + first, low + last - 1

    def _places(self, word: str) -> Sequence[int]:
        return self.places.get(word, ())

    def cite(self, quote: str) -> Citation | None:
        """Return the citation in the transcript's own words, or None."""
        found = self.find(quote)
        if found is None:
            return None
        first, last = self.spoken[found[0]], self.spoken[found[1]]
        return Citation(
            start_ms=self.segments[first.segment].start_ms,
            end_ms=self.segments[last.segment].end_ms,
            quote=self._said(first, last),
            page=self.segments[first.segment].page,
        )

    def _said(self, first: _Spoken, last: _Spoken) -> str:
        texts = [s.text for s in self.segments[first.segment : last.segment + 1]]
        texts[-1] = texts[-1][: _closing(texts[-1], last.end)]
        texts[0] = texts[0][_opening(texts[0], first.start) :]
        return " ".join(" ".join(texts).split())


def index_of(segments: Sequence[Segment]) -> Index:
    """Return the index of a transcript; it is made once for all quotes."""
    spoken: list[_Spoken] = []
    places: dict[str, list[int]] = defaultdict(list)
    for number, segment in enumerate(segments):
        for plain, start, end in words(segment.text):
            places[plain].append(len(spoken))
            spoken.append(_Spoken(plain, number, start, end))
    return Index(segments, spoken, places)


def _opening(text: str, start: int) -> int:
    """Return ``start``, or one before if a quotation mark opens there."""
    return start - (start > 0 and text[start - 1] in "“«„")


def _closing(text: str, end: int) -> int:
    """Return ``end``, or one further if a full stop follows there."""
    return end + (text[end : end + 1] in tuple(".!?。！？؟।"))  # noqa: RUF001
