"""GET /presets and /presets/{preset_id}."""

import pytest

PRESETS = [
    "exam-mode",
    "concept-map-mode",
    "beginner-mode",
    "neurodivergent-friendly-mode",
    "research-mode",
    "seminar-mode",
]
KEYS = [
    *("id", "name", "kind", "description", "diceWeights", "optimizedFor"),
    *("generation_config", "outputProfile"),
]


def test_presets_are_listed_in_the_order_that_clients_show(api):
    reply = api.get("/presets")
    assert list(reply.json) == ["presets"]
    assert [preset["id"] for preset in reply.json["presets"]] == PRESETS


def test_presets_need_no_database(api, statements):
    api.get("/presets")
    assert statements == []


@pytest.mark.parametrize("preset_id", PRESETS)
def test_a_preset_is_shown_alone_as_in_the_list(api, preset_id):
    listed = {one["id"]: one for one in api.get("/presets").json["presets"]}
    assert api.get(f"/presets/{preset_id}").json == listed[preset_id]


@pytest.mark.parametrize("preset_id", PRESETS[:-1])
def test_a_preset_has_these_keys_and_no_others(api, preset_id):
    assert list(api.get(f"/presets/{preset_id}").json) == KEYS


def test_the_seminar_also_names_disciplines(api):
    assert list(api.get("/presets/seminar-mode").json) == [*KEYS, "targetDisciplines"]


def test_the_parts_of_a_preset_have_the_names_that_clients_read(api):
    found = api.get("/presets/exam-mode").json
    facets = ["what", "how", "when", "where", "who", "why"]
    assert list(found["diceWeights"]) == facets
    assert list(found["outputProfile"]["emphasis"]) == facets
    assert list(found["generation_config"]) == [
        *("summary_max_words", "flashcard_count", "exam_question_count"),
        *("tone", "question_types", "special_instructions"),
    ]
    assert list(found["outputProfile"]) == [
        *("summary_style", "sections", "chunking", "question_focus", "emphasis"),
    ]


@pytest.mark.parametrize("name", ["nothing", "EXAM-MODE", "exam-mode.json", "*"])
def test_an_unknown_preset_is_not_found(api, name):
    reply = api.get(f"/presets/{name}")
    assert (reply.status_code, reply.json["detail"]) == (404, "Preset not found.")
