"""What a language model is told about one lecture: the preset and the transcript."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from common.presets import FACETS, Preset
from common.prompts import prompt
from common.study import KnownThread, StudyMaterial
from common.talk import place
from common.transcript import Segment

# Scripts beyond extended Latin: a token holds about one character, never three.
_WIDE = re.compile(r"[^\x00-\u024f]")
_LATIN_CHARS_PER_TOKEN = 3  # about 4 in English, 3 in Finnish or Polish


def tokens(text: str) -> int:
    """Return how many tokens the text has at most, for any model's vocabulary."""
    wide = len(_WIDE.findall(text))
    return wide + -(-(len(text) - wide) // _LATIN_CHARS_PER_TOKEN)


def windows(lines: Iterable[str], budget: int) -> list[list[str]]:
    """Group lines, in order, into windows of at most ``budget`` tokens each."""
    found: list[list[str]] = []
    left = 0
    for line in _within(lines, budget):
        size = tokens(line) + 1  # and the line break
        if not found or size > left:
            found.append([])
            left = budget
        found[-1].append(line)
        left -= size
    return found


def preset_text(preset: Preset) -> str:
    """Return the preset as instructions; every one of its fields is in it."""
    config, profile = preset.generation_config, preset.outputProfile
    focus = (
        "They stand in the foreground: write every summary bullet so that a question"
        " can be asked about it."
        if profile.question_focus
        else "The summary stands in the foreground: questions only follow it."
    )
    return prompt(
        "preset_v1",
        id=preset.id,
        name=preset.name,
        kind=preset.kind,
        description=preset.description,
        disciplines=", ".join(preset.targetDisciplines or ("all",)),
        optimized_for=", ".join(preset.optimizedFor),
        weights=_facets(
            {k: f"{w * 100:g} %" for k, w in preset.diceWeights.model_dump().items()}
        ),
        emphasis=_facets(
            {k: _words(v) for k, v in profile.emphasis.model_dump().items()}
        ),
        summary_max_words=str(config.summary_max_words),
        summary_style=_words(profile.summary_style),
        sections=", ".join(map(_words, profile.sections)),
        chunking=_words(profile.chunking),
        flashcard_count=str(config.flashcard_count),
        exam_question_count=str(config.exam_question_count),
        question_types=", ".join(map(_words, config.question_types)),
        question_focus=focus,
        tone=_words(config.tone),
        special_instructions="\n".join(f"- {s}" for s in config.special_instructions),
    )


def transcript_lines(segments: Sequence[Segment]) -> list[str]:
    """Return one line per segment, with its time or its page in front."""
    return [f"[{place(s)}] {one_line(s.text)}" for s in segments]


def lecture_block(material: StudyMaterial, lines: Iterable[str]) -> tuple[str, str]:
    """Return the delimited data of the lecture, and the label that delimits it.

    The label is a hash of all that stands between its lines. So it is the same
    whenever the call is repeated, and yet nobody can write a transcript that holds
    its own end: that would take a text that contains its own hash.
    """
    return delimited("\n".join((*_heading(material), "", *lines)))


def delimited(content: str) -> tuple[str, str]:
    """Return data between lines that it cannot hold itself, and their label."""
    label = sha256(content.encode("utf-8", "replace")).hexdigest()[:32]
    return f"BEGIN {label}\n{content}\nEND {label}", label


def _heading(material: StudyMaterial) -> Iterator[str]:
    yield f"Lecture: {one_line(material.title)}"
    yield f"Language: {one_line(material.language)}"
    if material.lecture_mode:
        yield f"Kind of lecture: {one_line(material.lecture_mode)}"
    if material.threads:
        yield "Known ideas of the course:"
        yield from map(_thread, material.threads)


def _thread(thread: KnownThread) -> str:
    title, summary = one_line(thread.title), one_line(thread.summary)
    return f"- {title} (in {len(thread.lecture_ids)} lectures): {summary}"


def one_line(text: str) -> str:
    """Return the text without line breaks, so that it cannot pretend to be a line."""
    return " ".join(text.split())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _facets(values: Mapping[str, str]) -> str:
    return "\n".join(f"- {facet}: {values[facet]}" for facet in FACETS)


def _within(lines: Iterable[str], budget: int) -> Iterator[str]:
    """Cut lines that are longer than a window, such as the page of a book."""
    for line in lines:
        if tokens(line) < budget:
            yield line
            continue
        step = max(budget - 1, 1)  # characters: none has more than one token
        yield from (line[at : at + step] for at in range(0, len(line), step))
