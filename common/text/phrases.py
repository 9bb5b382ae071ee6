"""Key phrases: what a lecture is about, as noun phrases with a C-value score.

C-value counts how often a phrase occurs on its own, so that "page" does not win only
because "page table" does. Source: Frantzi, Ananiadou, Mima, "Automatic recognition of
multi-word terms", 2000. Which words are nouns is told by lists, endings and what
stands around them, as there is no tagger.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.text.statements import Statement
from common.text.stop_words import (
    AUXILIARIES,
    DETERMINERS,
    FUNCTION_WORDS,
    LECTURE_TALK,
    SUBJECTS,
    VERBS,
    WEAK_ADJECTIVES,
    WEAK_NOUNS,
    word_set,
)
from common.text.words import Word, is_unspaced

_LONGEST = 4  # words; longer runs are clauses
_SHORTEST_SINGLE = 3  # letters; "OS" is an acronym and let through
_ENOUGH_WORDS = 150  # of a lecture; from here on, what matters is said twice
_NOUN_ENDINGS = ("tion", "sion", "ment", "ness", "ity", "ism", "ance", "ence", "sis")
_ADJECTIVE_ENDINGS = ("ous", "ful", "less", "able", "ible", "ish", "ic", "ive", "ical")
_NOUNS_LIKE_ADJECTIVES = word_set(
    """
    logic music topic metric traffic public statistic arithmetic heuristic clinic
    characteristic magic fabric epidemic antibiotic variable table cable vegetable
    derivative objective incentive alternative perspective initiative narrative archive
    executive representative fish dish republic critic mechanic rhetoric ethic
    """
)
_NOUNS_IN_LY = frozenset(
    {"assembly", "family", "anomaly", "supply", "monopoly", "reply", "ally"}
)
_JOINED_BY = (" ", "-", "")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A key phrase: its stems, how it is usually written, and where it stands.

    ``where`` are indexes of statements, in order, each once; ``count`` is how often
    it is said in all; ``score`` compares within one lecture only.
    """

    stems: tuple[str, ...]
    label: str
    score: float
    where: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What is known of this lecture's words: which say nothing, which are verbs.

    Of a language other than English little is; its phrases must prove themselves by
    being repeated.
    """

    stop: frozenset[str]
    verbs: frozenset[str]
    nouns: frozenset[str]
    is_foreign: bool = False

    def breaks(self, word: Word) -> bool:
        """Return whether a noun phrase ends before this word."""
        lower = word.lower
        if lower in self.stop or _is_verb(lower) or word.stem in self.verbs:
            return True
        return lower.endswith("ly") and lower not in _NOUNS_IN_LY

    def is_term(self, run: Sequence[Word]) -> bool:
        """Return whether these words can be a term by themselves."""
        first, last = run[0], run[-1]
        if is_unspaced(first.lower):
            return len(run) > 1
        if first.stem in WEAK_ADJECTIVES or not self._is_head(last):
            return False
        return len(run) > 1 or self._is_single(last)

    def _is_head(self, word: Word) -> bool:
        if word.stem.isdigit() or word.stem in WEAK_ADJECTIVES | LECTURE_TALK:
            return False
        if word.lower.endswith("ed") and word.stem not in self.nouns:
            return False
        looks = word.lower.endswith(_ADJECTIVE_ENDINGS)
        return not looks or word.stem in _NOUNS_LIKE_ADJECTIVES

    def _is_single(self, word: Word) -> bool:
        if word.stem in WEAK_NOUNS or len(word.stem) < _SHORTEST_SINGLE:
            return False
        return (
            self.is_foreign
            or word.stem in self.nouns
            or word.stem.endswith(_NOUN_ENDINGS)
        )


def lexicon(lecture: Sequence[Statement], stop: frozenset[str]) -> Lexicon:
    """Tell verbs from nouns by what stands before and after them in this lecture."""
    votes: Counter[str] = Counter()
    for statement in lecture:
        row = statement.words
        for before, word, after in zip(
            (None, *row), row, (*row[1:], None), strict=False
        ):
            votes[word.stem] += _noun_votes(
                before.lower if before else "", after.lower if after else ""
            )
    return Lexicon(
        stop=stop,
        verbs=frozenset(stem for stem, n in votes.items() if n < 0),
        nouns=frozenset(stem for stem, n in votes.items() if n > 0),
        is_foreign=stop != FUNCTION_WORDS,
    )


def _noun_votes(before: str, after: str) -> int:
    votes = 0
    if before in DETERMINERS or before in {"of", "between", "about", "by"}:
        votes += 1
    if after in {"is", "are", "was", "were", "has", "of"}:
        votes += 1
    if before in AUXILIARIES or before in SUBJECTS:
        votes -= 2
    if after in DETERMINERS | {"it", "them", "us"}:
        votes -= 1
    return votes


def _is_verb(lower: str) -> bool:
    return any(base in VERBS for base in _bases(lower))


def _bases(word: str) -> Iterator[str]:
    """Yield what this word may be an inflected form of."""
    yield word
    for ending in ("s", "es", "d", "ed", "ing"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            base = word.removesuffix(ending)
            yield base
            yield base + "e"
            if base[-1:] == base[-2:-1]:
                yield base[:-1]
    if word.endswith(("ies", "ied")):
        yield word[:-3] + "y"


def key_phrases(
    lecture: Sequence[Statement],
    lexicon: Lexicon,
    *,
    favoured: Collection[tuple[str, ...]] = (),
    limit: int = 60,
) -> tuple[Phrase, ...]:
    """Return the phrases that the lecture is about, best first.

    Args:
        lecture: all statements.
        lexicon: its verbs, nouns and stop words.
        favoured: stems of terms that are defined, or stand in the title.
        limit: at most that many.
    """
    found = _candidates(lecture, lexicon)
    total = _ENOUGH_WORDS if lexicon.is_foreign else sum(len(s.words) for s in lecture)
    frequent = _frequent(found, favoured, total)
    scores = _c_values(frequent, favoured)
    ranked = sorted(scores, key=lambda stems: (-scores[stems], stems))
    chosen = [stems for stems in ranked if scores[stems] > 0][:limit]
    return tuple(
        _phrase(stems, found[stems], scores[stems], lecture) for stems in chosen
    )


Place = tuple[int, int, int]
"""Statement, start and end of one occurrence in its ``clean`` text."""


def _candidates(
    lecture: Sequence[Statement], lexicon: Lexicon
) -> dict[tuple[str, ...], list[Place]]:
    found: dict[tuple[str, ...], list[Place]] = defaultdict(list)
    for statement in lecture:
        for run in _runs(statement, lexicon):
            for part in _parts(run):
                if lexicon.is_term(part):
                    stems = tuple(word.stem for word in part)
                    place = (statement.index, part[0].start, part[-1].end)
                    found[stems].append(place)
    return found


def _runs(statement: Statement, lexicon: Lexicon) -> Iterator[list[Word]]:
    """Yield what stands between stop words, verbs and punctuation."""
    run: list[Word] = []
    for word in statement.words:
        joined = not run or statement.clean[run[-1].end : word.start] in _JOINED_BY
        if run and (not joined or lexicon.breaks(word)):
            yield run
            run = []
        if not lexicon.breaks(word):
            run.append(word)
    if run:
        yield run


def _parts(run: Sequence[Word]) -> Iterator[Sequence[Word]]:
    for start in range(len(run)):
        for end in range(start + 1, min(start + _LONGEST, len(run)) + 1):
            yield run[start:end]


def _frequent(
    found: Mapping[tuple[str, ...], Sequence[Place]],
    favoured: Collection[tuple[str, ...]],
    total_words: int,
) -> dict[tuple[str, ...], int]:
    """Keep what is said often enough for the length of the lecture."""
    single = 1 if total_words < 60 else 2 if total_words < 300 else 3  # noqa: PLR2004 - words
    several = 1 if total_words < _ENOUGH_WORDS else 2
    return {
        stems: len(places)
        for stems, places in found.items()
        if len(places) >= (single if len(stems) == 1 else several) or stems in favoured
    }


def _c_values(
    counts: Mapping[tuple[str, ...], int], favoured: Collection[tuple[str, ...]]
) -> dict[tuple[str, ...], float]:
    longer: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for stems, count in counts.items():
        for part in {p for p in _stem_parts(stems) if p != stems and p in counts}:
            longer[part].append(count)
    scores = {}
    for stems, count in counts.items():
        free = count - (max(longer[stems]) if longer[stems] else 0)
        if free < max(1, count // 4) and stems not in favoured:
            continue  # hardly ever said on its own
        mean = sum(longer[stems]) / len(longer[stems]) if longer[stems] else 0.0
        score = math.log2(len(stems) + 1) * (count - mean)
        scores[stems] = score * (1.6 if stems in favoured else 1.0)
    return scores


def _stem_parts(stems: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(len(stems)):
        for end in range(start + 1, len(stems) + 1):
            yield stems[start:end]


def _phrase(
    stems: tuple[str, ...],
    places: Sequence[Place],
    score: float,
    lecture: Sequence[Statement],
) -> Phrase:
    return Phrase(
        stems=stems,
        label=_label(places, lecture),
        score=score,
        where=tuple(sorted({index for index, _, _ in places})),
        count=len(places),
    )


def _label(places: Sequence[Place], lecture: Sequence[Statement]) -> str:
    """Return the usual spelling; a statement's first word owes its capital to that."""
    spellings = Counter[str]()
    for index, start, end in places:
        spelling = lecture[index].clean[start:end]
        if start == lecture[index].words[0].start and not spelling[1:2].isupper():
            spelling = spelling[:1].lower() + spelling[1:]
        spellings[spelling] += 1
    return min(spellings, key=lambda s: (-spellings[s], len(s), s))
