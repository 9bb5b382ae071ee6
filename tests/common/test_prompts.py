"""What a model is told: every field of a preset counts."""

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import prompts
from common.presets import Preset, presets
from common.prompts import prompt
from common.providers.llm.briefing import lecture_block, preset_text, tokens, windows
from common.providers.llm.prompted import Notes
from common.providers.llm.schema import strict_schema, stripped
from common.study import StudyDraft, StudyMaterial
from tests.loopback.openai_server import not_strict

SEMINAR = presets()["seminar-mode"].model_dump(mode="json")


def leaves(tree, path=()):
    """Yield the path of every value that is not a group of values."""
    if not isinstance(tree, dict):
        yield path
        return
    for key, branch in tree.items():
        yield from leaves(branch, (*path, key))


def changed(tree, path):
    """Return the preset with another value at ``path``."""
    key, *rest = path
    if rest:
        return tree | {key: changed(tree[key], rest)}
    old = tree[key]
    choices = {"tone": "conversational", "chunking": "short"}
    new: object
    match old:
        case bool():
            new = not old
        case int() | float():
            new = old + 1
        case list():
            new = [*old, "something else"]
        case _ if key in choices:
            new = choices[key]
        case _ if path[0] in SEMINAR["outputProfile"]["emphasis"]:
            new = "very_high"
        case _:
            new = "something else"
    return tree | {key: new}


@pytest.mark.parametrize("path", list(leaves(SEMINAR)), ids=".".join)
def test_every_field_of_a_preset_changes_what_is_asked(path):
    other = Preset.model_validate(changed(SEMINAR, path))
    assert preset_text(other) != preset_text(Preset.model_validate(SEMINAR))


@pytest.mark.parametrize("name", list(presets()))
def test_no_two_presets_ask_for_the_same(name):
    texts = {preset_text(preset) for key, preset in presets().items() if key != name}
    assert preset_text(presets()[name]) not in texts


def test_weights_are_told_as_percentages():
    assert "- who: 20 %" in preset_text(Preset.model_validate(SEMINAR))


def test_words_are_told_without_underscores():
    text = preset_text(Preset.model_validate(SEMINAR))
    assert "main claim, supporting argument, counterargument" in text
    assert "supporting_argument" not in text


@pytest.mark.parametrize(
    "name",
    [file.name for file in files(prompts).iterdir() if file.name.endswith(".md")],
)
def test_every_prompt_has_a_version_and_is_used_with_all_its_values(name):
    assert re.fullmatch(r"[a-z_]+_v\d+\.md", name)
    text = (files(prompts) / name).read_text()
    values = dict.fromkeys(re.findall(r"\$(\w+)", text), "five dollars: $5 $name")
    assert "$5 $name" in prompt(name.removesuffix(".md"), **values) or not values


def test_a_missing_value_is_an_error():
    with pytest.raises(KeyError):
        prompt("study_v1", preset="x")


@pytest.mark.parametrize("shape", [StudyDraft, Notes])
def test_schemas_keep_to_what_strict_mode_allows(shape):
    assert not_strict(strict_schema(shape)) == []


def test_a_schema_does_not_ask_for_times():
    schema = strict_schema(StudyDraft)
    assert list(schema["$defs"]["Citation"]["properties"]) == ["quote"]


def test_an_optional_value_may_be_null_in_the_schema():
    card = strict_schema(StudyDraft)["$defs"]["Card"]
    assert {"type": "null"} in card["properties"]["tags"]["anyOf"]
    assert "tags" in card["required"]


def test_stripping_reaches_nested_headings():
    node = {"title": "A", "points": None, "children": [{"title": "B", "x": 1}]}
    kept = stripped({"outline": [node]}, strict_schema(StudyDraft))
    assert kept == {"outline": [{"title": "A", "children": [{"title": "B"}]}]}


@pytest.mark.parametrize("document", [{}, [], "text", None, {"outline": "text"}])
def test_stripping_leaves_other_forms_to_validation(document):
    assert stripped(document, strict_schema(StudyDraft)) == document


@pytest.mark.parametrize(
    ("text", "most"),
    [("", 0), ("cell", 2), ("cells!", 2), ("細胞", 2), ("клетка", 6), ("a細", 2)],
)
def test_tokens_are_counted_on_the_safe_side(text, most):
    assert tokens(text) == most


@given(
    st.lists(st.text(alphabet="ab é細ж", max_size=60), max_size=30),
    st.integers(5, 60),
)
def test_windows_hold_everything_and_no_more_than_allowed(lines, budget):
    found = windows(lines, budget)
    assert "".join("".join(window) for window in found) == "".join(lines)
    assert all(sum(tokens(line) + 1 for line in w) <= budget for w in found)


def test_a_block_is_the_same_whenever_it_is_made():
    material = StudyMaterial("T", "en", [], presets()["exam-mode"])
    assert lecture_block(material, ["a"]) == lecture_block(material, ["a"])
    assert lecture_block(material, ["a"])[1] != lecture_block(material, ["b"])[1]
