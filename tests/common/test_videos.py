"""One row per video and one task per kind, however many ask at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from common import jobs, videos
from common.jobs import GiveBack
from common.models import Job, Note, Recording, Video
from common.videos import Heard, moment_ms, transcript
from tests import video_steps
from tests.api.people import person
from tests.video_steps import ABOUT, ID

LONG_AGO = timedelta(hours=7)


def ask(db):
    with db.begin() as session:
        found = videos.ensure(session, ID)
        return videos.fetch(session, found)


def kinds(db, *states):
    with db.begin() as session:
        found = select(Job.kind).order_by(Job.kind)
        return list(session.scalars(found.where(Job.state.in_(states or ("queued",)))))


def fail(db, kind):
    """Have a task's only try fail for good, as three would."""
    with db.begin() as session:
        lease = jobs.pull(session, kind, owner="h", seconds=120)
        assert lease is not None
        given = GiveBack("fetch_failed", "It is private.", permanent=True)
        jobs.give_back(session, lease, given)
        videos.give_up(session, kind, ID, "It is private.")


def error(db):
    with db.begin() as session:
        return session.scalar(select(Video.transcript_error))


def test_sixty_who_ask_at_once_make_one_row_and_one_task_of_each_kind(committed_db):
    """W21: neither an error nor a double."""
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: ask(committed_db), range(60)))
    with committed_db.begin() as session:
        assert session.scalar(select(func.count(Video.id))) == 1
        assert session.scalars(select(Recording.kind)).all() == ["youtube"]
    assert kinds(committed_db) == ["metadata", "transcript"]


def test_to_ask_for_a_video_costs_six_statements(db, statements):
    """A known one is not made (2), but its live tasks are met (2)."""
    ask(db)
    assert len(statements) == 6, statements
    statements.clear()
    ask(db)
    assert len(statements) == 6, statements


def test_what_is_there_is_not_fetched(db):
    video_steps.heard(db, video_steps.video(db, about=ABOUT))
    assert ask(db) is True
    assert kinds(db) == []


def arrive(db, settings):
    """Store a transcript, as the result of a task does."""
    said = transcript([Heard("Something is said.", 7.0, 2.0)], None)
    with db.begin() as session:
        found = videos.ensure(session, ID)
        stored = (None, f"captions/{ID}/1.json", said)
        videos.take_transcript(session, settings, found, stored)


def test_a_note_that_is_just_being_made_is_seen_by_the_transcript(
    committed_db, settings
):
    """Else neither would see the other, and the note would wait for ever."""
    ann = person(committed_db, ai_notes_enabled=True)
    video_steps.video(committed_db, about=ABOUT)
    with ThreadPoolExecutor(1) as pool:
        with committed_db.begin() as session:
            assert not videos.fetch(session, videos.ensure(session, ID))
            note = {"video_id": ID, "user_id": ann.id, "timestamp": "0:08"}
            session.add(Note(**note))
            session.flush()
            arriving = pool.submit(arrive, committed_db, settings)
            with pytest.raises(TimeoutError):
                arriving.result(0.2)
        arriving.result()
    assert kinds(committed_db) == ["ai_note", "transcript", "video_summary"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"about": ABOUT}, ["transcript"]), ({}, ["metadata", "transcript"])],
)
def test_what_is_lacking_is(db, fields, expected):
    video_steps.video(db, **fields)
    assert ask(db) is False
    assert kinds(db) == expected


def test_what_failed_for_good_is_not_tried_again_at_once(db):
    """W29: else each visit to a page begins three more tries."""
    ask(db)
    fail(db, "transcript")
    ask(db)
    assert kinds(db) == ["metadata"]
    assert error(db) == "It is private."


def test_hours_later_it_is_tried_again_and_its_error_taken_back(db):
    ask(db)
    fail(db, "transcript")
    with db.begin() as session:
        session.execute(
            update(Job)
            .values(finished_at=func.now() - LONG_AGO)
            .where(Job.state == "failed")
        )
    ask(db)
    assert kinds(db) == ["metadata", "transcript"]
    assert error(db) is None


def test_a_reason_is_cut_to_what_can_be_shown(db):
    video_steps.video(db)
    with db.begin() as session:
        videos.give_up(session, "transcript", ID, "so\n so " * 400)
    assert error(db).startswith("so so so")
    assert len(error(db)) == 500


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("0:05", 5_000),
        ("1:02:03", 3_723_000),
        ("62:05", 3_725_000),
        (" 1:2 ", 62_000),
        ("<b>99:x1</b>", None),
        ("1:2:3:4", None),
        ("12", None),
        ("-1:10", None),
        ("\u0661:\u0662", 62_000),
    ],
)
def test_a_moment_is_read_as_players_show_it(timestamp, expected):
    assert moment_ms(timestamp) == expected


def heard(*lines):
    return [
        (one.start_ms, one.end_ms, one.text)
        for one in transcript([Heard(*line) for line in lines], None).segments
    ]


def test_captions_become_segments_that_do_not_overlap():
    assert heard(("One", 0.0, 5.0), ("Two", 2.5, 5.0), ("Three", 9.0, 1.0)) == [
        (0, 2500, "One"),
        (2500, 7500, "Two"),
        (9000, 10000, "Three"),
    ]


def test_they_are_put_in_order_and_those_without_words_dropped():
    assert heard(("b\n b", 4.0, 1.0), ("  ", 2.0, 1.0), ("a", 1.0, 1.0)) == [
        (1000, 2000, "a"),
        (4000, 5000, "b b"),
    ]


def test_a_line_without_a_time_follows_the_one_before():
    assert heard(("a", 1.0, 2.0), ("b",), ("c", -5.0, float("inf"))) == [
        (0, 0, "c"),
        (1000, 3000, "a"),
        (3000, 6000, "b"),
    ]


@pytest.mark.parametrize(
    ("text", "language"),
    [("All of it", "en"), ("सब कुछ यहाँ", "hi"), ("всё", "und"), ("…", "und")],
)
def test_the_language_is_guessed_from_the_script(text, language):
    assert transcript([Heard(text)], None).language == language
    assert transcript([Heard(text)], "pl").language == "pl"
