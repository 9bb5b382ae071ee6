"""Scenes by a model that answers by a schema: what it is told of a film."""

from collections.abc import Sequence

from common.prompts import prompt
from common.providers.llm.briefing import lecture_block, one_line, windows
from common.scenes import (
    CRITERIA,
    LENGTH_MS,
    TONE,
    Proposals,
    SceneMaterial,
    Scenes,
    checked,
)
from common.transcript import Segment


def around(material: SceneMaterial) -> tuple[str, str]:
    """Return what every part of the film is asked with, beside its transcript."""
    shortest, longest = LENGTH_MS
    system = prompt(
        "scenes_system_v1",
        count=str(material.wishes.max_scenes),
        shortest=str(shortest // 1000),
        longest=str(longest // 1000),
        total=f"{material.total_ms / 1000:.1f}",
    )
    return system, _user(material, (), 1, 1)[0]


def parts(material: SceneMaterial, room: int) -> list[tuple[str, str]]:
    """Return the request for each part of the film, and the label of its material.

    A part has at most ``room`` tokens of transcript; nothing is left out.
    """
    found = windows(_lines(material.segments), room)
    return [
        _user(material, part, number, len(found))
        for number, part in enumerate(found, start=1)
    ]


def joined(answers: Sequence[Proposals], material: SceneMaterial) -> Scenes:
    """Return the best of what was proposed for all parts."""
    notes = " ".join(answer.notes for answer in answers if answer.notes)
    proposed = [scene for answer in answers for scene in answer.scenes]
    return checked(proposed, material, notes or None)


def _lines(segments: Sequence[Segment]) -> list[str]:
    """Return one line per segment, with its seconds in front."""
    return [
        f"[{s.start_ms / 1000:.1f}-{s.end_ms / 1000:.1f}] {one_line(s.text)}"
        for s in segments
        if s.page is None
    ]


def _user(
    material: SceneMaterial, part: Sequence[str], number: int, total: int
) -> tuple[str, str]:
    wishes = material.wishes
    block, label = lecture_block(material.study, part)
    wanted = one_line(wishes.instructions or "")
    text = prompt(
        "scenes_v1",
        tone=one_line(wishes.tone or TONE),
        criteria=one_line(wishes.criteria or CRITERIA),
        instructions=f"Also: {wanted}\n" if wanted else "",
        number=str(number),
        total=str(total),
        lecture=block,
    )
    return text, label
