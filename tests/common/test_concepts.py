"""What concepts of single lectures amount to, without a database."""

import pytest

from common import concepts
from common.concepts import Contribution, contributions, fold, key
from common.study import Concept, ConceptUpdate


def concept(title="Gradient descent", **fields):
    values = {"summary": f"What {title} is.", "evidence": "said so", "face": "ORANGE"}
    return Concept(title=title, **{**values, **fields})


def update(title="Gradient descent", **fields):
    values = {
        "change_type": "refinement",
        "summary": f"More on {title}.",
        "evidence": "said more",
    }
    return ConceptUpdate(title=title, **{**values, **fields})


def part(lecture_id="l1", **fields):
    values = {
        "title": "Gradient descent",
        "summary": f"As {lecture_id} has it.",
        "evidence": "said so",
        "start_ms": 0,
        "end_ms": 1000,
        "complexity_level": 1,
        "status": "foundational",
    }
    return Contribution(lecture_id=lecture_id, **{**values, **fields})


@pytest.mark.parametrize(
    "same",
    [
        ("Gradient descent", "gradient DESCENT"),
        ("Gradient descent", "Gradient-Descent"),
        ("Neural network", "Neural networks"),
        ("Theory", "theories"),
        ("Class", "classes"),
        ("Sum of squares", "Sums of squares"),
        ("Bayes\u2019s theorem", "Bayes's theorems"),
        ("H\u2082O", "h2o"),
        ("Straße", "STRASSE"),
        ("光合作用", "光合作用"),
    ],
)
def test_case_punctuation_and_plural_do_not_make_another_concept(same):
    assert key(same[0]) == key(same[1])


@pytest.mark.parametrize(
    "different",
    [
        ("C", "C++"),
        ("C", "C#"),
        ("Gas", "Ga"),
        ("Organ", "Organization"),
        ("カ", "ガ"),
        ("∑", "∏"),
        ("Analysis", "Analyst"),
    ],
)
def test_different_concepts_stay_apart(different):
    assert key(different[0]) != key(different[1])


@pytest.mark.parametrize("title", ["+", "…", "s", "'s", "  a  "])
def test_every_title_has_a_key(title):
    assert key(title)


def test_a_new_concept_makes_a_thread_of_its_own():
    found = contributions("l1", [concept()], [], {}).parts
    assert list(found) == [key("Gradient descent")]
    [made] = found.values()
    assert (made.lecture_id, made.title, made.change_type) == (
        "l1",
        "Gradient descent",
        None,
    )


@pytest.mark.parametrize(
    ("title", "aliases"),
    [
        ("gradient descents", []),
        ("Steepest descent", ["Gradient descent"]),
        ("GD", []),
    ],
)
def test_a_concept_joins_a_thread_by_title_or_alias(title, aliases):
    known = {key("Gradient descent"): "thread", key("GD"): "thread"}
    found = contributions("l2", [concept(title, aliases=aliases)], [], known)
    assert list(found.parts) == ["thread"]


def test_a_title_wins_over_an_alias():
    known = {key("GD"): "gd", key("Descent"): "descent"}
    found = contributions("l2", [concept("Descent", aliases=["GD"])], [], known)
    assert list(found.parts) == ["descent"]


def test_a_concept_that_is_named_twice_is_one_with_both_names():
    twice = [
        concept("Gradient descent", aliases=["GD"]),
        concept("GD", aliases=["Steepest descent"], complexity_level=4),
    ]
    [made] = contributions("l1", twice, [], {}).parts.values()
    assert made.summary == "What Gradient descent is."
    assert made.complexity_level == 4
    assert set(made.aliases) == {"GD", "Steepest descent"}


def test_an_update_of_an_unknown_title_is_dropped():
    assert contributions("l1", [concept()], [update("Volcano")], {}).parts.keys() == {
        key("Gradient descent")
    }


def test_an_update_of_a_known_title_is_a_contribution():
    [made] = contributions(
        "l2",
        [],
        [update(change_type="contradiction", new_complexity_level=3)],
        {key("Gradient descent"): "thread"},
    ).parts.values()
    assert (made.change_type, made.change_summary) == (
        "contradiction",
        "More on Gradient descent.",
    )
    assert made.complexity_level == 3


def test_an_update_adds_to_the_concept_that_is_taken_up_again():
    [made] = contributions(
        "l2", [concept(complexity_level=4)], [update(new_complexity_level=2)], {}
    ).parts.values()
    assert made.summary == "What Gradient descent is."
    assert made.change_summary == "More on Gradient descent."
    assert made.complexity_level == 4


def test_the_names_lead_only_to_threads_of_this_lecture():
    known = {key("Descent"): "descent", key("GD"): "descent", key("Other"): "other"}
    found = contributions("l2", [concept("Fall", aliases=["Descent"])], [], known)
    assert found.names == {
        key("Descent"): "descent",
        key("GD"): "descent",
        key("Fall"): "descent",
    }


def test_long_evidence_ends_with_a_whole_word():
    words = "evidence " * 40
    [made] = contributions("l1", [concept(evidence=words)], [], {}).parts.values()
    assert words.startswith(made.evidence + " ")
    assert 170 < len(made.evidence) <= 180


def test_evidence_without_a_space_is_cut_all_the_same():
    assert concepts.shortened("証" * 300, 180) == "証" * 180


def test_the_first_lecture_gives_the_title_and_the_last_one_the_summary():
    state = fold([part("l1"), part("l2", title="GD", summary="Newest.")])
    assert (state.title, state.summary) == ("Gradient descent", "Newest.")
    assert state.aliases == (key("GD"),)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((1,), (1, "foundational")),
        ((1, 2), (2, "foundational")),
        ((2, 3), (3, "advanced")),
        ((5, 1), (5, "advanced")),
    ],
)
def test_complexity_is_the_maximum_and_advanced_from_three(levels, expected):
    state = fold([part(f"l{n}", complexity_level=n_) for n, n_ in enumerate(levels)])
    assert (state.complexity_level, state.status) == expected


def test_what_was_advanced_once_stays_advanced():
    state = fold([part("l1", status="advanced"), part("l2")])
    assert state.status == "advanced"


def test_references_are_sorted_and_the_order_of_the_notes_is_kept():
    state = fold(
        [
            part("l3"),
            part("l1", change_type="contradiction", change_summary="Not so."),
            part("l2"),
        ]
    )
    assert state.lecture_refs == ("l1", "l2", "l3")
    assert state.evolution_notes == (
        {"lectureId": "l1", "changeType": "contradiction", "note": "Not so."},
        {"lectureId": "l2", "changeType": "refinement", "note": "As l2 has it."},
    )


def test_the_first_face_is_the_thread_s():
    faces = [None, "RED", "BLUE"]
    state = fold([part(f"l{n}", face=face) for n, face in enumerate(faces)])
    assert state.face == "RED"
