"""Scenes of a film that are worth showing alone: as proposed, and as they may be kept.

Whoever proposes them, a model above all, may be wrong about anything. Each proposal is
looked at by itself: what can be mended is mended, what cannot is dropped and counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from common.presets import presets
from common.study import StudyMaterial
from common.transcript import Segment

TONE = "Inspiring and audience-friendly"
CRITERIA = "the most compelling or emotional moments"
LENGTH_MS = (15_000, 40_000)  # of a good scene
MOST_SCENES = 50

_LEAST_MS = 500  # what is left of a shorter one after mending was never one
_PERCENT = 100.0
_TITLE_CHARACTERS = 120
_TEXT_CHARACTERS = 1000
_TAG_CHARACTERS = 40
_MOST_TAGS = 10


@dataclass(frozen=True, slots=True)
class SceneWishes:
    """What a client wants to see; ``max_scenes`` is a bound, not a number to reach."""

    max_scenes: int
    tone: str | None = None
    criteria: str | None = None
    instructions: str | None = None


@dataclass(frozen=True, slots=True)
class SceneMaterial:
    """What scenes are found in. ``total_ms`` is how long the film is."""

    title: str
    language: str
    segments: Sequence[Segment]
    total_ms: int
    wishes: SceneWishes

    @property
    def study(self) -> StudyMaterial:
        """The same for what reads whole lectures; no preset shapes a scene."""
        plain = presets()["exam-mode"]
        return StudyMaterial(self.title, self.language, self.segments, plain)


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene, within the film. ``priority`` 1 is the best; ``tags`` in lower case.

    ``confidence`` is 0 to 1, None when whoever proposed it gave none that can be.
    """

    title: str
    description: str
    start_ms: int
    end_ms: int
    confidence: float | None
    priority: int
    tags: tuple[str, ...]
    recommended_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Scenes:
    """Scenes by priority and time, and how many proposals were dropped for what.

    ``bad`` could not be mended, ``surplus`` were beyond what was asked for.
    """

    found: tuple[Scene, ...]
    bad: int = 0
    surplus: int = 0
    notes: str | None = None


def _number(value: object) -> float | None:
    """Return a finite number, if it is one or a text that says one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _text(value: object) -> str | None:
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list):
        return []
    return [text for part in parts if (text := _text(part))]


def _objects(value: object) -> object:
    """Leave out what is no object at all: it is not worth losing the others for."""
    if not isinstance(value, list):
        return value  # refused: nothing of the answer can be read
    return [one if isinstance(one, dict | Proposal) else {} for one in value]


Number = Annotated[float | None, BeforeValidator(_number)]
Line = Annotated[str | None, BeforeValidator(_text)]


class Proposal(BaseModel):
    """A scene as somebody proposes it; times are seconds. Nothing of it is sure."""

    model_config = ConfigDict(extra="ignore")

    title: Line = None
    description: Line = None
    start: Number = None
    end: Number = None
    confidence: Number = None
    priority: Number = None
    tags: Annotated[list[str], BeforeValidator(_texts)] = []
    recommended_duration: Number = None


class Proposals(BaseModel):
    """All that is proposed for one film, or for a part of it."""

    model_config = ConfigDict(extra="ignore")

    scenes: Annotated[list[Proposal], BeforeValidator(_objects)]
    notes: Line = None


def checked(
    proposals: Sequence[Proposal], material: SceneMaterial, notes: str | None = None
) -> Scenes:
    """Return the proposals that are scenes of this film, the best of them."""
    mended = [_mended(one, n, material) for n, one in enumerate(proposals, start=1)]
    sound = [scene for scene in mended if scene is not None]
    single = {(scene.start_ms, scene.end_ms): scene for scene in reversed(sound)}
    ranked = sorted(single.values(), key=_rank)
    kept = ranked[: material.wishes.max_scenes]
    numbered = [replace(one, priority=n) for n, one in enumerate(kept, start=1)]
    return Scenes(
        tuple(sorted(numbered, key=lambda scene: (scene.priority, scene.start_ms))),
        bad=len(mended) - len(single),
        surplus=len(ranked) - len(kept),
        notes=notes,
    )


def _rank(scene: Scene) -> tuple[int, float, int]:
    return scene.priority, -(scene.confidence or 0.0), scene.start_ms


def _mended(one: Proposal, number: int, material: SceneMaterial) -> Scene | None:
    """Return the scene within the film, or None if nothing of it is there."""
    if one.start is None or one.end is None:
        return None
    # Clamped before they are whole numbers: 1e300 seconds are no milliseconds.
    start = round(min(max(one.start * 1000, 0.0), material.total_ms))
    end = round(min(max(one.end * 1000, 0.0), material.total_ms))
    if end - start < min(_LEAST_MS, max(material.total_ms, 1)):
        return None
    tags = dict.fromkeys(tag.lower()[:_TAG_CHARACTERS] for tag in one.tags)
    wanted = one.recommended_duration
    return Scene(
        title=(one.title or f"Scene {number}")[:_TITLE_CHARACTERS],
        description=(one.description or "AI generated highlight")[:_TEXT_CHARACTERS],
        start_ms=start,
        end_ms=end,
        confidence=_share(one.confidence),
        priority=number if one.priority is None else _rank_number(one.priority),
        tags=tuple(tags)[:_MOST_TAGS],
        recommended_seconds=wanted if wanted is not None and wanted > 0 else None,
    )


def _share(value: float | None) -> float | None:
    """Return 0 to 1; percents are understood, anything else says nothing."""
    if value is None or not 0 <= value <= _PERCENT:
        return None
    return round(value if value <= 1 else value / _PERCENT, 4)


def _rank_number(value: float) -> int:
    return round(min(max(value, 1), 1_000_000))
