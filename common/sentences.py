"""From recognised words to sentences, or what passes for them between pauses."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from statistics import fmean

from common.transcript import LOW_CONFIDENCE, REPETITION, Segment, Word

_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*|\W*")  # <sil>, [NOISE], ++UH++, nothing
_CLOSED = re.compile(r"""[.?!…。？！]["'”’»)\]]*$""")  # noqa: RUF001
_ABBREVIATION = re.compile(
    r"(?:[a-z]\.)+|(?:dr|mr|mrs|ms|prof|st|vs|etc|inc|ltd|fig|no|approx)\.",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[,;:–—]$")  # noqa: RUF001
_SPEAKER = re.compile(r"i(?:'(?:m|ll|ve|d))?")

_LONGEST = 30  # words; a reader loses longer ones, and so do citations
_SCRAP = 4  # words; fewer are rarely a thought
_HEARD_MS = 100  # a shorter gap is how the recogniser rounds, not a pause
# Between sentences people pause longer than inside them: half a second beside a fifth.
_PAUSE_MS = 300
_PAUSE_RANGE_MS = (250, 600)
_OF_MEAN = 0.6  # of the speaker's mean pause: above breaths, below ends of sentences
_LONG_PAUSE_MS = 1000  # one long silence says nothing about the other pauses
_TOO_FAR = 2.5  # sentence pauses; a scrap beyond that stands alone
# Of 219 segments of pocketsphinx (four voices and a real one) 25 had less than 0.6: a
# third of their words was wrong, of the others' words one in ten.
_DOUBTFUL = 0.6  # mean confidence

_TIMES = 4  # nobody says a whole phrase so often in a row,
_TIMES_A_WORD = 6  # but "no, no, no, no" and "zero zero zero zero" are speech
_PHRASE = 12  # words in a phrase that may loop


def sentences(words: Sequence[Word]) -> tuple[Segment, ...]:
    """Return the words as segments of about 4 to 30 words, in time order.

    Words with punctuation are cut after full stops. Words without are cut at pauses,
    as long as the speaker makes them, and get a capital and a full stop, because
    readers and everything that looks for sentences rely on them. Marks of the
    recogniser (``<sil>``, ``[NOISE]``, ``++UH++``) are dropped.

    A segment's confidence is the mean of its words'; below 0.6 it is flagged.
    """
    spoken = [word for word in words if not _FILLER.fullmatch(word.text.strip())]
    punctuated = any(_closes(word) for word in spoken)
    pieces = _at_marks(spoken) if punctuated else _at_pauses(spoken)
    return tuple(
        _segment(part, full_stop=not punctuated)
        for piece in pieces
        for part in _bounded(piece)
    )


def cut_loops(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Return the segments without a recogniser's loops; where one was is flagged.

    A phrase said four times in a row or more is kept once, within a segment as well as
    over several; a single word only from six times on.
    """
    kept: list[Segment] = []
    for _, group in groupby(segments, key=lambda segment: _keys(segment.text)):
        same = list(group)
        first = _cut_within(same[0])
        if len(same) >= _TIMES:
            kept.append(_repeated(first))
        else:
            kept.extend(_cut_within(segment) for segment in same)
    return tuple(kept)


def _closes(word: Word) -> bool:
    text = word.text.strip()
    return bool(_CLOSED.search(text)) and not _ABBREVIATION.fullmatch(text)


def _at_marks(words: Sequence[Word]) -> Iterator[list[Word]]:
    piece: list[Word] = []
    for word in words:
        piece.append(word)
        if _closes(word):
            yield piece
            piece = []
    if piece:
        yield piece


def _at_pauses(words: Sequence[Word]) -> list[list[Word]]:
    pause_ms = _sentence_pause_ms(words)
    pieces: list[list[Word]] = []
    for word in words:
        if not pieces or _gap_ms(pieces[-1], [word]) >= pause_ms:
            pieces.append([])
        pieces[-1].append(word)
    return _without_scraps(pieces, pause_ms * _TOO_FAR)


def _sentence_pause_ms(words: Sequence[Word]) -> float:
    gaps = (after.start_ms - before.end_ms for before, after in pairwise(words))
    pauses = [min(gap, _LONG_PAUSE_MS) for gap in gaps if gap >= _HEARD_MS]
    if len(pauses) < _TIMES:  # too few to know the speaker
        return _PAUSE_MS
    shortest, longest = _PAUSE_RANGE_MS
    return min(max(fmean(pauses) * _OF_MEAN, shortest), longest)


def _without_scraps(pieces: list[list[Word]], too_far_ms: float) -> list[list[Word]]:
    """Join pieces of one to three words to the neighbour they are nearest to."""
    place = 0
    while place < len(pieces):
        near = _nearest(pieces, place) if len(pieces[place]) < _SCRAP else None
        if near is None or _gap_ms(*pieces[near : near + 2]) > too_far_ms:
            place += 1
        else:
            pieces[near : near + 2] = [pieces[near] + pieces[near + 1]]
            place = near
    return pieces


def _nearest(pieces: list[list[Word]], place: int) -> int | None:
    """Return the first of the two pieces to join; None if they would be too long."""
    borders = [
        near
        for near in (place - 1, place)
        if 0 <= near < len(pieces) - 1
        and len(pieces[near]) + len(pieces[near + 1]) <= _LONGEST
    ]
    return min(
        borders, key=lambda near: _gap_ms(*pieces[near : near + 2]), default=None
    )


def _gap_ms(before: Sequence[Word], after: Sequence[Word]) -> int:
    return after[0].start_ms - before[-1].end_ms


def _bounded(words: list[Word]) -> Iterator[list[Word]]:
    """Split at the best place until no part has more than 30 words."""
    if len(words) <= _LONGEST:
        yield words
        return
    places = range(_SCRAP, len(words) - _SCRAP + 1)
    place = max(places, key=lambda place: _fitness(words, place))
    yield from _bounded(words[:place])
    yield from _bounded(words[place:])


def _fitness(words: Sequence[Word], place: int) -> tuple[bool, int, int]:
    """Rank places to split: after a comma, at the longest pause, in the middle."""
    last, first = words[place - 1], words[place]  # no slices: there may be 70,000
    comma = bool(_COMMA.search(last.text.strip()))
    return comma, first.start_ms - last.end_ms, -abs(2 * place - len(words))


def _segment(words: Sequence[Word], *, full_stop: bool) -> Segment:
    text = " ".join(_spelling(word.text.strip()) for word in words)
    confidences = [word.confidence for word in words if word.confidence is not None]
    confidence = round(fmean(confidences), 3) if confidences else None
    doubtful = confidence is not None and confidence < _DOUBTFUL
    stop = "." if full_stop and text[-1].isalnum() else ""
    return Segment(
        start_ms=words[0].start_ms,
        end_ms=words[-1].end_ms,
        text=text[0].upper() + text[1:] + stop,
        flags=(LOW_CONFIDENCE,) if doubtful else (),
        confidence=confidence,
    )


def _spelling(text: str) -> str:
    return "I" + text[1:] if _SPEAKER.fullmatch(text) else text


def _keys(text: str) -> tuple[str, ...]:
    """Return the words without case and punctuation, one for each in the text."""
    return tuple(re.sub(r"\W", "", word).lower() for word in text.split())


def _cut_within(segment: Segment) -> Segment:
    shown, keys = segment.text.split(), _keys(segment.text)
    kept: list[str] = []
    place = 0
    while place < len(keys):
        size, times = _loop(keys, place)
        kept += shown[place : place + size]
        place += size * times
    if len(kept) == len(shown):
        return segment
    return _repeated(replace(segment, text=" ".join(kept)))


def _loop(keys: tuple[str, ...], place: int) -> tuple[int, int]:
    """Return the length and count of a loop that starts here; 1 and 1 if none does."""
    for size in range(1, _PHRASE + 1):
        phrase = keys[place : place + size]
        times = 1
        while keys[place + size * times : place + size * (times + 1)] == phrase:
            times += 1
        if times >= (_TIMES_A_WORD if size == 1 else _TIMES):
            return size, times
    return 1, 1


def _repeated(segment: Segment) -> Segment:
    if REPETITION in segment.flags:
        return segment
    return replace(segment, flags=(*segment.flags, REPETITION))
