"""The threads of a course: whatever lectures do, each one's evidence is its own."""

from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, text
from sqlalchemy.orm import sessionmaker

from common import concepts, threads
from common.concepts import Contribution
from common.models import Lecture, Thread, ThreadContribution
from common.study import Concept, ConceptUpdate
from tests import factories
from tests.factories import minute

LECTURES = ("l1", "l2", "l3", "l4")
NAMES = ("Gradient descent", "GD", "Backpropagation", "Chain rules", "chain rule")
FACES = ("RED", "ORANGE", "BLUE")


def concept(title="Gradient descent", evidence="said so", **fields):
    values = {"summary": f"What {title} is.", "face": "ORANGE"}
    return Concept(title=title, evidence=evidence, **{**values, **fields})


def update(title="Gradient descent", evidence="said more", **fields):
    values = {"change_type": "refinement", "summary": f"More on {title}."}
    return ConceptUpdate(title=title, evidence=evidence, **{**values, **fields})


def generate(db, lecture_id, found=(), updates=()):
    with db.begin() as session:
        threads.lock(session, lecture_id)
        return threads.replace(session, "c1", lecture_id, list(found), list(updates))


def remove(db, lecture_id):
    with db.begin() as session:
        threads.lock(session, lecture_id)
        gone = threads.withdraw(session, lecture_id)
        session.execute(delete(Lecture).where(Lecture.id == lecture_id))
    return gone


def known(db, lecture_id):
    with db.begin() as session:
        return threads.known(session, "c1", lecture_id)


def lecture(db, number):
    factories.lecture(db, f"l{number}", created_at=minute(number))


def course(db):
    """Return all threads by title."""
    with db.begin() as session:
        return {thread.title: thread for thread in session.scalars(select(Thread))}


def only_thread(db):
    [thread] = course(db).values()
    return thread


def rows(db):
    """Return all contributions, in the order of their lectures."""
    with db.begin() as session:
        query = (
            select(ThreadContribution)
            .join(Lecture, Lecture.id == ThreadContribution.lecture_id)
            .order_by(Lecture.created_at, Lecture.id)
        )
        return list(session.scalars(query))


def test_two_lectures_on_one_concept_share_a_thread(db):
    lecture(db, 1)
    lecture(db, 2)
    generate(db, "l1", [concept("Neural network", complexity_level=1)])
    generate(db, "l2", [concept("neural networks", complexity_level=3)])

    thread = only_thread(db)
    assert thread.title == "Neural network"
    assert thread.summary == "What neural networks is."
    assert (thread.complexity_level, thread.status) == (3, "advanced")
    assert thread.lecture_refs == ["l1", "l2"]
    assert thread.evolution_notes == [
        {
            "lectureId": "l2",
            "changeType": "refinement",
            "note": "What neural networks is.",
        }
    ]
    assert [row.confidence for row in rows(db)] == [0.85, 0.90]


def test_a_thread_is_found_by_the_names_that_any_lecture_gave_it(db):
    for number in (1, 2, 3):
        lecture(db, number)
    generate(db, "l1", [concept("Gradient descent")])
    generate(db, "l2", [concept("Gradient descent", aliases=["GD"])])
    generate(db, "l3", [concept("gd")])
    assert only_thread(db).lecture_refs == ["l1", "l2", "l3"]


@pytest.mark.parametrize(
    ("one", "other"), [("Gradient descent", "GD"), ("GD", "Gradient descent")]
)
def test_a_name_leads_to_the_thread_that_was_first_called_so(db, one, other):
    for number in (1, 2, 3, 4):
        lecture(db, number)
    generate(db, "l1", [concept(one)])
    generate(db, "l2", [concept(other)])
    generate(db, "l3", [concept(one, aliases=[other])])
    generate(db, "l4", [concept(other)])
    refs = {title: thread.lecture_refs for title, thread in course(db).items()}
    assert refs == {one: ["l1", "l3"], other: ["l2", "l4"]}


def test_a_lecture_s_own_earlier_names_count_for_nothing(db):
    lecture(db, 1)
    generate(db, "l1", [concept("Gradient descent", aliases=["GD"])])
    generate(db, "l1", [concept("GD")])
    again = only_thread(db)
    remove(db, "l1")
    lecture(db, 1)
    generate(db, "l1", [concept("GD")])
    assert (again.title, again.key) == ("GD", "gd")
    assert only_thread(db).id == again.id


def test_making_a_lecture_anew_keeps_the_thread_and_its_age(db):
    lecture(db, 1)
    generate(db, "l1", [concept()])
    before = only_thread(db)
    generate(db, "l1", [concept(evidence="said anew")])
    after = only_thread(db)
    assert (after.id, after.created_at) == (before.id, before.created_at)
    assert [row.evidence for row in rows(db)] == ["said anew"]


def test_updates_of_unknown_titles_leave_no_trace(db):
    lecture(db, 1)
    generate(db, "l1", [], [update("Volcano")])
    assert course(db) == {}


def test_a_thread_goes_with_its_last_lecture(db):
    lecture(db, 1)
    lecture(db, 2)
    generate(db, "l1", [concept(), concept("Volcano")])
    generate(db, "l2", [concept()])
    assert remove(db, "l1") == 2
    assert only_thread(db).lecture_refs == ["l2"]


def test_the_first_lecture_s_evidence_counts_as_the_first_when_it_is_gone(db):
    lecture(db, 1)
    lecture(db, 2)
    generate(db, "l1", [concept()])
    generate(db, "l2", [concept("gradient descents")])
    remove(db, "l1")
    assert only_thread(db).title == "gradient descents"
    assert only_thread(db).evolution_notes is None
    assert [row.confidence for row in rows(db)] == [0.85]


def test_the_order_is_that_of_the_lectures_and_not_of_the_work(db):
    lecture(db, 1)
    lecture(db, 2)
    generate(db, "l2", [concept("Descent, gradient", aliases=["Gradient descent"])])
    generate(db, "l1", [concept()])
    assert only_thread(db).title == "Gradient descent"
    assert only_thread(db).evolution_notes[0]["lectureId"] == "l2"


def test_courses_do_not_meet(db):
    lecture(db, 1)
    factories.lecture(db, "l9", course_id="c9")
    generate(db, "l1", [concept()])
    with db.begin() as session:
        threads.replace(session, "c9", "l9", [concept()], [])
    with db.begin() as session:
        found = session.execute(select(Thread.course_id, Thread.lecture_refs)).all()
    assert sorted(found) == [("c1", ["l1"]), ("c9", ["l9"])]


def test_a_model_is_told_of_the_lectures_before(db):
    for number in (1, 2, 3):
        lecture(db, number)
    generate(db, "l1", [concept()])
    generate(db, "l3", [concept(), concept("Volcano")])

    [told] = known(db, "l2")
    assert told.thread_id == str(course(db)["Gradient descent"].id)
    assert (told.title, told.lecture_ids) == ("Gradient descent", ("l1",))
    assert known(db, "l1") == ()
    assert [thread.title for thread in known(db, "l3")] == ["Gradient descent"]


def test_of_very_many_threads_a_model_is_told_the_latest(db):
    for number in (1, 2, 3):
        lecture(db, number)
    generate(db, "l1", [concept(f"Idea {n}x") for n in range(150)])
    generate(db, "l2", [concept(f"Idea {n}x") for n in range(100, 250)])
    told = {thread.title for thread in known(db, "l3")}
    assert len(told) == 200
    assert {f"Idea {n}x" for n in range(100, 250)} <= told


def test_the_plan_is_what_is_done(db):
    lecture(db, 1)
    lecture(db, 2)
    generate(db, "l1", [concept(aliases=["GD"]), concept("Volcano")])
    found, updates = [concept("GD"), concept("Chain rule")], [update("Volcano")]
    with db.begin() as session:
        planned = threads.plan(session, "c1", "l2", found, updates)
    assert generate(db, "l2", found, updates) == planned
    with db.begin() as session:
        there = {str(id_) for id_ in session.scalars(select(Thread.id))}
    assert set(planned.values()) == there
    assert planned["gd"] == planned["gradient descent"]


# Whatever happens, in any order


@dataclass(frozen=True)
class Generate:
    """A lecture's material is made, or made anew."""

    lecture_id: str
    found: tuple[Concept, ...]
    updates: tuple[ConceptUpdate, ...] = ()


@dataclass(frozen=True)
class Remove:
    """A lecture is deleted."""

    lecture_id: str


names = st.sampled_from(NAMES)
lecture_ids = st.sampled_from(LECTURES)
levels = st.integers(1, 5)
quotes = st.integers(1, 99).map("quote {}".format)
plain_concepts = st.builds(
    concept, names, quotes, face=st.sampled_from(FACES), complexity_level=levels
)
any_concepts = st.builds(
    concept,
    names,
    quotes,
    face=st.sampled_from(FACES),
    complexity_level=levels,
    aliases=st.lists(names, max_size=2),
)
any_updates = st.builds(
    update,
    names,
    quotes,
    change_type=st.sampled_from(["refinement", "contradiction", "complexity"]),
    new_complexity_level=st.none() | levels,
)


def histories(found, updates=None):
    made = st.just(()) if updates is None else st.lists(updates, max_size=2).map(tuple)
    generating = st.builds(
        Generate,
        lecture_ids,
        st.lists(found, max_size=3).map(tuple),
        made,
    )
    removing = st.builds(Remove, lecture_ids)
    return st.lists(generating | generating | removing, max_size=8)


@contextmanager
def fresh(engine):
    """Yield a database with four empty lectures; nothing of it is left."""
    with engine.connect() as connection, connection.begin() as outer:
        db = sessionmaker(
            connection,
            expire_on_commit=False,
            join_transaction_mode="create_savepoint",
        )
        for number in range(1, len(LECTURES) + 1):
            lecture(db, number)
        yield db
        outer.rollback()


def play(db, step):
    if isinstance(step, Remove):
        with db.begin() as session:
            threads.withdraw(session, step.lecture_id)
    else:
        generate(db, step.lecture_id, step.found, step.updates)


def evidence(db, *, without):
    return {
        row.id: (row.thread_id, row.lecture_id, row.title, row.evidence, row.summary)
        for row in rows(db)
        if row.lecture_id != without
    }


def state(db):
    """Return all there is to know of a course's threads, but for times."""
    columns = "id, key, title, summary, status, complexity_level, face, lecture_refs"
    said = "thread_id, lecture_id, title, evidence, confidence, change_type"
    with db.begin() as session:
        return [
            [
                [str(value) for value in row]
                for row in session.execute(text(f"select {what} order by 1, 2"))
            ]
            for what in (
                f"{columns}, evolution_notes from threads",
                f"{said} from thread_contributions",
            )
        ]


def contribution(row):
    fields = Contribution.__dataclass_fields__
    values = {name: getattr(row, name) for name in fields}
    return Contribution(**{**values, "aliases": tuple(row.aliases)})


def check_folds(db):
    """Every thread is what its contributions amount to, and has at least one."""
    parts: dict[object, list[Contribution]] = {}
    for row in rows(db):
        first = row.thread_id not in parts
        assert row.confidence == (0.85 if first else 0.90)
        parts.setdefault(row.thread_id, []).append(contribution(row))
    found = course_by_id(db)
    assert found.keys() == parts.keys()
    for id_, thread in found.items():
        folded = concepts.fold(parts[id_])
        for name in ("title", "summary", "status", "complexity_level", "face"):
            assert getattr(thread, name) == getattr(folded, name)
        assert tuple(thread.lecture_refs) == folded.lecture_refs
        assert tuple(thread.evolution_notes or ()) == folded.evolution_notes


def course_by_id(db):
    with db.begin() as session:
        return {thread.id: thread for thread in session.scalars(select(Thread))}


@settings(max_examples=40, deadline=None)
@given(steps=histories(any_concepts, any_updates))
def test_no_lecture_ever_touches_another_s_evidence(engine, steps):
    with fresh(engine) as db:
        for step in steps:
            before = evidence(db, without=step.lecture_id)
            play(db, step)
            assert evidence(db, without=step.lecture_id) == before
            check_folds(db)


@settings(max_examples=20, deadline=None)
@given(steps=histories(any_concepts, any_updates))
def test_the_same_history_gives_the_same_threads(engine, steps):
    found = []
    for _ in range(2):
        with fresh(engine) as db:
            for step in steps:
                play(db, step)
            found.append(state(db))
    assert found[0] == found[1]


@settings(max_examples=20, deadline=None)
@given(steps=histories(plain_concepts))
def test_what_remains_decides_not_how_it_came_about(engine, steps):
    """Of concepts that go by one name; another name is a reason to stay together."""
    last = {step.lecture_id: step for step in steps}
    remaining = [last[id_] for id_ in LECTURES if id_ in last]
    found = []
    for played in (steps, remaining):
        with fresh(engine) as db:
            for step in played:
                play(db, step)
            found.append(state(db))
    assert found[0] == found[1]


@settings(max_examples=20, deadline=None)
@given(steps=histories(any_concepts, any_updates), seed=any_concepts)
def test_making_a_lecture_anew_from_the_same_changes_nothing(engine, steps, seed):
    with fresh(engine) as db:
        generate(db, "l1", [seed])
        for step in steps:
            play(db, step)
        step = Generate("l2", (seed,), ())
        play(db, step)
        before = state(db)
        play(db, step)
        assert state(db) == before
