"""Words of a text, and the stems by which their forms are told to be the same."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.text.stop_words import FUNCTION_WORDS, OTHER_FUNCTION_WORDS

# Scripts written without spaces: there, every character counts as a word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff"
)
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(
    f"[{_UNSPACED}]|[^\\W_{_UNSPACED}]+(?:['\u2019-][^\\W_{_UNSPACED}]+)*"
)
_KEPT_ENDINGS = ("ss", "us", "is", "as", "ics", "ous")
_IRREGULAR = {
    "analyses": "analysis",
    "axes": "axis",
    "bacteria": "bacterium",
    "children": "child",
    "crises": "crisis",
    "criteria": "criterion",
    "hypotheses": "hypothesis",
    "indices": "index",
    "matrices": "matrix",
    "men": "man",
    "mice": "mouse",
    "nuclei": "nucleus",
    "phenomena": "phenomenon",
    "stimuli": "stimulus",
    "theses": "thesis",
    "vertices": "vertex",
    "women": "woman",
}
_ENGLISH_SHARE = 0.2  # of function words; other languages stay below 0.1
_COMMON_SHARE = 0.15  # of statements: more often than that, a word says little
_ENOUGH_STATEMENTS = 25  # below this, shares are chance
_SHORT_WORD = 3


@dataclass(frozen=True, slots=True)
class Word:
    """One word and its place: ``text[start:end]``. ``lower`` has plain apostrophes."""

    lower: str
    stem: str
    start: int
    end: int


def words(text: str) -> tuple[Word, ...]:
    """Return the words of a text in order; characters, where there are no spaces."""
    found = []
    for match in _WORD.finditer(text):
        lower = match[0].lower().replace("\u2019", "'")
        found.append(Word(lower, stem(lower), match.start(), match.end()))
    return tuple(found)


def stem(word: str) -> str:
    """Return an English noun's singular; other words come back as they are.

    Only plurals and possessives are taken off: a stronger stemmer would make one
    term of "organ" and "organization".
    """
    word = word.removesuffix("'s")
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if (
        not word.endswith("s")
        or word.endswith(_KEPT_ENDINGS)
        or len(word) <= _SHORT_WORD
    ):
        return word
    if word.endswith("ies") and len(word) > len("ties"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1]


def is_unspaced(text: str) -> bool:
    """Return whether the text's script is written without spaces between words."""
    return bool(_UNSPACED_CHARACTER.search(text))


def stop_words(statements: Sequence[Sequence[Word]]) -> frozenset[str]:
    """Return the words of these statements that carry no subject matter.

    English and some more languages are known by list. In any other, short words and
    those that stand in a large share of all statements are taken for such.
    """
    counts = Counter(word.lower for statement in statements for word in statement)
    total = sum(counts.values()) or 1
    known = FUNCTION_WORDS
    if sum(n for word, n in counts.items() if word in known) / total > _ENGLISH_SHARE:
        return known
    return known | OTHER_FUNCTION_WORDS | _frequent(statements) | _short(counts)


def _frequent(statements: Sequence[Sequence[Word]]) -> set[str]:
    if len(statements) < _ENOUGH_STATEMENTS:
        return set()
    spread = Counter(lower for s in statements for lower in {word.lower for word in s})
    limit = _COMMON_SHARE * len(statements)
    return {word for word, n in spread.items() if n > limit and len(word) <= 5}  # noqa: PLR2004 - subject words are longer


def _short(lowers: Iterable[str]) -> set[str]:
    return {w for w in lowers if len(w) <= _SHORT_WORD and not is_unspaced(w)}


def content_stems(statement: Sequence[Word], stop: frozenset[str]) -> tuple[str, ...]:
    """Return the stems that carry meaning, in order.

    Neighbouring characters of an unspaced script become one stem of two.
    """
    stems: list[str] = []
    before: Word | None = None
    for word in statement:
        if word.lower in stop or (len(word.stem) < 2 and word.stem.isascii()):  # noqa: PLR2004
            before = None
            continue
        if not is_unspaced(word.lower):
            stems.append(word.stem)
        elif before is not None and before.end == word.start:
            stems.append(before.lower + word.lower)
        before = word
    return tuple(stems)
