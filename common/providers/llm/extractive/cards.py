"""Flashcards: definitions, gaps, reasons and conditions, never two of the same line."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from common.providers.llm.extractive.chapters import Chapter
from common.providers.llm.extractive.emphasis import facet_weights
from common.providers.llm.extractive.glossary import Entry, meaning, sources
from common.providers.llm.extractive.reading import Line, Reading
from common.providers.llm.extractive.voice import sentence_case, voice
from common.study import Card, Citation
from common.text.words import Word, words

_BLANK = "_____"
_CARDS_PER_TERM = 2  # more of the same term is drill, not study
_GAP_LENGTH = range(8, 29)  # words: fewer give no clue, more are no card
_CLAUSE_LENGTH = range(3, 22)  # words of either half of a reason
_BECAUSE = re.compile(
    r"^(?P<claim>[^,;:]+?),? because (?P<reason>(?!of\b).+)$", re.IGNORECASE
)
_CONDITION = re.compile(
    r"^(?P<condition>(?:if|when)\b[^,]+?)(?:, (?:then )?| then )(?P<result>.+)$",
    re.IGNORECASE,
)
_EFFECT = re.compile(
    r"^(?P<cause>(?:the |an? )?(?:[\w-]+ ){1,5}?)(?P<verb>leads to|causes|produces)"
    r" (?P<effect>.+)$",
    re.IGNORECASE,
)
_OPENS_BADLY = re.compile(
    r"(?:if|when|because|although|while|and|but|so|that|which|whether|to|not|this|it)\b",
    re.IGNORECASE,
)
_NO_NOUN_PHRASE = re.compile(
    r"\b(?:is|are|was|were|and|or|but|that|which|who|has|have|it|this|these|they|we|you"
    r"|can|will|if|when|because|so|also|often|not)\b",
    re.IGNORECASE,
)
_SHORT, _LONG = 12, 24  # words of a line: easier and harder to remember


@dataclass(frozen=True, slots=True)
class _Draft:
    facet: str
    line: Line
    entry: Entry | None
    front: str
    back: str
    citations: Sequence[Citation]


def flashcards(
    entries: Sequence[Entry], parts: Sequence[Chapter], reading: Reading
) -> list[Card]:
    """Return at most the preset's number of cards, in the order of the lecture.

    There are fewer when the lecture does not hold more that can be asked.
    """
    drafts = [
        *_definitions(entries, reading),
        *_reasons(reading),
        *_conditions(reading),
        *_gaps(entries, reading),
    ]
    count = reading.preset.generation_config.flashcard_count
    chosen = _chosen(drafts, reading, count) or list(_whole_lines(reading))[:1]
    chosen.sort(key=lambda draft: draft.line.index)
    tags = {line.index: part.slug for part in parts for line in part.lines}
    return [_card(draft, tags[draft.line.index], reading) for draft in chosen]


def _chosen(drafts: Iterable[_Draft], reading: Reading, count: int) -> list[_Draft]:
    weights = {"gap": 0.6, **facet_weights(reading.material)}
    ranked = sorted(
        drafts, key=lambda d: (-weights[d.facet] - d.line.worth, d.line.index, d.front)
    )
    lines: set[int] = set()
    fronts: set[str] = set()
    terms: Counter[tuple[str, ...]] = Counter()
    chosen = []
    for draft in ranked:
        stems = draft.entry.phrase.stems if draft.entry else ()
        again = draft.line.index in lines or draft.front.lower() in fronts
        if again or (stems and terms[stems] >= _CARDS_PER_TERM):
            continue
        lines.add(draft.line.index)
        fronts.add(draft.front.lower())
        terms[stems] += 1
        chosen.append(draft)
        if len(chosen) == count:
            break
    return chosen


def _definitions(entries: Iterable[Entry], reading: Reading) -> Iterator[_Draft]:
    wording = voice(reading.preset.generation_config.tone).define
    for entry in entries:
        if entry.defined:
            yield _Draft(
                facet="what",
                line=entry.line,
                entry=entry,
                front=wording.format(term=entry.label),
                back=meaning(entry, reading),
                citations=sources(entry, reading),
            )


def _reasons(reading: Reading) -> Iterator[_Draft]:
    wording = voice(reading.preset.generation_config.tone).why
    for line in reading.lines:
        match = _BECAUSE.match(line.said.rstrip(".")) if line.sound else None
        if match and _is_clause(match["claim"]) and _is_long_enough(match["reason"]):
            yield _Draft(
                facet="why",
                line=line,
                entry=None,
                front=wording.format(clause=inside(match["claim"], line)),
                back=f"Because {match['reason']}.",
                citations=reading.cite(line),
            )
        effect = _EFFECT.match(line.said.rstrip(".")) if line.sound else None
        if effect and not _NO_NOUN_PHRASE.search(effect["cause"]):
            verb = {"leads to": "lead to", "causes": "cause", "produces": "produce"}
            cause = inside(effect["cause"].strip(), line)
            yield _Draft(
                facet="why",
                line=line,
                entry=None,
                front=f"What does {cause} {verb[effect['verb'].lower()]}?",
                back=sentence_case(effect["effect"]) + ".",
                citations=reading.cite(line),
            )


def _is_clause(text: str) -> bool:
    return _is_long_enough(text) and not _OPENS_BADLY.match(text)


def _is_long_enough(text: str) -> bool:
    return len(text.split()) in _CLAUSE_LENGTH


def inside(text: str, line: Line) -> str:
    """Return a clause as it is written inside a sentence: names keep their capital."""
    first = text.split(maxsplit=1)[0]
    is_name = (
        any(p.label.startswith(first) for p in line.phrases) or first[1:2].isupper()
    )
    return text if is_name or first in {"I", "I'm"} else text[:1].lower() + text[1:]


def _conditions(reading: Reading) -> Iterator[_Draft]:
    for line in reading.lines:
        match = _CONDITION.match(line.said.rstrip(".")) if line.sound else None
        if (
            match
            and _is_long_enough(match["result"])
            and _is_long_enough(match["condition"])
        ):
            condition = match["condition"][:1].lower() + match["condition"][1:]
            yield _Draft(
                facet="when",
                line=line,
                entry=None,
                front=f"What happens {condition}?",
                back=sentence_case(match["result"]) + ".",
                citations=reading.cite(line),
            )


def _gaps(entries: Sequence[Entry], reading: Reading) -> Iterator[_Draft]:
    wording = voice(reading.preset.generation_config.tone).fill_gap
    for entry in entries:
        for line in reading.with_phrase(entry.phrase):
            gap = gapped(entry, line, reading)
            if gap:
                yield _Draft(
                    facet="gap",
                    line=line,
                    entry=entry,
                    front=wording.format(sentence=gap[0]),
                    back=sentence_case(gap[1]),
                    citations=reading.cite(line),
                )


def gapped(entry: Entry, line: Line, reading: Reading) -> tuple[str, str] | None:
    """Return the line with the term left out, and the words left out.

    None if the line says the term twice, or too little besides to know it by.
    """
    found = words(line.said)
    stems = [word.stem for word in found]
    size = len(entry.phrase.stems)
    at = [
        i for i in range(len(stems)) if tuple(stems[i : i + size]) == entry.phrase.stems
    ]
    if len(at) != 1 or len(found) not in _GAP_LENGTH or not _is_whole(entry, line):
        return None
    following = found[at[0] + size : at[0] + size + 1]
    if following and not _ends_term(
        line.said, found[at[0] + size - 1], following[0], reading
    ):
        return None
    start, end = found[at[0]].start, found[at[0] + size - 1].end
    if stems.count(stems[at[0] + size - 1]) > 1:
        return None  # the rest of the sentence gives it away
    before = re.sub(r"\b(a|A)n? $", r"\1(n) ", line.said[:start])
    return f"{before}{_BLANK}{line.said[end:]}", line.said[start:end]


def _ends_term(text: str, last: Word, following: Word, reading: Reading) -> bool:
    """Return whether no noun follows: "inflation" is half of "inflation rate"."""
    return text[last.end : following.start] != " " or reading.lexicon.breaks(following)


def _is_whole(entry: Entry, line: Line) -> bool:
    """Return whether the term is not a part of a longer one here."""
    size = len(entry.phrase.stems)
    return not any(
        len(other.stems) > size and set(entry.phrase.stems) <= set(other.stems)
        for other in line.phrases
    )


def _whole_lines(reading: Reading) -> Iterator[_Draft]:
    """Yield what is left for a lecture of one sentence: the sentence itself."""
    for line in reading.best(reading.lines, 1):
        yield _Draft(
            facet="what",
            line=line,
            entry=None,
            front="What does the lecture say?",
            back=line.said,
            citations=reading.cite(line),
        )


def _card(draft: _Draft, tag: str, reading: Reading) -> Card:
    return Card(
        front=draft.front,
        back=draft.back,
        difficulty=_difficulty(draft),
        tags=[tag, reading.preset.kind],
        citations=list(draft.citations),
    )


def _difficulty(draft: _Draft) -> Literal["easy", "medium", "hard"]:
    often = draft.entry.phrase.count if draft.entry else 2
    if draft.line.length > _LONG or (draft.facet == "gap" and often <= 2):  # noqa: PLR2004 - hardly heard
        return "hard"
    if draft.line.length <= _SHORT or often > 4:  # noqa: PLR2004 - heard all the time
        return "easy"
    return "medium"
