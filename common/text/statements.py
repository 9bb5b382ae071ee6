"""From segments to statements: sentences, or what passes for them between pauses."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from common.text.words import Word, words
from common.transcript import LOW_CONFIDENCE, Segment

_MARK = re.compile(
    r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\Wa-z_])|(?<=[。！？؟।])\s*"  # noqa: RUF001
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|e\.g|i\.e|cf|vs|etc|al|Dr|Mr|Mrs|Ms|Prof|Fig|Eq|No|Ch|St|approx))\.$"
)
_CLOSED = re.compile(r"[.!?。！？؟।][\"'”’)\]]*$")  # noqa: RUF001
_TURN = re.compile(
    r"\s+(?=(?:so|and then|now|but|because|and so|okay)\s)", re.IGNORECASE
)
_WORDS_PER_MARK = 60  # fewer full stops than this: nobody put them on purpose
_LONG = 45  # words; nobody reads a longer sentence
_SCRAP = 4  # words; too few to be a statement
_BREATH_MS = 400  # a shorter pause is not the end of a thought
_HEADING = 9  # words; a line this short before a capital is a heading
_SHOUTED = 0.8  # share of capitals


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence, or the words between two pauses.

    ``text`` is verbatim, ``clean`` the same in ordinary case; ``words`` are places in
    ``clean``. ``doubtful``: the recogniser itself was not sure.
    """

    index: int
    text: str
    clean: str
    words: tuple[Word, ...]
    start_ms: int
    end_ms: int
    doubtful: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    first: Segment
    last: Segment
    doubtful: bool


def statements(segments: Sequence[Segment]) -> tuple[Statement, ...]:
    """Return what was said, statement by statement, in order and each only once.

    Punctuated text is cut at its full stops, also within and across segments; text
    without is cut at the segments' borders, which are pauses.
    """
    spoken = [segment for segment in segments if segment.text.strip()]
    pieces = _sentences(spoken) if _punctuated(spoken) else _pauses(spoken)
    shouted = _is_shouted(spoken)
    seen: set[tuple[str, ...]] = set()
    found: list[Statement] = []
    for piece in pieces:
        statement = _statement(len(found), piece, shouted=shouted)
        key = tuple(word.lower for word in statement.words)
        if key and key not in seen:
            seen.add(key)
            found.append(statement)
    return tuple(found)


def _statement(index: int, piece: _Piece, *, shouted: bool) -> Statement:
    text = " ".join(piece.text.split())
    clean = text.lower() if shouted else text
    return Statement(
        index=index,
        text=text,
        clean=clean,
        words=words(clean),
        start_ms=piece.first.start_ms,
        end_ms=piece.last.end_ms,
        doubtful=piece.doubtful,
    )


def _punctuated(segments: Sequence[Segment]) -> bool:
    text = " ".join(segment.text for segment in segments)
    marks = len(_MARK.findall(text)) + bool(_CLOSED.search(text))
    return marks * _WORDS_PER_MARK >= len(text.split())


def _is_shouted(segments: Sequence[Segment]) -> bool:
    letters = [c for segment in segments for c in segment.text if c.isalpha()]
    capitals = sum(c.isupper() for c in letters)
    return capitals > _SHOUTED * max(1, len(letters))


def _sentences(segments: Sequence[Segment]) -> Iterator[_Piece]:
    """Join what runs across segments, up to a full stop."""
    waiting: list[_Piece] = []
    for piece in (piece for segment in segments for piece in _split(segment)):
        if waiting and _is_heading(waiting[-1], piece):
            yield _join(waiting)
            waiting = []
        waiting.append(piece)
        if _CLOSED.search(piece.text) or _count(waiting) > _LONG:
            yield _join(waiting)
            waiting = []
    if waiting:
        yield _join(waiting)


def _split(segment: Segment) -> Iterator[_Piece]:
    start = ""
    for part in _MARK.split(segment.text.strip()):
        start = f"{start} {part}".strip()
        if start and not _ABBREVIATION.search(start):
            yield _piece(start, segment)
            start = ""
    if start:
        yield _piece(start, segment)


def _piece(text: str, segment: Segment) -> _Piece:
    return _Piece(text, segment, segment, LOW_CONFIDENCE in segment.flags)


def _is_heading(line: _Piece, following: _Piece) -> bool:
    """Return whether a document's line is a heading, which has no full stop."""
    return (
        line.last.page is not None
        and len(line.text.split()) <= _HEADING
        and line.text[:1].isupper()
        and following.text[:1].isupper()
    )


def _pauses(segments: Sequence[Segment]) -> Iterator[_Piece]:
    """Take a segment for a statement; join scraps with what follows closely."""
    waiting: list[_Piece] = []
    for segment in segments:
        piece = _piece(segment.text.strip(), segment)
        if waiting and segment.start_ms - waiting[-1].last.end_ms > _BREATH_MS:
            yield from _shortened(_join(waiting))
            waiting = []
        waiting.append(piece)
        if _count(waiting) >= _SCRAP:
            yield from _shortened(_join(waiting))
            waiting = []
    if waiting:
        yield from _shortened(_join(waiting))


def _shortened(piece: _Piece) -> Iterator[_Piece]:
    if len(piece.text.split()) <= _LONG:
        yield piece
        return
    part = ""
    for clause in _TURN.split(piece.text):
        if part and len(f"{part} {clause}".split()) > _LONG // 2:
            yield _Piece(part, piece.first, piece.last, piece.doubtful)
            part = ""
        part = f"{part} {clause}".strip()
    yield _Piece(part, piece.first, piece.last, piece.doubtful)


def _count(pieces: Iterable[_Piece]) -> int:
    return sum(len(piece.text.split()) for piece in pieces)


def _join(pieces: Sequence[_Piece]) -> _Piece:
    return _Piece(
        text=" ".join(piece.text for piece in pieces),
        first=pieces[0].first,
        last=pieces[-1].last,
        doubtful=any(piece.doubtful for piece in pieces),
    )
