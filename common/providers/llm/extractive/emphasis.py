"""What a preset, and the kind of lecture, ask to be stressed."""

import re
from collections.abc import Mapping

from common.presets import FACETS, Preset
from common.study import StudyMaterial
from common.text.stop_words import LECTURE_TALK, WEAK_ADJECTIVES, WEAK_NOUNS
from common.text.words import content_stems, stop_words, words

_EVERYWHERE = WEAK_NOUNS | WEAK_ADJECTIVES | LECTURE_TALK  # not a wish for a subject
_LEVELS = {"very_high": 2.0, "high": 1.5, "medium": 1.0, "low": 0.6, "very_low": 0.3}
# How much each facet counts in a kind of lecture; all equal when it is not known.
_MODES: Mapping[str, Mapping[str, float]] = {
    "MATHEMATICS": {
        "what": 2.1,
        "how": 2.1,
        "where": 1.2,
        "when": 0.6,
        "who": 0.0,
        "why": 0.0,
    },
    "NATURAL_SCIENCE": {
        "what": 1.4,
        "how": 1.6,
        "where": 1.0,
        "when": 0.8,
        "who": 0.2,
        "why": 1.0,
    },
    "SOCIAL_SCIENCE": {
        "what": 1.0,
        "how": 0.8,
        "where": 0.8,
        "when": 1.0,
        "who": 1.2,
        "why": 1.2,
    },
    "HUMANITIES": {
        "what": 0.8,
        "how": 0.5,
        "where": 0.8,
        "when": 1.2,
        "who": 1.4,
        "why": 1.3,
    },
}


def facet_weights(material: StudyMaterial) -> dict[str, float]:
    """Return how much each facet counts, about 1.0 on average.

    The mean of the preset's weight and of its emphasis in words, so that a strong
    emphasis tells even on a facet of small weight, times what the kind of lecture is
    good for.
    """
    shares = material.preset.diceWeights.model_dump()
    levels = material.preset.outputProfile.emphasis.model_dump()
    mode = _MODES.get(material.lecture_mode or "", {})
    return {
        facet: (shares[facet] * len(FACETS) + _LEVELS[levels[facet]])
        / 2
        * mode.get(facet, 1.0)
        for facet in FACETS
    }


def wishes(preset: Preset) -> frozenset[str]:
    """Return the stems of what the preset asks for in words.

    Its instructions cannot be obeyed without a language model, but a lecture's
    statements that speak of what they mention can be preferred.
    """
    texts = (
        preset.description,
        *preset.optimizedFor,
        *preset.generation_config.special_instructions,
        *(preset.targetDisciplines or ()),
    )
    found = words(re.sub(r"[-_]", " ", " ".join(texts)))
    return frozenset(content_stems(found, stop_words([found]))) - _EVERYWHERE
