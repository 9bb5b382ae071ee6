"""The presets as clients know them."""

import pytest

from common.presets import FACETS, find, presets

NUMBERS = {
    "exam-mode": (800, 25, 15, "formal_academic"),
    "concept-map-mode": (600, 20, 10, "analytical_precise"),
    "beginner-mode": (500, 15, 8, "conversational"),
    "neurodivergent-friendly-mode": (400, 12, 6, "direct_predictable"),
    "research-mode": (1000, 20, 12, "analytical_precise"),
    "seminar-mode": (900, 18, 10, "dialectical"),
}


def test_there_are_six_in_the_order_in_which_clients_list_them():
    assert list(presets()) == list(NUMBERS)


@pytest.mark.parametrize(("preset_id", "numbers"), NUMBERS.items())
def test_counts_and_tone_are_as_documented(preset_id, numbers):
    config = presets()[preset_id].generation_config
    assert numbers == (
        config.summary_max_words,
        config.flashcard_count,
        config.exam_question_count,
        config.tone,
    )


@pytest.mark.parametrize("preset", presets().values(), ids=lambda p: p.id)
def test_every_text_list_is_filled(preset):
    assert 5 <= len(preset.optimizedFor) <= 6
    assert 4 <= len(preset.generation_config.special_instructions) <= 6
    assert all(
        text.endswith(".") for text in preset.generation_config.special_instructions
    )
    assert preset.description
    assert preset.outputProfile.sections


@pytest.mark.parametrize("preset", presets().values(), ids=lambda p: p.id)
def test_the_facets_weights_add_up_to_one(preset):
    weights = preset.diceWeights.model_dump()
    assert tuple(weights) == FACETS
    assert sum(weights.values()) == pytest.approx(1)


def test_no_two_presets_are_described_alike():
    found = list(presets().values())
    assert len({preset.description for preset in found}) == len(found)
    assert len({preset.outputProfile.sections for preset in found}) == len(found)


def test_only_the_seminar_names_disciplines():
    named = {
        p.id: p.targetDisciplines for p in presets().values() if p.targetDisciplines
    }
    assert list(named) == ["seminar-mode"]
    assert named["seminar-mode"][:2] == ("Political Science", "Philosophy")


@pytest.mark.parametrize(
    ("name", "preset_id"),
    [
        ("exam", "exam-mode"),
        ("exam-mode", "exam-mode"),
        ("neurodivergent", "neurodivergent-friendly-mode"),
        ("neurodivergent-friendly", "neurodivergent-friendly-mode"),
        ("concept-map", "concept-map-mode"),
    ],
)
def test_a_preset_is_found_by_id_kind_and_short_id(name, preset_id):
    found = find(name)
    assert found is not None
    assert found.id == preset_id


def test_an_unknown_name_is_no_preset():
    assert find("sleep-mode") is None
