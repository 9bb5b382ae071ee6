"""Scenes found without a model: dense speech about what matters, between pauses."""

from itertools import pairwise

import pytest

from common.providers.llm.extractive import ExtractiveModel
from common.scenes import SceneMaterial, SceneWishes
from common.transcript import Segment

PLAIN = (
    "And then we went on for {} days and so on and so forth.",
    "Well, that is how it was for {} of us, not easy at all.",
    "You know what I mean, it happens {} times to everybody.",
    "So we waited there until {} people came back to us.",
    "It was quite late already, at {}, and we had not begun.",
)
DENSE = (
    "Photosynthesis turns light into sugar inside chloroplast {}.",
    "Chlorophyll absorbs light for photosynthesis in chloroplast {}.",
    "Without photosynthesis no sugar leaves chloroplast {}.",
)


def never(*_args):
    raise AssertionError("nothing here may be paid")


def film(minutes=10, dense_at=(120, 400)):
    """Return talk of little, with two places where something is said."""
    found = []
    for at in range(0, minutes * 60, 8):
        matter = next((n for n in dense_at if n <= at < n + 24), None)
        plain = PLAIN[at // 8 % len(PLAIN)]
        text = plain if matter is None else DENSE[(at - matter) // 8]
        found.append(Segment(at * 1000, at * 1000 + 7000, text.format(at)))
    return found


def scenes(segments, most=2, **wishes):
    total = max((one.end_ms for one in segments), default=0)
    wanted = SceneWishes(most, **wishes)
    material = SceneMaterial("film", "en", segments, total, wanted)
    return ExtractiveModel().scenes(material, never)


def test_scenes_are_where_something_is_said():
    found = scenes(film()).found
    first, second = sorted(one.start_ms / 1000 for one in found)
    assert (first, second) == (pytest.approx(120, abs=24), pytest.approx(400, abs=24))


def test_scenes_have_a_good_length_and_do_not_overlap():
    found = sorted(scenes(film(), most=6).found, key=lambda one: one.start_ms)
    assert len(found) == 6
    for one in found:
        assert 15_000 <= one.end_ms - one.start_ms <= 40_000
    for earlier, later in pairwise(found):
        assert earlier.end_ms <= later.start_ms


def test_they_begin_and_end_with_what_somebody_said():
    segments = film()
    edges = {one.start_ms for one in segments} | {one.end_ms for one in segments}
    for one in scenes(segments).found:
        assert {one.start_ms, one.end_ms} <= edges


def test_the_client_s_own_words_decide():
    segments = film()
    at = 304
    there = Segment(at * 1000, at * 1000 + 7000, "Now please subscribe to our channel.")
    segments = [there if one.start_ms == at * 1000 else one for one in segments]
    [found] = scenes(segments, most=1, criteria="subscribe, channel, please").found
    assert found.start_ms <= at * 1000 < found.end_ms


def test_it_says_how_it_was_done_and_is_not_sure():
    found = scenes(film())
    assert "without a language model" in found.notes
    assert all(0.3 <= one.confidence <= 0.8 for one in found.found)
    assert all("sugar" in one.tags for one in found.found)


@pytest.mark.parametrize("seconds", [1, 6, 20])
def test_a_short_film_is_one_scene(seconds):
    [found] = scenes([Segment(0, seconds * 1000, DENSE[0].format(1))]).found
    assert (found.start_ms, found.end_ms) == (0, seconds * 1000)


def test_where_nobody_speaks_there_is_none():
    assert scenes([]).found == ()


def test_the_same_film_has_the_same_scenes():
    assert scenes(film()) == scenes(film())


def test_three_hours_are_read_whole():
    found = scenes(film(180, dense_at=(120, 10_400)), most=2).found
    assert max(one.start_ms for one in found) > 10_000_000
