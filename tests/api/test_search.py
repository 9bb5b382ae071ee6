"""Search: what was said, made and noted, who may find it, and at which moment."""

import pytest
from sqlalchemy import event, text

from common import study_index
from common.models import Note
from tests import factories
from tests.api import talking
from tests.api.people import person, signed_in


@pytest.fixture
def ann(db):
    return person(db)


@pytest.fixture
def find(api):
    def find(q, headers=None, **fields):
        reply = api.get("/search", query_string={"q": q, **fields}, headers=headers)
        assert reply.status_code == 200, reply.text
        return reply.json

    return find


def kinds(found):
    return [(one["kind"], one["start_ms"]) for one in found["results"]]


def note(db, user, said, timestamp="1:23"):
    talking.video(db)
    return factories.save(
        db,
        Note(video_id=talking.VIDEO, user_id=user.id, timestamp=timestamp, text=said),
    )


def summary(db, **document):
    factories.artifact(db, document=document)
    with db.begin() as session:
        study_index.index(session, "l1")


def test_what_was_said_is_found_with_its_moment(find, db):
    talking.lecture(db, *talking.SAID, title="Cells")
    [hit] = find("energy from food")["results"]
    assert hit == {
        "kind": "transcript",
        "title": "Cells",
        "snippet": "Mitochondria are organelles that release <mark>energy</mark> from"
        " <mark>food</mark>.",
        "start_ms": 45_000,
        "end_ms": 50_000,
        "page": None,
        "link": "/lectures/l1/media#t=45",
        "lecture_id": "l1",
        "course_id": "c1",
        "video_id": None,
        "asset_id": None,
        "artifact_type": None,
        "note_id": None,
    }


def test_other_forms_of_a_word_are_found_in_each_language(find, db):
    talking.lecture(db, "The mice were running.")
    other = factories.lecture(db, "l2")
    talking.speak(db, other.recording_id, "Die Häuser stehen.", language="de-DE")
    assert [one["lecture_id"] for one in find("run")["results"]] == ["l1"]
    assert [one["lecture_id"] for one in find("Haus")["results"]] == ["l2"]


def test_phrases_or_and_without(find, db):
    talking.lecture(db, *talking.SAID)
    assert kinds(find('"smallest unit"')) == [("transcript", 0)]
    assert kinds(find('"unit smallest"')) == []
    assert len(find("mitochondria or nucleus")["results"]) == 2
    assert kinds(find("cell -nucleus")) == [("transcript", 0)]


@pytest.mark.parametrize("q", ["-cell", "the of", "!!", "' or 1=1 --", "%_", "a:*b|"])
def test_a_question_without_words_finds_nothing(find, db, q):
    talking.lecture(db, *talking.SAID)
    assert find(q)["results"] == []


def test_youtube_opens_at_the_moment(find, db, ann, deps):
    found = talking.video(db, *talking.SAID, title="A video")
    talking.talk(db, found, user_id=ann.id)
    [hit] = find("nucleus", signed_in(deps, ann))["results"]
    assert hit["link"] == f"https://www.youtube.com/watch?v={talking.VIDEO}&t=90s"
    assert (hit["video_id"], hit["title"]) == (talking.VIDEO, "A video")


def test_a_video_is_found_by_those_who_noted_or_asked_something(find, db, ann, deps):
    talking.video(db, *talking.SAID)
    bob, eve = person(db, "bob@example.com"), person(db, "eve@example.com")
    note(db, ann, "hm")
    talking.talk(db, talking.video(db), user_id=bob.id)
    counts = [
        len(find("nucleus", headers)["results"])
        for headers in (signed_in(deps, ann), signed_in(deps, bob))
    ]
    assert counts == [1, 1]
    assert find("nucleus", signed_in(deps, eve))["results"] == []
    assert find("nucleus")["results"] == []


def test_another_person_s_lecture_is_not_found(find, db, ann, deps):
    talking.lecture(db, *talking.SAID, owner_id=ann.id)
    summary(db, overview="All about the nucleus.")
    bob = person(db, "bob@example.com")
    assert len(find("nucleus", signed_in(deps, ann))["results"]) == 2
    assert find("nucleus", signed_in(deps, bob))["results"] == []
    assert find("nucleus")["results"] == []


def test_notes_are_found_by_their_writer_only(find, db, ann, deps):
    written = note(db, ann, "The nucleus again!")
    bob = person(db, "bob@example.com")
    [hit] = find("nucleus", signed_in(deps, ann))["results"]
    assert (hit["kind"], hit["note_id"], hit["start_ms"]) == (
        "note",
        written.id,
        83_000,
    )
    assert hit["link"].endswith("&t=83s")
    assert find("nucleus", signed_in(deps, bob))["results"] == []
    assert find("nucleus")["results"] == []


def test_study_material_is_found_by_what_it_teaches(find, db):
    talking.lecture(db, "Hello.")
    cited = {"citations": [{"start_ms": 5000, "end_ms": 6000, "quote": "zebra"}]}
    summary(
        db,
        engine="okapi",
        overview="Overview.",
        sections=[
            {"title": "Birds", "bullets": ["They fly."]},
            {"title": "Osmosis", "bullets": ["Water moves."]} | cited,
        ],
    )
    [hit] = find("water")["results"]
    assert (hit["kind"], hit["artifact_type"], hit["start_ms"]) == (
        "artifact",
        "summary",
        5000,
    )
    assert hit["snippet"] == "<mark>Water</mark> moves. · Osmosis"
    assert hit["link"] == "/lectures/l1/media#t=5"
    assert find("okapi")["results"] == []  # who made it is not what it teaches


def test_a_file_of_a_project_is_found(find, db):
    asset = factories.asset(db)
    talking.speak(db, asset.recording_id, *talking.SAID)
    [hit] = find("nucleus")["results"]
    assert (hit["asset_id"], hit["title"]) == (str(asset.id), "lesson.mp4")
    assert hit["link"] == f"/storage/{asset.relative_path}#t=90"


def test_a_kind_or_a_course_can_be_asked_for(find, db, ann, deps):
    talking.lecture(db, *talking.SAID)
    talking.lecture(db, *talking.SAID, lecture_id="l2", course_id="c2")
    note(db, ann, "nucleus")
    headers = signed_in(deps, ann)
    assert len(find("nucleus", headers)["results"]) == 3
    assert kinds(find("nucleus", headers, kind="note")) == [("note", 83_000)]
    [hit] = find("nucleus", headers, course_id="c2")["results"]
    assert hit["lecture_id"] == "l2"


def test_markup_in_what_was_said_is_shown_as_text(find, db):
    talking.lecture(db, "The <b>nucleus</b> & <script>alert(1)</script> \ue000x\ue001")
    [hit] = find("nucleus")["results"]
    assert "<mark>nucleus</mark>" in hit["snippet"]
    assert hit["snippet"].count("<") == 2
    assert hit["snippet"].count("mark") == 2
    assert "alert(1)" in hit["snippet"]
    assert "&amp;" in hit["snippet"]


def test_pages_follow_each_other(find, db):
    talking.lecture(db, *[f"Cell number {n}." for n in range(7)])
    first, last = find("cell", limit=5), find("cell", limit=5, offset=5)
    starts = [one["start_ms"] for one in first["results"] + last["results"]]
    assert sorted(starts) == [n * 45_000 for n in range(7)]
    assert first["pagination"]["total"] == last["pagination"]["total"] == 7
    assert (first["pagination"]["nextOffset"], last["pagination"]["hasMore"]) == (
        5,
        False,
    )
    beyond = find("cell", offset=50)
    assert (beyond["results"], beyond["pagination"]["total"]) == ([], 7)


@pytest.mark.parametrize(
    "query", ["", "q=", "q=x", f"q={'x' * 201}", "q=ab&limit=51", "q=ab&kind=job"]
)
def test_a_question_that_cannot_be_one_is_refused(api, query):
    assert api.get(f"/search?{query}").status_code == 422


def test_it_costs_four_statements_however_much_is_found(find, db, statements):
    talking.lecture(db, *[f"Cell number {n}." for n in range(60)])
    for q, cost in (("cell", 4), ("zebra", 3), ("-cell", 2)):
        statements.clear()
        find(q, limit=50)
        assert len(statements) == cost


def test_the_index_is_used_and_one_page_is_marked(db, engine, find):
    """With the statement that the route itself sends, and rows enough to matter."""
    talking.lecture(db, "Start.")
    with db.begin() as session:
        session.execute(text(_MANY))
        session.execute(text("analyze transcript_segments"))
    sent = []

    def note(_c, _cursor, statement, parameters, *_rest):
        sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    found = find("needle")
    event.remove(engine, "before_cursor_execute", note)
    assert (len(found["results"]), found["pagination"]["total"]) == (20, 30)
    [(page, values)] = [one for one in sent if "limit %s offset %s" in one[0]]
    with db.begin() as session:
        connection = session.connection()
        rows = connection.exec_driver_sql(f"explain {page}", values).scalars()
        plan = "\n".join(rows)
    assert "Bitmap Index Scan on ix_transcript_segments_search" in plan
    assert "Seq Scan on transcript_segments" not in plan


_MANY = """
insert into transcript_segments
  (recording_id, number, start_ms, end_ms, text, flags, search)
select recording_id, n, n, n + 1, w, '{}', to_tsvector('english', w)
  from lectures, lateral (
    select n, 'hay stack ' || n || case when n % 1000 = 0 then ' needle' else '' end
             as w from generate_series(1, 30000) n) x
"""
