"""Short texts: the sentences that matter most, in the speaker's own words."""

from collections.abc import Iterator, Sequence
from itertools import islice

from common.briefs import (
    NOTE_CHARACTERS,
    QUESTIONS,
    SUMMARY_CHARACTERS,
    Brief,
    BriefMaterial,
    fitted,
)
from common.providers.llm.extractive.notes import Notes, take_notes
from common.providers.llm.extractive.reading import Line, Reading, read
from common.providers.llm.extractive.voice import quoted
from common.text.ranking import diverse

_ENOUGH = 600  # characters of a summary; the next sentence might be a long one
_CANDIDATES = 40  # the best lines; a summary has room for about six
_LABEL_CHARACTERS = 70  # of a term; with the words around it a question has 120
_ALWAYS = (
    "What is the main point of this video?",
    "How does the video explain its subject?",
    "Which examples does the video give?",
)


def brief(material: BriefMaterial) -> Brief | None:
    """Return the note or the summary; None if nobody spoke."""
    if material.at_ms is not None:
        lines = read(material.study).lines
        return Brief(_note(lines, material.at_ms)) if lines else None
    notes = take_notes(material.study)
    if notes is None:
        return None
    return Brief(_summary(notes.reading), tuple(islice(_questions(notes), QUESTIONS)))


def _note(lines: Sequence[Line], at_ms: int) -> str:
    """Return the sentence at the moment; with its neighbours, if it is a short one."""
    place = min(range(len(lines)), key=lambda n: _distance(lines[n], at_ms))
    text = lines[place].said
    before, after = place - 1, place + 1
    while len(text) < NOTE_CHARACTERS.start and (before >= 0 or after < len(lines)):
        if after < len(lines):
            text, after = f"{text} {lines[after].said}", after + 1
        else:
            text, before = f"{lines[before].said} {text}", before - 1
    return fitted(text, NOTE_CHARACTERS.stop - 1)


def _distance(line: Line, at_ms: int) -> tuple[int, bool]:
    """Rank by time; of two that are as near, the one that can stand alone."""
    said = line.statement
    return max(said.start_ms - at_ms, at_ms - said.end_ms, 0), not line.sound


def _summary(reading: Reading) -> str:
    """Return the sound lines that matter most; the others, too, if those are few."""
    text = _best([line for line in reading.lines if line.sound], reading)
    if len(text) < SUMMARY_CHARACTERS.start:
        text = _best(reading.lines, reading)
    return fitted(text, SUMMARY_CHARACTERS.stop - 1)


def _best(lines: Sequence[Line], reading: Reading) -> str:
    best = reading.best(lines, _CANDIDATES)
    ranked = diverse(
        [line.index for line in best],
        lambda index: reading.lines[index].worth,
        reading.rows,
        _CANDIDATES,
    )
    chosen: list[int] = []
    length = -1  # no space before the first
    for index in ranked:
        longer = length + 1 + len(reading.lines[index].said)
        if longer < SUMMARY_CHARACTERS.stop or not chosen:
            chosen.append(index)
            length = longer
        if length >= _ENOUGH:
            break
    return " ".join(reading.lines[index].said for index in sorted(chosen))


def _questions(notes: Notes) -> Iterator[str]:
    """Yield different questions, about its terms as long as there are any."""
    for entry in notes.entries:
        label = quoted(entry.label)
        if len(label) > _LABEL_CHARACTERS:
            continue
        if entry.defined:
            yield f"What is meant by “{label}” in this video?"
        else:
            yield f"What does this video say about “{label}”?"
    yield from _ALWAYS
