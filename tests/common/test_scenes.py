"""Scenes as somebody proposes them: mended where that can be, else dropped."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.scenes import Proposal, Proposals, SceneMaterial, SceneWishes, checked
from common.transcript import Segment

TOTAL_MS = 60_000


def material(*, most=5, total_ms=TOTAL_MS):
    said = [Segment(n * 6000, n * 6000 + 5000, f"Sentence {n}.") for n in range(10)]
    return SceneMaterial("film.mp4", "en", said, total_ms, SceneWishes(most))


def scenes(*proposals, **about):
    read = Proposals.model_validate({"scenes": list(proposals)})
    return checked(read.scenes, material(**about))


def proposal(**fields):
    return {"title": "T", "description": "D", "start": 10, "end": 30, **fields}


def test_a_good_proposal_is_a_scene():
    told = proposal(
        confidence=0.87, priority=1, tags=["Hook", " CTA ", "hook"], extra="ignored"
    )
    [scene] = scenes(told | {"recommended_duration": 15}).found
    assert (scene.start_ms, scene.end_ms) == (10_000, 30_000)
    assert (scene.confidence, scene.priority) == (0.87, 1)
    assert scene.tags == ("hook", "cta")
    assert scene.recommended_seconds == 15


@pytest.mark.parametrize(
    ("start", "end", "kept"),
    [
        (10, 30, (10_000, 30_000)),
        ("10.5", "30", (10_500, 30_000)),
        (-5, 20, (0, 20_000)),
        (50, 999, (50_000, 60_000)),
        (50, 1e300, (50_000, 60_000)),
        (900, 999, None),
        (30, 10, None),
        (10, 10, None),
        (10, 10.2, None),
        (-9, -1, None),
        (None, 10, None),
        (10, None, None),
        ("soon", 10, None),
        (float("nan"), 10, None),
        (0, float("inf"), None),
        (True, 10, None),
        ([1], 10, None),
    ],
)
def test_times_are_within_the_film_or_there_is_no_scene(start, end, kept):
    found = scenes(proposal(start=start, end=end), proposal())
    times = {(one.start_ms, one.end_ms) for one in found.found}
    assert times == {(10_000, 30_000)} | ({kept} if kept else set())
    assert found.bad == (0 if kept and kept != (10_000, 30_000) else 1)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (0, 0.0),
        (1, 1.0),
        (0.5, 0.5),
        (87, 0.87),
        (100, 1.0),
        ("0.4", 0.4),
        (101, None),
        (-0.1, None),
        ("high", None),
        (None, None),
        (float("nan"), None),
        ({}, None),
    ],
)
def test_confidence_is_a_share_or_unknown(told, kept):
    [scene] = scenes(proposal(confidence=told)).found
    assert scene.confidence == kept


def test_no_more_than_was_asked_for_and_the_best_of_them():
    many = [proposal(start=n, end=n + 5, priority=9 - n) for n in range(9)]
    found = scenes(*many, most=3)
    assert [one.start_ms for one in found.found] == [8000, 7000, 6000]
    assert [one.priority for one in found.found] == [1, 2, 3]
    assert (found.surplus, found.bad) == (6, 0)


def test_what_is_missing_is_made_up_for():
    [scene] = scenes({"start": 1, "end": 9}).found
    assert (scene.title, scene.description) == ("Scene 1", "AI generated highlight")
    assert (scene.priority, scene.tags) == (1, ())


def test_the_same_scene_twice_is_one():
    found = scenes(proposal(), proposal(title="Again"))
    assert [one.title for one in found.found] == ["T"]
    assert found.bad == 1


def test_what_is_no_scene_at_all_costs_only_itself():
    found = scenes(proposal(), "text", None, 5, [], {})
    assert (len(found.found), found.bad) == (1, 5)


def test_tags_may_be_one_text_and_are_bounded():
    [scene] = scenes(proposal(tags="Hook, CTA,,")).found
    assert scene.tags == ("hook", "cta")
    [scene] = scenes(proposal(tags=[f"{n}" + "x" * 99 for n in range(50)])).found
    assert len(scene.tags) == 10
    assert max(map(len, scene.tags)) == 40


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(list(Proposal.model_fields)), ANY_JSON)
        | ANY_JSON
    ),
    st.integers(1, 5),
    st.integers(0, TOTAL_MS),
)
def test_nothing_breaks_the_rules_whatever_is_proposed(told, most, total_ms):
    found = scenes(*told, most=most, total_ms=total_ms)
    assert len(found.found) <= most
    assert len(found.found) + found.bad + found.surplus == len(told)
    for one in found.found:
        assert 0 <= one.start_ms < one.end_ms <= total_ms
        assert one.confidence is None or 0 <= one.confidence <= 1
        assert all(tag == tag.lower() for tag in one.tags)
    json.dumps([one.title for one in found.found])
